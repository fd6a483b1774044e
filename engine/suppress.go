package engine

import (
	"encoding/binary"
	"fmt"

	"github.com/cepheus-cep/cepheus/event"
)

// silence is what `suppress` remembers of one rule and key (or expression): until when
// alerts are only counted, and how many were.
type silence struct {
	until   int64
	counted uint64
}

// silences applies `suppress` to alerts in their order.
type silences struct {
	by      map[string]*silence // rule number and name, then key
	changed map[string]struct{} // since the last save; nil: not noted
}

// name of an effect's silence: the rule's name, then the key or the expression's values.
func silenceKey(b []byte, rule string, c *effect) []byte {
	b = binary.AppendUvarint(b, uint64(len(rule)))
	b = append(b, rule...)
	if len(c.SuppressBy) == 0 {
		return append(b, c.key...)
	}
	for _, v := range c.SuppressBy {
		b = event.AppendKey(b, v)
	}
	return b
}

// pass reports whether an alert is to be sent, and how many before it were not.
func (s *silences) pass(key []byte, time, span int64) (suppressed uint64, send bool) {
	if s.changed != nil {
		s.changed[string(key)] = struct{}{}
	}
	q := s.by[string(key)]
	if q == nil {
		q = &silence{}
		s.by[string(key)] = q
	} else if time < q.until {
		q.counted++
		return 0, false
	}
	suppressed = q.counted
	*q = silence{until: laterThan(time, span)}
	return suppressed, true
}

// forget drops the silences that are over and have nothing to tell.
func (s *silences) forget(watermark int64) {
	for key, q := range s.by {
		if q.until <= watermark && q.counted == 0 {
			delete(s.by, key)
			if s.changed != nil {
				s.changed[key] = struct{}{}
			}
		}
	}
}

// append encodes a silence.
func (q *silence) append(b []byte) []byte {
	b = binary.AppendVarint(b, q.until)
	return binary.AppendUvarint(b, q.counted)
}

func decodeSilence(b []byte) (*silence, error) {
	until, n := binary.Varint(b)
	if n <= 0 {
		return nil, fmt.Errorf("silence of %d bytes: no end", len(b))
	}
	counted, m := binary.Uvarint(b[n:])
	if m <= 0 || n+m != len(b) {
		return nil, fmt.Errorf("silence of %d bytes: no count", len(b))
	}
	return &silence{until: until, counted: counted}, nil
}

// laterThan adds a span to a time; past the end of time it is the end.
func laterThan(t, span int64) int64 {
	if t > endOfTime-span {
		return endOfTime
	}
	return t + span
}
