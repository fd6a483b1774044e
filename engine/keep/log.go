package keep

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// Shown names an event in a [Log]. The zero Shown is none.
type Shown uint32

// Log keeps what alerts show of events: their record, where it came from and their
// times; not their slots, nor their identity. What it keeps is written one after the
// other into segments, and a segment is free once nothing in it is held. Where all of
// them take more than twice what is held, or half as much again in a dense one, those of
// which less than half is held, or three quarters, are emptied by writing that again.
//
// A Log has less than 2^32 events, and 32 GiB: more is a panic. The zero Log is ready.
// It belongs to one shard.
type Log struct {
	pages    []*[pageEvents]shown
	free     Shown // head of the list of free entries, linked by at
	next     Shown // entries handed out so far, free ones and the unused first included
	segments []segment
	freed    []uint32              // numbers of segments without room
	spare    [][]uint64            // room of segments that are free
	idle     int                   // how many of them nobody has asked for since turn was 0
	turn     int                   // segments begun since then
	page     *[segmentWords]uint64 // the segment that is written; nil: none is
	open     uint32                // its number
	rest     uint32                // how many words it has left; 0 where none is written
	hand     int                   // where tidy goes on
	// DenseFrom is from how many bytes on a third of the room is wasted at most, and not a
	// half, which costs more copying. 0: never.
	DenseFrom int64
	live      int
	bytes     int64 // room of the segments
	held      int64 // of it, words of what is held
}

// pageEvents is the number of entries in a page: the table grows without being copied.
const pageEvents = 1 << 12

// shown is where an event is and how many hold it. words is 0 where the event has a
// segment to itself.
type shown struct {
	at      uint32 // number of the segment, then the word within it
	words   uint16
	holders uint16
}

// segment is a run of words, used from its start; live is how many of them are held, and
// used is set when it is not written any more. What is still to be written counts as held,
// so that holding an event does not touch its segment. One of a single long event has 1
// for both.
type segment struct {
	words      []uint64
	used, live uint32
}

const (
	segmentShift = 13 // 64 KiB
	segmentWords = 1 << segmentShift
	maxShared    = segmentWords / 4 // words of an event that shares a segment
	maxSpare     = 256
	spareTurn    = 2 * maxSpare // segments begun until those of the spare that are idle go
	slack        = 1 << 20      // bytes that may be wasted whatever is held
)

// Words of an event in a segment: its name and length, its own time, its place, then,
// where it came late, the time it counts at, then the record. The place is type,
// partition and offset in one word where they are small, as they are; else in two.
const (
	headWords = 3
	lateBit   = 1 << 31
	wideBit   = 1 << 30
	rawBits   = wideBit - 1
)

// Hold keeps what an alert shows of ev, for one holder.
func (l *Log) Hold(ev *event.Event) Shown {
	n := uint32((uint64(ev.Raw) + headWords*8 + 7) / 8)
	if n >= min(l.rest, maxShared) || isUnusual(ev) {
		return l.holdAny(ev)
	}
	if l.free == 0 {
		l.more()
	}
	ref, word := l.free, segmentWords-l.rest
	e := l.of(ref)
	l.free = Shown(e.at)
	*e = shown{at: l.open<<segmentShift | word, words: uint16(n), holders: 1}
	l.rest -= n
	l.live++
	l.held += int64(n)
	// The page has n words from there on, and one more: no bounds need be looked at.
	to := unsafe.Add(unsafe.Pointer(l.page), uintptr(word)*8)
	head := (*[headWords]uint64)(to)
	head[0], head[1], head[2] = uint64(ref)<<32|uint64(ev.Raw), uint64(ev.Time), placeOf(ev)
	copy(unsafe.Slice((*byte)(unsafe.Add(to, headWords*8)), ev.Raw), ev.JSON())
	return ref
}

// isWide reports that the place of an event does not fit a word, and isUnusual that an
// event has more than headWords before its record.
func isWide(ev *event.Event) bool {
	return uint64(ev.Offset)>>32|uint64(uint32(ev.Type)|uint32(ev.Part))>>16 != 0
}

func isUnusual(ev *event.Event) bool { return isWide(ev) || ev.At != ev.Time }

// placeOf is the place of an event in a word.
func placeOf(ev *event.Event) uint64 {
	return uint64(ev.Type)<<48 | uint64(ev.Part)<<32 | uint64(ev.Offset)
}

