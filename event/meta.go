package event

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// RecordMeta is what a source says of a record beside its text. Both refer to the text of
// the record's batch; the zero Ref is none.
type RecordMeta struct {
	Key Ref
	// Headers are pairs of a name and a value, each with its length before it as a varint in
	// zigzag form; a length of -1 is that of a value that is null.
	Headers Ref
}

// KeyPath is the path of the slot that holds a record's key. The paths of what is no field
// begin with an empty name, which no field has.
func KeyPath() []string { return []string{"", "key"} }

// HeaderPath is the path of the slot that holds the header of a name; of several the last.
func HeaderPath(name string) []string { return []string{"", "headers", name} }

// IsMeta reports whether a slot's path is that of a key or a header.
func IsMeta(path []string) bool { return path[0] == "" }

// ReadsMeta reports whether a slot holds a key or a header.
func (l *Layout) ReadsMeta() bool {
	return slices.ContainsFunc(l.Slots, func(s Slot) bool { return IsMeta(s.Path) })
}

// metaSlots are the slots of a layout for what is beside a record.
type metaSlots struct {
	key     int // -1: none
	headers []headerSlot
}

type headerSlot struct {
	name string
	slot int
}

// place gives the key, or the header at path, the slot.
func (m *metaSlots) place(path []string, slot int) {
	if len(path) == len(KeyPath()) {
		m.key = slot
	} else {
		m.headers = append(m.headers, headerSlot{path[2], slot})
	}
}

// lookBeside notes what is beside record i of a batch that has any.
func (d *Decoder) lookBeside(b *Batch, i int) {
	d.besideOf, d.beside = b, RecordMeta{}
	if i < len(b.Metas) {
		d.beside = b.Metas[i]
	}
}

// takeMeta fills the slots of the event at hand for what is beside its record. Texts that
// are no UTF-8 are nil: they could not be shown.
func (d *Decoder) takeMeta(m *metaSlots) {
	if d.beside == (RecordMeta{}) {
		return
	}
	text := d.besideOf.Text
	if m.key >= 0 && d.beside.Key != 0 {
		d.putMeta(m.key, d.beside.Key.Bytes(text))
	}
	if len(m.headers) == 0 {
		return
	}
	rest := d.beside.Headers.Bytes(text)
	for {
		name, value, behind, ok := cutHeader(rest)
		if !ok {
			return
		}
		for _, h := range m.headers {
			if h.name == string(name) {
				d.putMeta(h.slot, value)
			}
		}
		rest = behind
	}
}

// putMeta sets a slot to a copy of a text, nil to nil.
func (d *Decoder) putMeta(slot int, text []byte) {
	ok := text != nil && utf8.Valid(text)
	at := len(d.tail)
	if ok {
		d.tail = append(d.tail, text...)
	}
	d.set(slot, uint64(d.tailRef(at)), ok, true)
}

// EachHeader visits headers in the form of RecordMeta, in order; a value that is null is nil.
func EachHeader(headers []byte, visit func(name, value []byte)) {
	for {
		name, value, rest, ok := cutHeader(headers)
		if !ok {
			return
		}
		visit(name, value)
		headers = rest
	}
}

// cutHeader cuts the first pair off headers; ok is false where there is none. A value that
// is null is nil.
func cutHeader(b []byte) (name, value, rest []byte, ok bool) {
	if name, b, ok = cutText(b); !ok || name == nil {
		return nil, nil, nil, false
	}
	value, rest, ok = cutText(b)
	return name, value, rest, ok
}

func cutText(b []byte) (text, rest []byte, ok bool) {
	n, used := binary.Varint(b)
	if used <= 0 || n > int64(len(b)-used) {
		return nil, nil, false
	}
	if b = b[used:]; n < 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

// AppendHeader appends a pair to headers in the form of RecordMeta.
func AppendHeader(b []byte, name string, value []byte) []byte {
	b = append(binary.AppendVarint(b, int64(len(name))), name...)
	if value == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(value))), value...)
}

// AddMeta says what is beside the record added last.
func (b *Batch) AddMeta(key, headers []byte) {
	for len(b.Metas) < len(b.Records)-1 {
		b.Metas = append(b.Metas, RecordMeta{})
	}
	var m RecordMeta
	if key != nil {
		m.Key = MakeRef(len(b.Text), len(key))
		b.Text = append(b.Text, key...)
	}
	if len(headers) > 0 {
		m.Headers = MakeRef(len(b.Text), len(headers))
		b.Text = append(b.Text, headers...)
	}
	b.Metas = append(b.Metas, m)
}

// MetaOf returns what the slots of an event laid out by l hold of its record's key and
// headers, in the form of RecordMeta; a key of nil is none.
func (e *Event) MetaOf(l *Layout, into []byte) (key, headers []byte) {
	headers = into[:0]
	for i, s := range l.Slots {
		if !IsMeta(s.Path) || !e.Has(i) {
			continue
		}
		text := Ref(e.Slots[l.Words()+i]).Bytes(e.Text)
		if len(s.Path) == len(KeyPath()) {
			key = text
		} else {
			headers = AppendHeader(headers, s.Path[2], text)
		}
	}
	return key, headers
}
