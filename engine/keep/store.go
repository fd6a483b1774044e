package keep

import (
	"math"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// Ref names a kept event in its store. The zero Ref is none.
type Ref uint32

// entry is a kept event without its bytes.
type entry struct {
	time, at, offset int64
	id               event.Ref
	blob             Blob
	typ, part        int32
	raw              uint32
	text             uint32 // length of the text, in bytes
	slots            uint32 // length of the slots, in words
	holders          int32
	order            uint64 // number among all events ever held
}

// Store keeps events, less than 2^32 at a time: one more is a panic. The zero Store is
// ready.
type Store struct {
	entries []entry // entries[0] is unused
	free    []Ref
	blobs   Blobs
	live    int
	held    uint64
}

// Hold keeps a copy of ev for one holder.
func (s *Store) Hold(ev *event.Event) Ref {
	blob, words := s.blobs.Put(len(ev.Slots) + wordsFor(len(ev.Text)))
	copy(words, ev.Slots)
	copy(asBytes(words[len(ev.Slots):]), ev.Text)
	ref := s.room()
	s.held++
	e := &s.entries[ref] // filled in place: a literal would be made on the stack and copied
	e.time, e.at, e.offset, e.id, e.blob = ev.Time, ev.At, ev.Offset, ev.ID, blob
	e.typ, e.part, e.raw = ev.Type, ev.Part, ev.Raw
	e.text, e.slots = uint32(len(ev.Text)), uint32(len(ev.Slots))
	e.holders, e.order = 1, s.held
	s.live++
	return ref
}

func (s *Store) room() Ref {
	if last := len(s.free) - 1; last >= 0 {
		ref := s.free[last]
		s.free = s.free[:last]
		return ref
	}
	if len(s.entries) == 0 {
		s.entries = append(s.entries, entry{})
	}
	if uint64(len(s.entries)) > math.MaxUint32 {
		panic("2^32 kept events in one shard")
	}
	s.entries = append(s.entries, entry{})
	return Ref(len(s.entries) - 1)
}

// Share adds a holder to a kept event.
func (s *Store) Share(ref Ref) Ref {
	s.entries[ref].holders++
	return ref
}

// Release takes a holder away; the last one frees the event. Releasing none is well.
func (s *Store) Release(ref Ref) {
	if ref == 0 {
		return
	}
	e := &s.entries[ref]
	e.holders--
	if e.holders > 0 {
		return
	}
	s.blobs.Free(e.blob)
	s.free = append(s.free, ref)
	s.live--
}

// View fills ev with a kept event; it is valid until the event is released.
func (s *Store) View(ref Ref, ev *event.Event) *event.Event {
	e := &s.entries[ref]
	words := s.blobs.Get(e.blob)
	ev.Type, ev.Part, ev.Raw = e.typ, e.part, e.raw
	ev.Time, ev.At, ev.Offset, ev.ID = e.time, e.at, e.offset, e.id
	ev.Slots = words[:e.slots:e.slots]
	ev.Text = nil
	if e.text > 0 {
		ev.Text = asBytes(words[e.slots:])[:e.text:e.text]
	}
	return ev
}

// Time is a kept event's own time.
func (s *Store) Time(ref Ref) int64 { return s.entries[ref].time }

// Order numbers kept events in the order in which they were first held; 0 for none.
func (s *Store) Order(ref Ref) uint64 { return s.entries[ref].order }

// Len is the number of kept events.
func (s *Store) Len() int { return s.live }

// Bytes is the room in use, in bytes.
func (s *Store) Bytes() int64 { return s.blobs.Bytes() + int64(len(s.entries))*64 }

// Room is the memory it has, in bytes.
func (s *Store) Room() int64 {
	return s.blobs.Room() + int64(cap(s.entries))*int64(unsafe.Sizeof(entry{})) + int64(cap(s.free))*int64(unsafe.Sizeof(Ref(0)))
}
