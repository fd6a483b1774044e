package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// eventCodec keeps events in records as what they came from, the record's JSON, with
// the name of their type; they are decoded anew when read. So a state outlives changes
// of which fields the rules read.
type eventCodec struct {
	set      *plan.Set
	decoders map[string]*event.Decoder
	batch    event.Batch
	arena    event.Arena
}

func newEventCodec(set *plan.Set) *eventCodec {
	return &eventCodec{set: set, decoders: map[string]*event.Decoder{}}
}

// appendEvent appends an event: type, partition, offset, times, the identity where the
// record does not say it (a rule made the event), record.
func appendEvent(b []byte, set *plan.Set, ev *event.Event) []byte {
	name := set.Types[ev.Type].Schema.Name
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = binary.AppendUvarint(b, uint64(ev.Part))
	b = binary.AppendVarint(b, ev.Offset)
	b = binary.AppendVarint(b, ev.Time)
	b = binary.AppendVarint(b, ev.At-ev.Time)
	var id []byte
	if ev.ID != 0 && set.Types[ev.Type].Schema.IDField == "" {
		id = ev.ID.Bytes(ev.Text)
	}
	b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	return append(b, ev.JSON()...)
}

// AppendEvent implements [machine.EventCodec].
func (c *eventCodec) AppendEvent(b []byte, ev *event.Event) []byte { return appendEvent(b, c.set, ev) }

var errEvent = errors.New("damaged event")

// ReadEvent implements [machine.EventCodec].
func (c *eventCodec) ReadEvent(b []byte) (*event.Event, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, errEvent
	}
	name := string(b[used : used+int(n)])
	b = b[used+int(n):]
	part, used := binary.Uvarint(b)
	if used <= 0 || part > 1<<30 {
		return nil, errEvent
	}
	b = b[used:]
	var numbers [3]int64
	for i := range numbers {
		v, used := binary.Varint(b)
		if used <= 0 {
			return nil, errEvent
		}
		numbers[i], b = v, b[used:]
	}
	n, used = binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, errEvent
	}
	id, b := b[used:used+int(n)], b[used+int(n):]
	ev, err := c.decode(name, numbers[0], numbers[1], b)
	if err != nil {
		return nil, err
	}
	if n > 0 && ev.ID == 0 {
		ev.ID = event.MakeRef(len(ev.Text), len(id))
		ev.Text = slices.Concat(ev.Text, id)
	}
	ev.Part, ev.Time, ev.At = int32(part), numbers[1], numbers[1]+numbers[2]
	return ev, nil
}

// decode decodes a record that is known to be of a type. The event is valid until the
// next call.
func (c *eventCodec) decode(name string, offset, time int64, record []byte) (*event.Event, error) {
	c.batch.Reset()
	c.arena.Reset()
	c.batch.Add(0, offset, time, record)
	if _, err := c.decoder(name).Decode(&c.batch, 0, &c.arena); err != nil {
		return nil, fmt.Errorf("%w of type %s: %w", errEvent, name, err)
	}
	if len(c.arena.Events) == 0 {
		return nil, fmt.Errorf("%w: no rule file declares its type %s any more", errEvent, name)
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
