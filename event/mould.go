package event

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Most records of a type are written alike: the same keys in the same order, the same
// spaces, values of the same shapes. A mould is one record of a type without its values:
// what stands between them, and what is to be done with each. A record that fits is decoded
// in one pass, without a tape: what stood between the values of a well-formed record is
// well-formed between those of another, so only the values need be looked at, and each is
// validated where it is converted or passed over.
//
// A value of another shape, or one that asks for more than the short ways below, is taken
// by the scanner, on the spot. A key that is not the expected one leaves the mould: the rest
// of the members are scanned one by one (loose). All that is out of order in any other
// way, and every error, is left to the scanner from the start: a mould only ever finds the
// events that it would find, and finds them sooner.
type mould struct {
	of     *layout
	parts  []part
	tail   literal  // from the last value on
	full   []uint64 // bitmap of the slots that the parts fill where the record fits
	lack   []uint64 // bitmap of those that must be there and that no part fills
	all    bool     // the parts fill every slot
	time   int      // the part that gives the time; -1: none
	id     int      // the part that gives the identity; -1: none
	typeAt int      // the part before which the type stands; -1: it is not looked at
	misses int      // records in a row that did not fit
}

// part is a value, and what stands before it.
type part struct {
	before literal
	act    act
	slot   int // where a short way puts the value, counted from the first word; -1: nowhere
	id     bool
	event  bool  // it is the event's own time
	raw    bool  // a time's slot holds the number as it is written
	unit   int64 // of a time
	most   int64 // a time's number that does not overflow
	field  *field
	key    string
}

// act is what is done with a value.
type act uint8

const (
	scanValue act = iota // by the scanner
	skipText
	skipNumber
	takeText
	takeInt
	takeFloat
	takeTime     // a number of units
	takeTimeText // RFC 3339
	takeBool
)

// Bounds of moulds: how many are kept, how many misses in a row make one void, how many
// records that the scanner takes lie between two that are tried for a new one, for how many
// records at most no mould is tried after misfits, and how much text stands before a value,
// which may be the type and a key.
const (
	maxMoulds = 16
	maxMisses = 8
	minGap    = 8
	maxGap    = 1024
	maxPause  = 255
	maxBefore = 2*maxKey + 16 // bytes before a value
)

// moulds are the moulds of a decoder, and how they fare.
type moulds struct {
	list    []*mould // each record moves its own one place nearer to the front
	off     bool     // none is made: for tests
	scanned int      // records that the scanner took
	learn   int      // how many there are to be before the next is tried for a mould
	gap     int      // how many there were between the last two tries
	fitted  bool     // a record has fitted a mould since
	wait    int      // records for which no mould is tried
	pause   int      // how long the last such wait was
}

// literal is text that is compared many times: its first sixteen bytes as words.
type literal struct {
	lo, hi         uint64
	loMask, hiMask uint64
	text           string
}

func literalOf(text []byte) literal {
	var w, m [16]byte
	for i := range copy(w[:], text) {
		m[i] = 0xff
	}
	le := binary.LittleEndian
	return literal{
		lo: le.Uint64(w[:]), hi: le.Uint64(w[8:]), loMask: le.Uint64(m[:]), hiMask: le.Uint64(m[8:]),
		text: string(text),
	}
}

// at reports whether the literal stands at i of text, which may go on behind it.
func (l *literal) at(text []byte, i int) bool {
	if len(text)-i < 16 {
		return len(text)-i >= len(l.text) && string(text[i:i+len(l.text)]) == l.text
	}
	x, y := binary.LittleEndian.Uint64(text[i:]), binary.LittleEndian.Uint64(text[i+8:])
	if (x^l.lo)&l.loMask|(y^l.hi)&l.hiMask != 0 {
		return false
	}
	return len(l.text) <= 16 || l.longAt(text[i:])
}

// longAt compares what is beyond the first sixteen bytes.
func (l *literal) longAt(text []byte) bool {
	return len(text) >= len(l.text) && string(text[16:len(l.text)]) == l.text[16:]
}

