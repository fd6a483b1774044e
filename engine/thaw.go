package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// eventCodec keeps events in records as what they came from, the record's JSON, with
// the name of their type; they are decoded anew when read. So a state outlives changes
// of which fields the rules read. The JSON is written as values in a shape.
type eventCodec struct {
	set      *plan.Set
	shapes   *shapes
	decoders map[string]*event.Decoder
	batch    event.Batch
	arena    event.Arena
	last     []*shape // by type: of the last event written
	marked   []bool   // by type: its events keep what was beside their records
	headers  []byte
	own      taken // of the event at hand
	before   taken // of the one before it in the record
	scratch  pieces
	text     []byte
	shown    event.Event // that ReadShown gave
}

// taken is an event's record, copied, and its values in a shape.
type taken struct {
	json   []byte
	shape  *shape // nil: it has none
	values [][]byte
}

func newEventCodec(set *plan.Set, s *shapes) *eventCodec {
	c := &eventCodec{set: set, shapes: s, decoders: map[string]*event.Decoder{}, last: make([]*shape, len(set.Types))}
	for _, t := range set.Types {
		c.marked = append(c.marked, t.Layout.ReadsMeta())
	}
	return c
}

// What the head of an event says beside the number of its shape, 0 for none.
const (
	lateEvent   = 1 << iota // it counts at another time than its own, which follows
	namedEvent              // it has an identity that its record does not say, which follows
	headOfShape = iota      // bits below the number
)

// markedHead stands before the head of an event that has a key or headers, which are
// between the two: no shape has such a number.
const markedHead = 1 << 32 << headOfShape

// AppendEvent implements [machine.EventCodec]: what was beside the record where a rule reads
// it, head, the type's name where there is no shape, partition, offset, time, what the head
// says, then the values or the record.
func (c *eventCodec) AppendEvent(b []byte, ev, after *event.Event, base int64) []byte {
	typ := &c.set.Types[ev.Type].Schema
	if c.marked[ev.Type] && len(ev.Slots) > 0 { // what alerts show has none
		b = c.appendMeta(b, ev)
	}
	c.own, c.before = c.before, c.own
	sh := c.take(ev, typ.Name)
	id := madeID(ev, typ)
	b = binary.AppendUvarint(b, headOf(sh, ev, id))
	if sh == nil {
		b = append(binary.AppendUvarint(b, uint64(len(typ.Name))), typ.Name...)
	}
	b = binary.AppendUvarint(b, uint64(ev.Part))
	b = binary.AppendVarint(b, ev.Offset-offsetAfter(after, ev.Part))
	b = event.AppendSpan(b, ev.Time, base)
	if ev.At != ev.Time {
		b = event.AppendSpan(b, ev.At, ev.Time)
	}
	if len(id) > 0 {
		b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	}
	if sh == nil {
		return append(b, ev.JSON()...)
	}
	before := c.valuesBefore(sh, after)
	for i, v := range c.own.values {
		var was []byte
		if before != nil {
			was = before[i]
		}
		b = appendValue(b, v, was)
	}
	return b
}

// appendMeta writes an event's key, one longer so that there may be none, and headers.
func (c *eventCodec) appendMeta(b []byte, ev *event.Event) []byte {
	key, headers := ev.MetaOf(&c.set.Types[ev.Type].Layout, c.headers)
	c.headers = headers
	if key == nil && len(headers) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, markedHead)
	if key == nil {
		b = append(b, 0)
	} else {
		b = append(binary.AppendUvarint(b, uint64(len(key))+1), key...)
	}
	return append(binary.AppendUvarint(b, uint64(len(headers))), headers...)
}

// beside is what was beside a record: see [event.RecordMeta].
type beside struct{ key, headers []byte }

// readMeta reads what appendMeta wrote; the texts are part of what is read.
func readMeta(r *stepReader) (m beside) {
	if n := r.uvarint(); n > 0 {
		m.key = r.bytes(n - 1)
	}
	m.headers = r.bytes(r.uvarint())
	return m
}

// take takes an event's record apart and returns its shape, nil where it has none. Most
// events have the shape of the last one of their type.
func (c *eventCodec) take(ev *event.Event, typ string) *shape {
	c.own.json = append(c.own.json[:0], ev.JSON()...)
	if sh := c.last[ev.Type]; sh != nil && c.own.fits(sh) {
		return sh
	}
	c.own.shape = nil
	if !c.scratch.take(c.own.json, typ) {
		return nil
	}
	sh := c.shapes.of(typ, c.scratch.text)
	if sh != nil && c.own.splitBy(sh, &c.scratch) {
		c.last[ev.Type] = sh
	}
	return c.own.shape
}

// fits takes the record apart by a shape if it is of it, as far as that is seen at once.
func (t *taken) fits(sh *shape) (ok bool) {
	t.shape = nil
	if t.values, ok = sh.split(t.values[:0], t.json); ok {
		t.shape = sh
	}
	return ok
}

// splitBy takes the record apart by a shape. Its values follow from both alone, so that who
// reads the record has the same.
func (t *taken) splitBy(sh *shape, scratch *pieces) bool {
	if t.fits(sh) {
		return true
	}
	if !scratch.take(t.json, sh.typ) || string(scratch.text) != sh.text {
		return false
	}
	t.values = append(t.values[:0], scratch.values...)
	t.shape = sh
	return true
}

// madeID is the identity of an event that a rule made: its record does not say it.
func madeID(ev *event.Event, typ *event.Schema) []byte {
	if ev.ID == 0 || typ.IDField != "" {
		return nil
	}
	return ev.ID.Bytes(ev.Text)
}

