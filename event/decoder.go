package event

import "fmt"

// Format is the format of a source's records.
type Format uint8

// FormatJSON is one JSON object a record. FormatCSV is one row a record, RFC 4180,
// its columns named by [Batch.Header].
const (
	FormatJSON Format = iota
	FormatCSV
)

// Options say how records become events. The zero value is JSON with the type in
// the field "type".
type Options struct {
	Format    Format
	Type      string // every record is of this type; empty: see TypeField
	TypeField string // the field that names the type; default "type"
	Comma     byte   // CSV: the separator; default ','
}

// Outcome says what became of a record.
type Outcome uint8

// Decoded records are events now. Undeclared ones are of a type that no file
// declares: counted, passed over. Undecodable ones are for the dead letters.
const (
	Decoded Outcome = iota
	Undeclared
	Undecodable
)

// Cause is why a record cannot be decoded.
type Cause uint8

// The causes.
const (
	Malformed Cause = iota // not JSON, not UTF-8, not an object, not a row of its header
	NoType
	NoTime
	NoID
	Incomplete // the source could not hand it on whole
)

var causeNames = [...]string{"malformed", "type", "time", "id", "incomplete"}

// String returns the cause as metrics name it.
func (c Cause) String() string { return causeNames[c] }

// DecodeError is the reason why a record is undecodable. It holds nothing of the
// record's contents but names of fields.
type DecodeError struct {
	Cause  Cause
	Reason string // e.g. `malformed JSON at byte 17: want a digit`
}

// Error returns the reason.
func (e *DecodeError) Error() string { return e.Reason }

// maxUndeclared bounds how many names of undeclared types are counted apart; the
// rest is counted under "".
const maxUndeclared = 100

// Decoder turns records into events. It validates every record whole, but converts
// only the fields that its layouts ask for, and the time and identity of the type.
// Where a key is written twice the last one counts. It allocates nothing for records
// like those it has seen. A Decoder is for one goroutine; make one for each.
//
// A record with the string fields specversion, id, source and type is a CloudEvents
// envelope (structured mode). Its event is its data, an object; nothing else of the
// envelope is a field. The type is, unless Options say otherwise, the envelope's
// type, whole or after its last dot ("com.example.payment" is a payment); with a
// TypeField of its own, that of the data, else of the envelope. Where the data does
// not give the time or the identity, the envelope's do: its time, and its source
// and id, joined by a space, for only together are they unique. A declared time or
// id field that the data does not have is then filled from the envelope's.
type Decoder struct {
	o       Options
	layouts []*layout
	byName  map[string]*layout
	last    *layout // the type of the last record

	scan   scanner
	tail   []byte // text of the event beyond its record: unescaped and canonical strings
	temp   []byte // an unescaped key or text, until the next
	csv    csvReader
	env    envelope
	moulds moulds
	// dataOrder is the order of keys in the data of envelopes.
	dataOrder order

	beside   RecordMeta // of the record at hand
	besideOf *Batch     // whose text it refers to

	typeName    []byte         // Options.Type
	undeclared  map[string]int // index into undeclaredN
	undeclaredN []Count

	// The event at hand.
	slots   []uint64
	bad     []uint64 // bit i: slot i is nil though it must not be, or of the wrong type
	time    int64
	timeErr error // nil: time is known
	id      Ref
	idErr   error // nil: id is known, or none is wanted
}