// cast makes an event of a record by a mould; false where it fits none. More of the batch
// may stand behind the record: it is read where a word reaches beyond the end, and decides
// nothing, for a record that does not end where its mould ends does not fit.
func (d *Decoder) cast(b *Batch, r *RecordRef, a *Arena) bool {
	more := b.Text[r.Start:]
	mo := d.moulds.of(more)
	if mo == nil {
		return false
	}
	t := mo.of
	n := t.width
	d.scan.text, d.tail = more[:r.End-r.Start:r.End-r.Start], d.tail[:0]
	d.slots = a.takeSlots(n)
	d.prepare(mo, r)
	if !d.fits(mo, more) || d.timeErr != nil || d.idErr != nil {
		a.freeSlots(n)
		d.moulds.misfit(mo)
		return false
	}
	d.count(t, r)
	d.finish(t, r, false, a)
	return true
}

// fits takes the values of the record at hand by the mould and reports whether it could.
func (d *Decoder) fits(mo *mould, more []byte) bool {
	k, i := d.pour(mo, more)
	return d.complete(mo, k, i)
}

// prepare sets the event at hand to what it is if the record fits.
func (d *Decoder) prepare(mo *mould, r *RecordRef) {
	if !mo.all {
		clear(d.slots)
	}
	copy(d.slots, mo.full)
	d.bad = append(d.bad[:0], mo.lack...)
	d.time, d.timeErr, d.id, d.idErr = r.Time, nil, 0, nil
	if mo.time < 0 && mo.of.time != nil {
		d.timeErr = errMissing
	}
	if mo.id < 0 && mo.of.id != nil {
		d.idErr = errMissing
	}
}

// complete reports whether the record is well-formed to its end. k parts of it have been
// taken, the last up to i; negative: in vain.
func (d *Decoder) complete(mo *mould, k, i int) bool {
	text := d.scan.text
	if k == len(mo.parts) && i+len(mo.tail.text) == len(text) && string(text[i:]) == mo.tail.text {
		mo.misses, d.moulds.pause, d.moulds.fitted = 0, 0, true
		return true
	}
	if i < 0 || i > len(text) || k <= mo.typeAt {
		return false
	}
	mo.misses++
	d.unfill(mo, k)
	return d.loose(mo, k, i)
}

// pour takes the values of a record by the mould, as far as what stands between them is as
// expected. It returns how many it took and where the last of them ends, or -1. The longest
// function of the package, for it is where the time goes: what it does for one value must
// not cost a call.
func (d *Decoder) pour(mo *mould, text []byte) (int, int) {
	slots, i := d.slots, 0
	for k := range mo.parts {
		p := &mo.parts[k]
		if k > 0 && !p.before.at(text, i) { // the first has been found to be there
			return k, i
		}
		i += len(p.before.text)
		if i+17 > len(text) {
			goto scan
		}
		switch p.act {
		case skipText, takeText, takeTimeText:
			if text[i] != '"' {
				goto scan
			}
			end := i + 1
			for {
				x := binary.LittleEndian.Uint64(text[end:])
				if hit := special(x); hit != 0 {
					end += bits.TrailingZeros64(hit) >> 3
					break
				}
				if end += 8; end+8 > len(text) {
					goto scan
				}
			}
			if text[end] != '"' {
				goto scan
			}
			if p.act == takeText {
				ref := MakeRef(i+1, end-i-1)
				if p.slot >= 0 {
					slots[p.slot] = uint64(ref)
				}
				if p.id {
					if end == i+1 {
						goto scan
					}
					d.id = ref
				}
			} else if p.act == takeTimeText {
				ns, err := ParseTime(view(text[i+1 : end]))
				if err != nil {
					goto scan
				}
				if p.event {
					d.time = ns
				}
				if p.slot >= 0 {
					slots[p.slot] = uint64(ns)
				}
			}
			i = end + 1
			continue
		case takeInt, takeTime:
			n, end := shortNatural(text, i)
			if end < 0 {
				goto scan
			}
			if p.act == takeTime {
				if n > p.most {
					goto scan
				}
				d.time = n * p.unit
				if !p.raw {
					n = d.time
				}
			}
			if p.slot >= 0 {
				slots[p.slot] = uint64(n)
			}
			i = end
			continue
		case takeFloat:
			n, after, end := shortDecimal(text, i)
			if end < 0 {
				goto scan
			}
			slots[p.slot] = math.Float64bits(float64(n) / pow10[after&15])
			i = end
			continue
		case takeBool:
			value := truth(binary.LittleEndian.Uint64(text[i:]))
			if value < 0 {
				goto scan
			}
			slots[p.slot] = uint64(value)
			i += len("false") - value
			continue
		case skipNumber:
			if _, _, end := shortDecimal(text, i); end >= 0 {
				i = end
				continue
			}
		}
	scan:
		if i = d.scanPart(p, i); i < 0 {
			return k, -1
		}
	}
	return len(mo.parts), i
}