// holdAny is Hold for any event, wherever there is room.
func (l *Log) holdAny(ev *event.Event) Shown {
	if ev.Raw > rawBits {
		panic("a record of 1 GiB")
	}
	head, first := headWords, uint64(ev.Raw)
	if isWide(ev) {
		head, first = head+1, first|wideBit
	}
	if ev.At != ev.Time {
		head, first = head+1, first|lateBit
	}
	n := head + wordsFor(int(ev.Raw))
	ref := l.entry()
	words := l.room(n, l.of(ref))
	words[0], words[1], words[2] = uint64(ref)<<32|first, uint64(ev.Time), placeOf(ev)
	if isWide(ev) {
		words[2], words[3] = uint64(ev.Offset), uint64(ev.Type)<<32|uint64(uint32(ev.Part))
	}
	if ev.At != ev.Time {
		words[head-1] = uint64(ev.At)
	}
	copy(asBytes(words[head:]), ev.JSON())
	l.live++
	l.held += int64(n)
	return ref
}

// take takes n words of the segment that is written, which has them, and says where they
// are.
func (l *Log) take(n uint32) uint32 {
	at := l.open<<segmentShift | (segmentWords - l.rest)
	l.rest -= n
	return at
}

// room gives a new event n words.
func (l *Log) room(n int, e *shown) []uint64 {
	if n > maxShared {
		s := l.segment(make([]uint64, n))
		l.segments[s].used, l.segments[s].live = 1, 1
		*e = shown{holders: 1, at: s << segmentShift}
		l.bytes += int64(n) * 8
		return l.segments[s].words
	}
	if int(l.rest) < n && l.bytes > l.most() {
		l.tidy()
	}
	at, words := l.write(n)
	*e = shown{holders: 1, words: uint16(n), at: at}
	return words
}

// most is how much room the segments may take before they are tidied.
func (l *Log) most() int64 {
	if l.isDense() {
		return 12*l.held + slack/2
	}
	return 16*l.held + slack
}

func (l *Log) isDense() bool { return l.DenseFrom > 0 && l.bytes > l.DenseFrom }

// isLoose reports whether so little of a segment is held that it is worth emptying.
func (l *Log) isLoose(s *segment) bool {
	if l.isDense() {
		return 4*s.live < 3*s.used
	}
	return 2*s.live < s.used
}

// write gives n words at the end of the segment that is written.
func (l *Log) write(n int) (uint32, []uint64) {
	if n > int(l.rest) {
		l.begin()
	}
	words := l.page[segmentWords-l.rest:][:n:n]
	return l.take(uint32(n)), words
}

// begin starts a segment to write to.
func (l *Log) begin() {
	words := l.spareWords()
	if l.page != nil {
		s := &l.segments[l.open]
		s.used = segmentWords - l.rest
		s.live -= l.rest
	}
	l.open, l.rest, l.page = l.segment(words), segmentWords, (*[segmentWords]uint64)(words)
	l.segments[l.open].live = segmentWords
	l.bytes += segmentWords * 8
}

// spareWords is room for a segment: of one that is free, if there is any. Where windows of
// many keys end at once most segments become free together, and are wanted again soon; those
// that were not wanted for long are given up.
func (l *Log) spareWords() []uint64 {
	if l.turn++; l.turn == spareTurn {
		keep := len(l.spare) - l.idle
		clear(l.spare[keep:])
		l.spare, l.idle, l.turn = l.spare[:keep], keep, 0
	}
	last := len(l.spare) - 1
	if last < 0 {
		return make([]uint64, segmentWords)
	}
	words := l.spare[last]
	l.spare[last] = nil
	l.spare = l.spare[:last]
	l.idle = min(l.idle, last)
	return words
}

// segment gives words a number.
func (l *Log) segment(words []uint64) uint32 {
	if last := len(l.freed) - 1; last >= 0 {
		n := l.freed[last]
		l.freed = l.freed[:last]
		l.segments[n] = segment{words: words}
		return n
	}
	if len(l.segments) == 1<<(32-segmentShift) {
		panic("32 GiB of shown events in one shard")
	}
	l.segments = append(l.segments, segment{words: words})
	return uint32(len(l.segments) - 1)
}

// entry takes a name that no event has.
func (l *Log) entry() Shown {
	if l.free == 0 {
		l.more()
	}
	ref := l.free
	l.free = Shown(l.of(ref).at)
	return ref
}

// more makes one more entry, free.
func (l *Log) more() {
	if l.next == math.MaxUint32 {
		panic("2^32 shown events in one shard")
	}
	l.next = max(l.next, 1)
	if int(l.next/pageEvents) == len(l.pages) {
		l.pages = append(l.pages, new([pageEvents]shown))
	}
	l.free = l.next
	l.next++
}

func (l *Log) of(ref Shown) *shown { return &l.pages[ref/pageEvents][ref%pageEvents] }

// maxHolders is how many may hold one event: one more gets a copy.
const maxHolders = math.MaxUint16

// Share adds a holder to a kept event and returns the name it has it by: another one
// where there are too many.
func (l *Log) Share(ref Shown) Shown {
	e := l.of(ref)
	if e.holders == maxHolders {
		var ev event.Event
		l.View(ref, &ev)
		ev.Text = bytes.Clone(ev.Text) // holding it may move it
		return l.Hold(&ev)
	}
	e.holders++
	return ref
}

