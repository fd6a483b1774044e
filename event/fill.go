package event

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
)

// Why a time or an identity cannot be read, beside the errors of ParseTime.
var (
	errMissing    = errors.New("is missing")
	errTimeNumber = errors.New("is a number, and its declaration names no unit")
	errTimeKind   = errors.New("is not a time")
	errIDKind     = errors.New("is not readable")
	errIDEmpty    = errors.New("is empty")
)

// fill fills the slots of an event of type t from the members of its object, and
// finds its time and identity.
func (d *Decoder) fill(t *layout, r *RecordRef, members []member, env *envelope, a *Arena) error {
	n := t.width
	d.slots, d.bad = a.newSlots(n), append(d.bad[:0], t.must...)
	d.time, d.timeErr, d.id, d.idErr = r.Time, nil, 0, nil
	if t.time != nil {
		d.timeErr = errMissing
	}
	if t.id != nil {
		d.idErr = errMissing
	}
	o := d.scan.order
	if env != nil {
		o = &d.dataOrder
	}
	d.putAll(&t.root, members, o)
	if env != nil {
		d.standIn(t, env)
	}
	if d.timeErr != nil || d.idErr != nil {
		a.freeSlots(n)
		return d.undecided(t)
	}
	d.count(t, r)
	return nil
}

// putAll takes the wanted fields among the members of an object of that order.
func (d *Decoder) putAll(fs *fields, members []member, o *order) {
	for k := range members {
		m := &members[k]
		var f *field
		if !m.known {
			f = fs.byName[string(d.key(m))]
		} else if v := o.keys[k].version; k < len(fs.seen) && fs.seen[k].version == v {
			f = fs.seen[k].field
		} else {
			f = fs.find(k, v, d.key(m))
		}
		if f != nil {
			d.put(f, m)
		}
	}
}

// undecided says why the event has no time or no identity.
func (d *Decoder) undecided(t *layout) error {
	if d.timeErr != nil {
		name := "time"
		if t.time != nil {
			name = t.time.name
		}
		return &DecodeError{NoTime, fmt.Sprintf("time field %q %s", name, verbal(d.timeErr))}
	}
	return &DecodeError{NoID, fmt.Sprintf("id field %q %s", t.id.name, d.idErr)}
}

// verbal makes the rest of a sentence of an error about a time.
func verbal(err error) string {
	switch err {
	case ErrTimeSyntax, ErrTimeRange: //nolint:errorlint // set by the decoder, never wrapped
		return "is not readable: " + err.Error()
	}
	return err.Error()
}

// count counts the fields that are nil and must not be.
func (d *Decoder) count(t *layout, r *RecordRef) {
	for w, bad := range d.bad {
		for i := w << 6; bad != 0; i, bad = i+1, bad>>1 {
			if bad&1 == 0 {
				continue
			}
			if t.wrong[i] == 0 {
				t.first[i] = place{r.Part, r.Offset}
			}
			t.wrong[i]++
		}
	}
}

// put takes the value of a wanted field. It may come twice: the last one counts.
func (d *Decoder) put(f *field, m *member) {
	if f.isTime {
		d.time, d.timeErr = d.timeOf(f, m)
	}
	if f.isID {
		d.id, d.idErr = d.idOf(f, m)
	}
	if f.kids != nil {
		d.descend(f, m)
	}
	if f.slot >= 0 {
		v, ok := d.slotOf(f, m)
		d.set(f.slot, v, ok, ok || m.shape == isNull && f.optional)
	}
}

// set sets a slot, or makes it nil; fine says that this is as declared.
func (d *Decoder) set(slot int, v uint64, ok, fine bool) {
	w, bit := slot>>6, uint64(1)<<(slot&63)
	d.slots[w] &^= bit
	d.bad[w] |= bit
	if ok {
		d.slots[w] |= bit
		d.slots[len(d.bad)+slot] = v
	}
	if fine {
		d.bad[w] &^= bit
	}
}

// descend takes the fields of a nested record.
func (d *Decoder) descend(f *field, m *member) {
	absent := m.shape == isNull && f.optional
	wrong := m.shape != isObject && m.shape != isNull
	for _, n := range f.below {
		d.set(n.slot, 0, false, !wrong && (absent || !n.must))
	}
	if m.shape != isObject {
		return
	}
	mark := len(d.scan.tape)
	d.scan.object(int(m.val), 1, &f.kids.order) // scanned before: it is well-formed
	d.putAll(f.kids, d.scan.tape[mark:], &f.kids.order)
	d.scan.tape = d.scan.tape[:mark]
}

