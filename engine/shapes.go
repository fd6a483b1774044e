package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/cepheus-cep/cepheus/state"
)

// Events of a type look alike: the same fields in the same order, with other values. What
// they have in common, the shape, is stored once, in TableMeta, and a record has its number
// and the values. A shape holds no value of an event but its type's name, so that nothing
// of what an event said outlives the event.

// shape is a record's JSON without its strings (but names of fields) and its numbers and
// words, for each of which it has the byte hole.
type shape struct {
	number uint64
	typ    string // name of the type
	text   string
	parts  []string // text, cut at its holes
}

func newShape(number uint64, typ, text string) *shape {
	return &shape{number: number, typ: typ, text: text, parts: strings.Split(text, string(rune(hole)))}
}

// split appends to values what stands in JSON where the shape has its holes; ok is false
// where JSON is not of the shape. It looks for no more than the byte behind each hole.
func (sh *shape) split(values [][]byte, json []byte) (all [][]byte, ok bool) {
	last := len(sh.parts) - 1
	for i, part := range sh.parts {
		if len(json) < len(part) || string(json[:len(part)]) != part {
			return values, false
		}
		json = json[len(part):]
		if i == last {
			break
		}
		end := len(json)
		if next := sh.parts[i+1]; next != "" {
			end = bytes.IndexByte(json, next[0])
		} else if i+1 != last {
			return values, false
		}
		if end < 0 || bytes.IndexByte(json[:end], '\\') >= 0 {
			return values, false
		}
		values, json = append(values, json[:end]), json[end:]
	}
	return values, len(json) == 0
}

// hole stands for a value. No JSON has it: a record that does has no shape.
const hole = 0

// Bounds of what the store keeps of shapes. What goes beyond them is written as it is.
const (
	maxShape      = 1 << 10 // bytes
	shapesPerType = 32
)

// shapes are those of a store, by number from 1 and by type and text. They only grow. All
// shards write and read records by them: they are safe for several goroutines.
type shapes struct {
	sync.RWMutex
	list   []*shape
	byType map[string]map[string]*shape
	saved  int // of list
}

func newShapes() *shapes { return &shapes{byType: map[string]map[string]*shape{}} }

// of returns the shape of a text of a type, a new one where there is room, nil where there
// is none.
func (s *shapes) of(typ string, text []byte) *shape {
	s.RLock()
	known, full := s.byType[typ][string(text)], len(s.byType[typ]) >= shapesPerType
	s.RUnlock()
	if known != nil || full || len(text) > maxShape {
		return known
	}
	s.Lock()
	defer s.Unlock()
	if known := s.byType[typ][string(text)]; known != nil || len(s.byType[typ]) >= shapesPerType {
		return known
	}
	return s.add(newShape(uint64(len(s.list)+1), typ, string(text)))
}

func (s *shapes) add(sh *shape) *shape {
	s.list = append(s.list, sh)
	if s.byType[sh.typ] == nil {
		s.byType[sh.typ] = map[string]*shape{}
	}
	s.byType[sh.typ][sh.text] = sh
	return sh
}

// numbered returns the shape of a number, nil where there is none.
func (s *shapes) numbered(n uint64) *shape {
	s.RLock()
	defer s.RUnlock()
	if n == 0 || n > uint64(len(s.list)) {
		return nil
	}
	return s.list[n-1]
}

// metaShape begins the names of the records of TableMeta that hold shapes: the number
// follows, 8 bytes, the most significant first.
const metaShape = "shape."

// save puts the shapes that are new into a batch, which must hold, or come after the one
// that holds, no record that needs them.
//
//	TableMeta  "shape.", number → length of the type's name, name, text
func (s *shapes) save(b *state.Batch) {
	s.Lock()
	defer s.Unlock()
	for ; s.saved < len(s.list); s.saved++ {
		sh := s.list[s.saved]
		key := binary.BigEndian.AppendUint64([]byte(metaShape), sh.number)
		b.Put(state.TableMeta, key, append(keyPrefix(nil, sh.typ), sh.text...))
	}
}

// restore reads the shapes of a store.
func (s *shapes) restore(ctx context.Context, from Store) error {
	return from.Scan(ctx, state.TableMeta, []byte(metaShape), nil, func(key, value []byte) error {
		n, used := binary.Uvarint(value)
		if used <= 0 || n > uint64(len(value)-used) || len(key) != len(metaShape)+8 ||
			binary.BigEndian.Uint64(key[len(metaShape):]) != uint64(len(s.list)+1) {
			return fmt.Errorf("%w: shape %d of events", errState, len(s.list)+1)
		}
		typ, text := value[used:used+int(n)], value[used+int(n):]
		s.add(newShape(uint64(len(s.list)+1), string(typ), string(text)))
		s.saved = len(s.list)
		return nil
	})
}