// IsHeld reports whether anyone holds what has, or had, the name.
func (l *Log) IsHeld(ref Shown) bool { return l.of(ref).holders > 0 }

// Release takes a holder away; the last one frees the event. Releasing none is well.
func (l *Log) Release(ref Shown) {
	if ref == 0 {
		return
	}
	e := l.of(ref)
	if e.holders > 1 {
		e.holders--
		return
	}
	n, words := e.at>>segmentShift, uint32(e.words)
	*e = shown{at: uint32(l.free)}
	l.free = ref
	l.live--
	l.held -= int64(words)
	s := &l.segments[n]
	if s.live -= words; s.live == 0 || words == 0 || n == l.open {
		l.left(n, words)
	}
}

// left drops a segment that an event has left, or writes it afresh, if nothing in it is
// held; words is 0 for one that the event had to itself.
func (l *Log) left(n, words uint32) {
	s := &l.segments[n]
	switch {
	case words == 0:
		l.held -= int64(len(s.words))
		l.drop(n)
	case n != l.open:
		l.drop(n)
	case s.live == l.rest:
		s.live, l.rest = segmentWords, segmentWords
	}
}

// drop frees a segment in which nothing is held.
func (l *Log) drop(n uint32) {
	s := &l.segments[n]
	l.bytes -= int64(len(s.words)) * 8
	if len(s.words) == segmentWords && len(l.spare) < maxSpare {
		l.spare = append(l.spare, s.words)
	}
	*s = segment{}
	l.freed = append(l.freed, n)
}

// How many segments tidy looks at, and how many of these it empties: more than are
// written in the meantime, so that the room goes down to twice what is held.
const (
	tidyLooks   = 16
	tidyEmpties = 4
)

// tidy looks at some segments, in turn, and empties those of which little is held.
func (l *Log) tidy() {
	emptied := 0
	for range min(tidyLooks, len(l.segments)) {
		l.hand++
		if l.hand >= len(l.segments) {
			l.hand = 0
		}
		s := &l.segments[l.hand]
		if uint32(l.hand) == l.open || !l.isLoose(s) {
			continue
		}
		l.empty(uint32(l.hand))
		if emptied++; emptied == tidyEmpties {
			return
		}
	}
}

// empty moves what is held in a segment to the one that is written.
func (l *Log) empty(n uint32) {
	words := l.segments[n].words[:l.segments[n].used]
	for from := 0; from < len(words); {
		ref, size := Shown(words[from]>>32), sizeOf(words[from])
		if e := l.of(ref); e.holders > 0 && e.at == n<<segmentShift|uint32(from) {
			var to []uint64
			e.at, to = l.write(size)
			copy(to, words[from:from+size])
		}
		from += size
	}
	l.drop(n)
}

// headOf is the number of words before the record of an event whose first word is given,
// and sizeOf that of all its words.
func headOf(first uint64) int {
	return headWords + int(first&lateBit>>31) + int(first&wideBit>>30)
}

func sizeOf(first uint64) int { return headOf(first) + wordsFor(int(first&rawBits)) }

// View fills ev with what is kept of an event: it has a record, times and a place, but
// neither slots nor an identity. It is valid until anything is held or released.
func (l *Log) View(ref Shown, ev *event.Event) *event.Event {
	at := l.of(ref).at
	words := l.segments[at>>segmentShift].words[at&(segmentWords-1):]
	first, place := words[0], words[2]
	raw, head := first&rawBits, headOf(first)
	*ev = event.Event{
		Type: int32(place >> 48), Part: int32(place >> 32 & 0xffff), Raw: uint32(raw), Offset: int64(uint32(place)),
		Time: int64(words[1]), At: int64(words[1]),
	}
	if first&wideBit != 0 {
		ev.Type, ev.Part, ev.Offset = int32(words[3]>>32), int32(words[3]), int64(place)
	}
	if first&lateBit != 0 {
		ev.At = int64(words[head-1])
	}
	ev.Text = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words[head:]))), raw)[:raw:raw]
	return ev
}

// Len is the number of kept events.
func (l *Log) Len() int { return l.live }

// Bytes is what is held, in bytes, as in a Store: the segments take at most about twice
// that, and a MiB.
func (l *Log) Bytes() int64 { return 8*l.held + int64(l.live)*int64(unsafe.Sizeof(shown{})) }

// Room is the memory it has, in bytes: the segments, free ones too, and the table.
func (l *Log) Room() int64 {
	return l.bytes + int64(len(l.spare))*segmentWords*8 + int64(len(l.pages))*pageEvents*int64(unsafe.Sizeof(shown{}))
}