// scanPart has the scanner take the value at i.
func (d *Decoder) scanPart(p *part, i int) int {
	var m member
	end := d.scan.value(i, 1, &m)
	if end < 0 || p.field == nil {
		return end
	}
	if p.slot >= 0 {
		d.slots[p.slot] = 0
	}
	d.put(p.field, &m)
	return end
}

// unfill undoes what prepare has done for the parts from k on, which the record may not have.
func (d *Decoder) unfill(mo *mould, k int) {
	t := mo.of
	for _, p := range mo.parts[k:] {
		if p.slot < 0 {
			continue
		}
		d.slots[p.slot] = 0
		i := p.slot - t.words
		w, bit := i>>6, uint64(1)<<(i&63)
		d.slots[w] &^= bit
		d.bad[w] |= t.must[w] & bit
	}
	if mo.time >= k {
		d.timeErr = errMissing
	}
	if mo.id >= k {
		d.idErr = errMissing
	}
}

// loose scans the rest of an object, from the end of a value on, member after member.
// After the key of a part the next part is looked for first.
func (d *Decoder) loose(mo *mould, k, i int) bool {
	s := &d.scan
	for {
		if k < len(mo.parts) && mo.parts[k].before.at(s.text, i) {
			p := &mo.parts[k]
			i = d.scanPart(p, i+len(p.before.text))
			k++
		} else {
			if i = s.space(i); i < len(s.text) && s.text[i] == '}' {
				return s.space(i+1) == len(s.text)
			}
			i, k = d.looseMember(mo, k, i)
		}
		if i < 0 {
			return false
		}
	}
}

// looseMember takes a member from the comma before it on. It returns where it ends, and
// the part that may come next. A key that may say another type, or an envelope, is for
// the tape.
func (d *Decoder) looseMember(mo *mould, k, i int) (int, int) {
	s, m := &d.scan, member{}
	if i == len(s.text) || s.text[i] != ',' {
		return -1, k
	}
	if i = s.newName(s.space(i+1), &m); i < 0 {
		return i, k
	}
	key := d.key(&m)
	if string(key) == "specversion" || d.o.Type == "" && string(key) == d.o.TypeField {
		return -1, k
	}
	for n := range mo.parts[k:] {
		if p := &mo.parts[k+n]; p.key == string(key) {
			return d.scanPart(p, i), k + n + 1
		}
	}
	p := part{slot: -1, field: mo.of.root.byName[string(key)]}
	return d.scanPart(&p, i), k
}

// of returns the mould whose beginning is that of the text.
func (ms *moulds) of(text []byte) *mould {
	if ms.wait > 0 {
		ms.wait--
		return nil
	}
	for i, mo := range ms.list {
		if mo.parts[0].before.at(text, 0) {
			if i > 0 {
				ms.list[i], ms.list[i-1] = ms.list[i-1], mo
			}
			return ms.lasting(mo)
		}
	}
	return nil
}

// lasting returns the mould unless it has missed too often.
func (ms *moulds) lasting(mo *mould) *mould {
	if mo.misses > maxMisses {
		return nil
	}
	return mo
}

// misfit notes that a record was begun by a mould in vain. The more of them in a row, the
// longer it is until a mould is tried again.
func (ms *moulds) misfit(mo *mould) {
	mo.misses++
	ms.pause = min(2*ms.pause+1, maxPause)
	ms.wait = ms.pause
}

// wants reports whether a mould is to be made of the record at hand: of every eighth that
// the scanner takes, of ever fewer as long as none fits.
func (ms *moulds) wants() bool {
	ms.scanned++
	if ms.scanned <= ms.learn || ms.off {
		return false
	}
	ms.gap = min(2*ms.gap, maxGap)
	if ms.fitted || ms.gap == 0 {
		ms.gap = minGap
	}
	ms.fitted, ms.learn = false, ms.scanned+ms.gap
	return true
}

// keep keeps a mould, in the place of an older one of its type that has had its time.
func (ms *moulds) keep(mo *mould) {
	i := slices.IndexFunc(ms.list, func(old *mould) bool { return old.of == mo.of })
	switch {
	case i < 0 && len(ms.list) < maxMoulds:
		ms.list = append(ms.list, mo)
	case i >= 0 && ms.list[i].misses > maxMisses:
		ms.list[i] = mo
	}
}