// slotOf returns what a member is worth in a slot of the field's type; false where
// it is null or of the wrong type.
func (d *Decoder) slotOf(f *field, m *member) (uint64, bool) {
	switch f.typ.Kind {
	case Bool:
		return uint64(b2i(m.shape == isTrue)), m.shape == isTrue || m.shape == isFalse
	case Int:
		if m.shape != isNumber {
			return 0, false
		}
		n, ok := parseInt(d.scan.text[m.val:m.end])
		return uint64(n), ok
	case Float:
		if m.shape != isNumber {
			return 0, false
		}
		x, ok := parseFloat(d.scan.text[m.val:m.end])
		return math.Float64bits(x), ok
	case String:
		if m.shape != isString {
			return 0, false
		}
		return uint64(d.refTo(m)), true
	case Time:
		if f.isTime {
			return uint64(d.time), d.timeErr == nil
		}
		return d.slotOfText(Time, m)
	case List:
		return uint64(MakeRef(int(m.val), int(m.end-m.val))), m.shape == isArray
	case Duration, IP:
		return d.slotOfText(f.typ.Kind, m)
	default:
		return uint64(whole(m)), m.shape != isNull
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// slotOfText returns the slot of a time, duration or address, all written as strings.
func (d *Decoder) slotOfText(k Kind, m *member) (uint64, bool) {
	if m.shape != isString {
		return 0, false
	}
	text := d.textOf(m)
	switch k {
	case Time:
		n, err := ParseTime(view(text))
		return uint64(n), err == nil
	case Duration:
		n, err := ParseDuration(view(text))
		return uint64(n), err == nil
	default:
		return d.address(m, text)
	}
}

// address returns a reference to the canonical form of an address: what it has in
// the record where that is canonical already.
func (d *Decoder) address(m *member, text []byte) (uint64, bool) {
	ip, err := netip.ParseAddr(view(text))
	if err != nil {
		return 0, false
	}
	at := len(d.tail)
	d.tail = ip.Unmap().AppendTo(d.tail)
	if !m.esc && bytes.Equal(d.tail[at:], text) {
		d.tail = d.tail[:at]
		return uint64(MakeRef(int(m.val), len(text))), true
	}
	return uint64(d.tailRef(at)), true
}

// refTo returns a reference to a string's text: its place in the record, or, where
// it holds escapes, in the tail.
func (d *Decoder) refTo(m *member) Ref {
	if !m.esc {
		return MakeRef(int(m.val), int(m.end-m.val))
	}
	at := len(d.tail)
	d.tail = appendUnescaped(d.tail, d.scan.text[m.val:m.end])
	return d.tailRef(at)
}

// tailRef refers to the tail from at on, as it will stand after the record.
func (d *Decoder) tailRef(at int) Ref { return MakeRef(len(d.scan.text)+at, len(d.tail)-at) }

// whole refers to a value as it is written, the quotes of a string included.
func whole(m *member) Ref {
	if m.shape == isString {
		return MakeRef(int(m.val)-1, int(m.end-m.val)+2)
	}
	return MakeRef(int(m.val), int(m.end-m.val))
}

// timeOf reads the event's own time: RFC 3339 text, or a number where the
// declaration names its unit.
func (d *Decoder) timeOf(f *field, m *member) (int64, error) {
	switch m.shape {
	case isNull:
		return 0, errMissing
	case isNumber:
		if f.unit == UnitNone {
			return 0, errTimeNumber
		}
		return timeOfNumber(d.scan.text[m.val:m.end], f.unit)
	case isString:
		if f.typ.Kind != Int && f.typ.Kind != Float {
			return ParseTime(view(d.textOf(m)))
		}
	}
	return 0, errTimeKind
}

// timeOfNumber returns a number of units as nanoseconds, rounded down.
func timeOfNumber(text []byte, unit Unit) (int64, error) {
	if n, ok := shortInt(text); ok && n <= math.MaxInt64/int64(unit) && n >= math.MinInt64/int64(unit) {
		return n * int64(unit), nil
	}
	n, _, ok := scaled(text, unit.shift())
	if !ok {
		return 0, ErrTimeRange
	}
	return n, nil
}

// shift returns the power of ten that the unit is in nanoseconds.
func (u Unit) shift() int {
	n := 0
	for ; u > 1; u /= 10 {
		n++
	}
	return n
}

// idOf returns the identity that a member holds: a string that is not empty, or,
// where the field is no string, a number, for an int in its plain form.
func (d *Decoder) idOf(f *field, m *member) (Ref, error) {
	k := f.typ.Kind
	switch m.shape {
	case isNull:
		return 0, errMissing
	case isString:
		if k == Bool || k == Int || k == Float {
			return 0, errIDKind
		}
		if m.end == m.val {
			return 0, errIDEmpty
		}
		return d.refTo(m), nil
	case isNumber:
		if k == Int {
			return d.intID(m)
		}
		if k == Float || k == Any {
			return whole(m), nil
		}
	}
	return 0, errIDKind
}

func (d *Decoder) intID(m *member) (Ref, error) {
	text := d.scan.text[m.val:m.end]
	n, ok := parseInt(text)
	if !ok {
		return 0, errIDKind
	}
	at := len(d.tail)
	d.tail = strconv.AppendInt(d.tail, n, 10)
	if bytes.Equal(d.tail[at:], text) {
		d.tail = d.tail[:at]
		return whole(m), nil
	}
	return d.tailRef(at), nil
}
