package event

import "encoding/binary"

// field is a declared field that a decoder wants: it has a slot, or fields below it
// have, or it is the event's time or identity.
type field struct {
	name     string
	typ      Type // declared
	slot     int  // -1: none
	optional bool
	isTime   bool
	unit     Unit // of the time where it is a number
	isID     bool
	kids     *fields
	below    []need // the slots of kids, all levels
}

// need says of a slot below a field whether it must be there where the field is.
type need struct {
	slot int
	must bool
}

// fields finds wanted fields by name.
type fields struct {
	list   []*field
	byName map[string]*field
	order  order // of the objects that hold them, where those are not records
	seen   []seenKey
}

// seenKey says whose field the key of that version is, the last at its place.
type seenKey struct {
	version uint64
	field   *field // nil: no wanted one
}

// find looks up the field of the k-th member of an object by its key and remembers
// it under the key's version.
func (fs *fields) find(k int, version uint64, key []byte) *field {
	f := fs.byName[string(key)]
	for len(fs.seen) <= k {
		fs.seen = append(fs.seen, seenKey{})
	}
	fs.seen[k] = seenKey{version, f}
	return f
}

// node returns the field of that name, making one where there is none; within is
// the record type that declares it, fallback its type where within does not.
func (fs *fields) node(within *Type, name string, fallback Type) *field {
	if f := fs.byName[name]; f != nil {
		return f
	}
	if d := within.Field(name); d != nil {
		fallback = d.Type
	}
	f := &field{name: name, typ: fallback, slot: -1, optional: fallback.Optional}
	if fs.byName == nil {
		fs.byName = map[string]*field{}
	}
	fs.byName[name] = f
	fs.list = append(fs.list, f)
	return f
}

// place gives the field at path the slot.
func (fs *fields) place(within *Type, path []string, typ Type, slot int) {
	f := fs.node(within, path[0], typ)
	if len(path) == 1 {
		f.slot, f.typ = slot, typ
		return
	}
	if f.kids == nil {
		f.kids = &fields{}
	}
	inner := f.typ
	if d := within.Field(path[0]); d != nil {
		inner = d.Type // a whole record that also has a slot is laid out as any
	}
	f.kids.place(&inner, path[1:], typ, slot)
}

// needs lists the slots here and below and notes at each field those below it.
func (fs *fields) needs() []need {
	var all []need
	for _, f := range fs.list {
		if f.slot >= 0 {
			all = append(all, need{f.slot, !f.optional})
		}
		if f.kids == nil {
			continue
		}
		f.below = f.kids.needs()
		for _, n := range f.below {
			all = append(all, need{n.slot, n.must && !f.optional})
		}
	}
	return all
}

// layout is a Layout made ready for decoding, and what was found wrong with its
// events.
type layout struct {
	*Layout
	index  int32
	words  int
	width  int      // of an event's Slots
	must   []uint64 // bit i: slot i must be there
	root   fields
	meta   metaSlots
	marked bool     // meta has any
	time   *field   // nil: time of arrival
	id     *field   // nil: position
	wrong  []uint64 // by slot: events in which it was nil though it must not be
	first  []place  // by slot: where the first of them stands
}

// hashKeys puts the hashes of the texts that are keys into an event's Slots.
func (t *layout) hashKeys(e *Event) {
	slots, text := e.Slots, e.Text
	at := t.words + len(t.Slots)
	for i, slot := range t.Keyed {
		hash := uint64(0)
		if slots[uint(slot)>>6]&(1<<(slot&63)) != 0 {
			ref := slots[t.words+slot]
			if from, n := ref>>32, uint32(ref); n-5 <= 2 && from+8 <= uint64(len(text)) { // as many
				hash = shortTextHash(binary.LittleEndian.Uint64(text[from:]), int(n))
			} else {
				hash = TextKeyHash(Ref(ref).Bytes(text))
			}
		}
		slots[at+i] = hash
	}
}

// place is where a record stands.
type place struct {
	part   int32
	offset int64
}

func newLayout(index int, l *Layout) *layout {
	t := &layout{Layout: l, index: int32(index), words: l.Words(), width: l.Width(), wrong: make([]uint64, len(l.Slots)), first: make([]place, len(l.Slots))}
	typ := l.Schema.Type()
	t.meta.key = -1
	for i, s := range l.Slots {
		if IsMeta(s.Path) {
			t.meta.place(s.Path, i)
			t.marked = true
		} else {
			t.root.place(&typ, s.Path, s.Type, i)
		}
	}
	if name := l.Schema.TimeField; name != "" {
		t.time = t.root.node(&typ, name, Type{Kind: Time})
		t.time.isTime, t.time.unit = true, l.Schema.TimeUnit
	}
	if name := l.Schema.IDField; name != "" {
		t.id = t.root.node(&typ, name, Type{Kind: String})
		t.id.isID = true
	}
	t.must = make([]uint64, t.words)
	for _, n := range t.root.needs() {
		if n.must {
			t.must[n.slot>>6] |= 1 << (n.slot & 63)
		}
	}
	return t
}