// NewDecoder makes a decoder for the layouts: an event's Type is the index of its
// layout. The layouts must not change while the decoder lives.
func NewDecoder(layouts []*Layout, o Options) *Decoder {
	if o.TypeField == "" {
		o.TypeField = defaultTypeField
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	d := &Decoder{o: o, byName: map[string]*layout{}, undeclared: map[string]int{}, typeName: []byte(o.Type)}
	words := 0
	for i, l := range layouts {
		t := newLayout(i, l)
		d.layouts = append(d.layouts, t)
		d.byName[l.Schema.Name] = t
		words = max(words, t.words)
	}
	d.bad = make([]uint64, words)
	d.scan.typeField = o.TypeField
	return d
}

const defaultTypeField = "type"

// Decode decodes record i of the batch. A Decoded one is appended to a.Events; the
// error, a [*DecodeError], is set for an Undecodable one alone.
func (d *Decoder) Decode(b *Batch, i int, a *Arena) (Outcome, error) {
	r := &b.Records[i]
	if r.Fault != FaultNone {
		return Undecodable, &DecodeError{Incomplete, r.Fault.String()}
	}
	if len(b.Metas) > 0 || d.besideOf != nil {
		d.lookBeside(b, i)
	}
	if d.o.Format == FormatJSON && d.cast(b, r, a) {
		return Decoded, nil
	}
	text := b.Text[r.Start:r.End:r.End]
	if d.o.Format == FormatCSV {
		return d.decodeCSV(b, r, text, a)
	}
	if d.scan.record(text) < 0 {
		return Undecodable, d.malformed()
	}
	return d.decode(r, false, a)
}

func (d *Decoder) malformed() error {
	return &DecodeError{Malformed, fmt.Sprintf("malformed JSON at byte %d: %s", d.scan.at, d.scan.fault)}
}

// decode makes an event of the scanned record. own says that the record's text must
// be copied, for it does not outlive this call.
func (d *Decoder) decode(r *RecordRef, own bool, a *Arena) (Outcome, error) {
	d.tail = d.tail[:0]
	members := d.scan.tape
	typeAt, spec := d.head(members)
	var env *envelope
	if spec && d.o.Format == FormatJSON {
		var err error
		if env, err = d.openEnvelope(members); err != nil {
			return Undecodable, err
		}
	}
	if env != nil {
		members = env.data
		typeAt = d.member(members, d.o.TypeField)
	}
	t, err := d.typeOf(members, typeAt, env)
	if err != nil {
		return Undecodable, err
	}
	if t == nil {
		return Undeclared, nil
	}
	if err := d.fill(t, r, members, env, a); err != nil {
		return Undecodable, err
	}
	d.finish(t, r, own, a)
	if env == nil && !own && d.moulds.wants() {
		d.learn(t, members, typeAt)
	}
	return Decoded, nil
}

// finish makes an event of the record at hand. Its place in the arena is written field by
// field: an event that is made first and copied then costs twice as much.
func (d *Decoder) finish(t *layout, r *RecordRef, own bool, a *Arena) {
	if t.marked {
		d.takeMeta(&t.meta)
	}
	e, text := a.next(), d.scan.text
	e.Type, e.Part, e.Raw = t.index, r.Part, uint32(len(text))
	e.Offset, e.Time, e.At, e.ID = r.Offset, d.time, d.time, d.id
	e.Text, e.Slots, e.Side = text, d.slots, nil
	if own || len(d.tail) > 0 {
		e.Text = a.join(text, d.tail)
	}
	if len(t.Keyed) > 0 {
		t.hashKeys(e)
	}
}

// head finds the last member that names the type, and whether there is a sign of
// an envelope.
func (d *Decoder) head(members []member) (typeAt int, spec bool) {
	typeAt = -1
	for i := range members {
		switch d.roleOf(i, &members[i]) {
		case typeRole:
			typeAt = i
		case specRole:
			spec = true
		}
	}
	return typeAt, spec
}

// roleOf returns what the record's i-th key means.
func (d *Decoder) roleOf(i int, m *member) role {
	if m.known {
		return d.scan.order.keys[i].role
	}
	switch string(d.key(m)) {
	case d.o.TypeField:
		return typeRole
	case "specversion":
		return specRole
	}
	return noRole
}

// member returns the place of the last member of that name, -1 where there is none.
func (d *Decoder) member(members []member, name string) int {
	for i := len(members) - 1; i >= 0; i-- {
		if string(d.key(&members[i])) == name {
			return i
		}
	}
	return -1
}

// key returns a member's name; an unescaped one is valid until the next call.
func (d *Decoder) key(m *member) []byte {
	key := d.scan.text[m.key:m.keyEnd]
	if m.keyEsc {
		d.temp = appendUnescaped(d.temp[:0], key)
		return d.temp
	}
	return key
}

// textOf returns a string member's text; an unescaped one is valid until the next
// call.
func (d *Decoder) textOf(m *member) []byte {
	text := d.scan.text[m.val:m.end]
	if m.esc {
		d.temp = appendUnescaped(d.temp[:0], text)
		return d.temp
	}
	return text
}

// typeOf returns the layout of the record's type; nil where it is not declared,
// which is counted.
func (d *Decoder) typeOf(members []member, typeAt int, env *envelope) (*layout, error) {
	if d.o.Type != "" {
		return d.counted(d.declared(d.typeName), d.typeName), nil
	}
	if env != nil && (typeAt < 0 || d.o.TypeField == defaultTypeField) {
		return d.envelopeType(env)
	}
	if typeAt < 0 {
		return nil, &DecodeError{NoType, fmt.Sprintf("no type: field %q is missing", d.o.TypeField)}
	}
	return d.typeIn(&members[typeAt])
}

// typeIn returns the layout of the type that a member names.
func (d *Decoder) typeIn(m *member) (*layout, error) {
	if m.shape != isString {
		return nil, &DecodeError{NoType, fmt.Sprintf("no type: field %q is not a string", d.o.TypeField)}
	}
	name := d.textOf(m)
	return d.counted(d.declared(name), name), nil
}

// declared returns the layout of that name, nil where there is none.
func (d *Decoder) declared(name []byte) *layout {
	if d.last != nil && string(name) == d.last.Schema.Name {
		return d.last
	}
	t := d.byName[string(name)]
	if t != nil {
		d.last = t
	}
	return t
}

// counted counts a type that is not declared.
func (d *Decoder) counted(t *layout, name []byte) *layout {
	if t != nil {
		return t
	}
	i, ok := d.undeclared[string(name)]
	if !ok {
		key := ""
		if len(d.undeclared) < maxUndeclared && len(name) <= maxKey {
			key = string(name)
		}
		if i, ok = d.undeclared[key]; !ok {
			i = len(d.undeclaredN)
			d.undeclared[key] = i
			d.undeclaredN = append(d.undeclaredN, Count{Name: key})
		}
	}
	d.undeclaredN[i].N++
	return nil
}

// Count is a number by name.
type Count struct {
	Name string
	N    uint64
}

// Undeclared returns how many records of which undeclared types were passed over,
// in order of their first; those of long names, and beyond the first hundred
// names, are together under "". The slice is the decoder's and grows with it.
func (d *Decoder) Undeclared() []Count { return d.undeclaredN }

// Mismatch is how often a field was nil in events of a type (an index into the layouts)
// though its declaration does not allow that: missing, null, or of a wrong type.
type Mismatch struct {
	Type   int32
	Slot   int
	N      uint64
	Part   int32 // of the first such event: its partition, as numbered by the source,
	Offset int64 // and its position there
}

// AppendMismatches appends the decoder's mismatches so far, by type and slot. Only
// fields that have a slot are counted.
func (d *Decoder) AppendMismatches(all []Mismatch) []Mismatch {
	for _, t := range d.layouts {
		for i, n := range t.wrong {
			if n > 0 {
				all = append(all, Mismatch{t.index, i, n, t.first[i].part, t.first[i].offset})
			}
		}
	}
	return all
}