func headOf(sh *shape, ev *event.Event, id []byte) (head uint64) {
	if sh != nil {
		head = sh.number << headOfShape
	}
	if ev.At != ev.Time {
		head |= lateEvent
	}
	if len(id) > 0 {
		head |= namedEvent
	}
	return head
}

// offsetAfter is the offset of the event before where it is of the same partition, else 0.
func offsetAfter(after *event.Event, part int32) int64 {
	if after == nil || after.Part != part {
		return 0
	}
	return after.Offset
}

// valuesBefore are the values of the event before where it has the same shape, else nil.
// Mostly it is the one written last, and has been taken apart.
func (c *eventCodec) valuesBefore(sh *shape, after *event.Event) [][]byte {
	if after == nil {
		return nil
	}
	if c.before.shape != sh || !bytes.Equal(c.before.json, after.JSON()) {
		c.before.json = append(c.before.json[:0], after.JSON()...)
		if !c.before.splitBy(sh, &c.scratch) {
			return nil
		}
	}
	return c.before.values
}

var errEvent = errors.New("damaged event")

// written is an event as it stands in a record.
type written struct {
	typ      string // name of the type
	part     int32
	offset   int64
	time, at int64
	id       string // where the record does not say it
	record   []byte
	beside   beside
}

// read reads what AppendEvent wrote. It is valid until the next call.
func (c *eventCodec) read(b []byte, after *event.Event, base int64) (w written, err error) {
	r := stepReader{b: b}
	head := r.uvarint()
	if head == markedHead {
		w.beside = readMeta(&r)
		head = r.uvarint()
	}
	sh := (*shape)(nil)
	if n := head >> headOfShape; n == 0 {
		w.typ = r.text()
	} else if sh = c.shapes.numbered(n); sh != nil {
		w.typ = sh.typ
	} else {
		return w, fmt.Errorf("%w: of shape %d", errEvent, n)
	}
	part := r.uvarint()
	w.part = int32(part)
	w.offset = r.varint() + offsetAfter(after, w.part)
	w.time = r.span(base)
	w.at = w.time
	if head&lateEvent != 0 {
		w.at = r.span(w.time)
	}
	if head&namedEvent != 0 {
		w.id = r.text()
	}
	if r.bad || part > 1<<30 {
		return w, errEvent
	}
	var ok bool
	if w.record, ok = c.record(r.b, sh, after); !ok {
		return w, fmt.Errorf("%w: its values", errEvent)
	}
	return w, nil
}

// ReadEvent implements [machine.EventCodec].
func (c *eventCodec) ReadEvent(b []byte, after *event.Event, base int64) (*event.Event, error) {
	w, err := c.read(b, after, base)
	if err != nil {
		return nil, err
	}
	ev, err := c.decode(w.typ, w.offset, w.time, w.record, w.beside)
	if err != nil {
		return nil, err
	}
	if w.id != "" && ev.ID == 0 {
		ev.ID = event.MakeRef(len(ev.Text), len(w.id))
		ev.Text = slices.Concat(ev.Text, []byte(w.id))
	}
	ev.Part, ev.Time, ev.At = w.part, w.time, w.at
	return ev, nil
}

// ReadShown implements [machine.EventCodec]: nothing of the record need be decoded.
func (c *eventCodec) ReadShown(b []byte, after *event.Event, base int64) (*event.Event, error) {
	w, err := c.read(b, after, base)
	if err != nil {
		return nil, err
	}
	typ := slices.IndexFunc(c.set.Types, func(t *plan.Type) bool { return t.Schema.Name == w.typ })
	if typ < 0 {
		return nil, undeclared(w.typ)
	}
	c.shown = event.Event{
		Type: int32(typ), Part: w.part, Offset: w.offset, Time: w.time, At: w.at,
		Raw: uint32(len(w.record)), Text: w.record,
	}
	return &c.shown, nil
}

func undeclared(typ string) error {
	return fmt.Errorf("%w: no rule file declares its type %s any more", errEvent, typ)
}

// record is an event's record: as it stands in b, or the values there put into a shape.
func (c *eventCodec) record(b []byte, sh *shape, after *event.Event) (record []byte, ok bool) {
	if sh == nil {
		return b, true
	}
	c.text, ok = sh.fill(c.text[:0], b, c.valuesBefore(sh, after))
	return c.text, ok
}

// decode decodes a record that is known to be of a type. The event is valid until the
// next call.
func (c *eventCodec) decode(name string, offset, time int64, record []byte, meta beside) (*event.Event, error) {
	c.batch.Reset()
	c.arena.Reset()
	c.batch.Add(0, offset, time, record)
	c.batch.AddMeta(meta.key, meta.headers)
	if _, err := c.decoder(name).Decode(&c.batch, 0, &c.arena); err != nil {
		return nil, fmt.Errorf("%w of type %s: %w", errEvent, name, err)
	}
	if len(c.arena.Events) == 0 {
		return nil, undeclared(name)
	}
	return &c.arena.Events[0], nil
}

// decoder decodes records that are known to be of a type.
func (c *eventCodec) decoder(name string) *event.Decoder {
	d := c.decoders[name]
	if d == nil {
		layouts := make([]*event.Layout, len(c.set.Types))
		for i, t := range c.set.Types {
			layouts[i] = &t.Layout
		}
		d = event.NewDecoder(layouts, event.Options{Type: name})
		c.decoders[name] = d
	}
	return d
}