// fresh reports whether there is a mould of type t that need not be replaced. That it is
// asked is a sign that records of the type do not fit it.
func (ms *moulds) fresh(t *layout) bool {
	for _, mo := range ms.list {
		if mo.of == t {
			mo.misses += minGap
			return mo.misses <= maxMisses
		}
	}
	return len(ms.list) == maxMoulds
}

// learn makes a mould of the record at hand, an event of type t, where it can be one.
func (d *Decoder) learn(t *layout, members []member, typeAt int) {
	if d.o.Type != "" {
		typeAt = -1
	}
	if len(members) > maxPlaces || d.moulds.fresh(t) {
		return
	}
	mo := &mould{of: t, time: -1, id: -1, typeAt: -1, full: make([]uint64, t.words), lack: slices.Clone(t.must)}
	text, from := d.scan.text, 0
	for i := range members {
		m := &members[i]
		key := string(d.key(m))
		known := slices.ContainsFunc(mo.parts, func(p part) bool { return p.key == key })
		f := t.root.byName[key]
		switch {
		case known || key == "specversion", i == typeAt && f != nil:
			return
		case i == typeAt:
			mo.typeAt = len(mo.parts) // its value is of what stands between
			continue
		}
		start, end := m.extent()
		if start-from > maxBefore {
			return
		}
		mo.add(text[from:start], key, f, m.shape)
		from = end
	}
	if mo.tail = literalOf(text[from:]); len(mo.parts) > 0 && len(mo.tail.text) <= maxBefore {
		mo.all = mo.filled() == len(t.Slots)
		d.moulds.keep(mo)
	}
}

// extent returns where a value begins and ends, with the quotes of a string.
func (m *member) extent() (start, end int) {
	if m.shape == isString {
		return int(m.val) - 1, int(m.end) + 1
	}
	return int(m.val), int(m.end)
}

// add adds the part of a member to a mould.
func (mo *mould) add(before []byte, key string, f *field, shape shape) {
	p := part{before: literalOf(before), act: actOf(f, shape), slot: -1, field: f, key: key}
	if f != nil {
		p.unit, p.id, p.event = int64(f.unit), f.isID, f.isTime
		if p.unit > 0 {
			p.most = math.MaxInt64 / p.unit
		}
		if f.isTime {
			mo.time = len(mo.parts)
		}
		if f.isID {
			mo.id = len(mo.parts)
		}
		if f.slot >= 0 && p.act != scanValue {
			mo.fill(f.slot)
			p.slot, p.raw = mo.of.words+f.slot, f.typ.Kind == Int
		}
	}
	mo.parts = append(mo.parts, p)
}

// fill notes that a part fills a slot.
func (mo *mould) fill(slot int) {
	w, bit := slot>>6, uint64(1)<<(slot&63)
	mo.full[w] |= bit
	mo.lack[w] &^= bit
}

// filled counts the slots that parts fill.
func (mo *mould) filled() (n int) {
	for _, w := range mo.full {
		n += bits.OnesCount64(w)
	}
	return n
}

// actOf returns what is done with the values of a field, nil where it is not wanted, by the
// shape that one of them had.
func actOf(f *field, s shape) act {
	switch {
	case f == nil && s == isString:
		return skipText
	case f == nil && s == isNumber:
		return skipNumber
	case f == nil || f.kids != nil || f.isTime && f.isID:
		return scanValue
	case f.isTime:
		return actOfTime(f, s)
	case s == isString && f.typ.Kind == String:
		return takeText
	case s == isString && f.typ.Kind == Time && !f.isID:
		return takeTimeText
	case (s == isTrue || s == isFalse) && f.typ.Kind == Bool:
		return takeBool
	case s == isNumber && f.isID:
		return scanValue
	case s == isNumber && f.typ.Kind == Int:
		return takeInt
	case s == isNumber && f.typ.Kind == Float:
		return takeFloat
	}
	return scanValue
}

func actOfTime(f *field, s shape) act {
	k := f.typ.Kind
	switch {
	case s == isNumber && f.unit != UnitNone && (f.slot < 0 || k == Int || k == Time):
		return takeTime
	case s == isString && (k == Time || f.slot < 0 && k != Int && k != Float):
		return takeTimeText
	}
	return scanValue
}
