package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// silence is what `suppress` remembers of one key (or expression) of a rule: until when
// alerts are only counted, and how many were.
type silence struct {
	key        string
	number     uint64 // silences are numbered in the order in which they began
	until      int64
	counted    uint64
	prev, next *silence
}

// silences applies `suppress` to the alerts of one rule in their order. They are a ring
// in order of number; since the alerts of a rule come in order of time, that is also the
// order in which they end.
//
// A silence that is over and has counted nothing is forgotten. One that has counted
// something waits for the next alert of its key, which tells it, and that may never
// come: so there is a limit, and beyond it the silence that began first goes, one that
// is over before any that is not. What is forgotten follows from the alerts of the rule
// alone, and so does what is sent: not from where epochs end, nor from other rules.
type silences struct {
	span    int64
	limit   int
	by      map[string]*silence
	root    silence  // of the ring: its next is the one that began first
	open    *silence // the first that is not over, as far as forget has looked; &root: none
	begun   uint64   // number of the next
	dropped uint64   // forgotten for the limit's sake
	changed map[string]struct{}
}

// newSilences makes those of a rule; noted says that changes are to be noted for save.
func newSilences(span int64, limit int, noted bool) *silences {
	s := &silences{span: span, limit: limit, by: map[string]*silence{}}
	s.root.prev, s.root.next, s.open = &s.root, &s.root, &s.root
	if noted {
		s.changed = map[string]struct{}{}
	}
	return s
}

// silenceKey is what tells the silences of a rule apart, in the memory of b: the key, or
// the values of the expressions of `by`, as the store knows it.
func silenceKey(b []byte, c *effect) []byte {
	if len(c.SuppressBy) == 0 {
		return appendStored(b[:0], c.key)
	}
	b = b[:0]
	for _, v := range c.SuppressBy {
		b = event.AppendKey(b, v)
	}
	if len(b) > longStored {
		return appendStored(nil, b)
	}
	return b
}

// pass reports whether an alert is to be sent, and how many before it were not.
func (s *silences) pass(key []byte, time int64) (suppressed uint64, send bool) {
	s.forget(time)
	q := s.by[string(key)]
	switch {
	case q == nil:
		s.makeRoom()
		q = &silence{key: string(key)}
		s.by[q.key] = q
	case time < q.until:
		q.counted++
		s.note(q)
		return 0, false
	default:
		suppressed = q.counted
		s.unlink(q)
	}
	q.until, q.counted, q.number = laterThan(time, s.span), 0, s.begun
	s.begun++
	s.append(q)
	s.note(q)
	return suppressed, true
}

// forget drops the silences that are over and have nothing to tell.
func (s *silences) forget(now int64) {
	for s.open != &s.root && s.open.until <= now {
		q := s.open
		s.open = q.next
		if q.counted == 0 {
			s.remove(q)
		}
	}
}

// makeRoom drops the oldest silence if there are as many as may be.
func (s *silences) makeRoom() {
	for len(s.by) >= s.limit && len(s.by) > 0 {
		s.remove(s.root.next)
		s.dropped++
	}
}

// append makes q the last of the ring.
func (s *silences) append(q *silence) {
	q.prev, q.next = s.root.prev, &s.root
	q.prev.next, q.next.prev = q, q
	if s.open == &s.root {
		s.open = q
	}
}

// unlink takes q out of the ring.
func (s *silences) unlink(q *silence) {
	if s.open == q {
		s.open = q.next
	}
	q.prev.next, q.next.prev = q.next, q.prev
	q.prev, q.next = nil, nil
}

func (s *silences) remove(q *silence) {
	s.unlink(q)
	delete(s.by, q.key)
	s.note(q)
}

func (s *silences) note(q *silence) {
	if s.changed != nil {
		s.changed[q.key] = struct{}{}
	}
}

// addSilences makes the silences of the rules that have `suppress`.
func (e *Engine) addSilences() {
	e.silences = make([]*silences, len(e.rules))
	for i := range e.rules {
		if span := e.rules[i].rule.Suppress; span > 0 {
			e.silences[i] = newSilences(span, e.o.Silences, e.store.Durable())
		}
	}
}

// forgetSilences drops those that are over at a watermark and have nothing to tell.
func (e *Engine) forgetSilences(watermark int64) {
	for _, s := range e.silences {
		if s != nil {
			s.forget(watermark)
		}
	}
}

// saveSilences puts what changed since the last save into the batch.
//
//	TableSilences  rule name, key (see silenceKey) → until, count, number
func (e *Engine) saveSilences() {
	for i, s := range e.silences {
		if s == nil {
			continue
		}
		prefix := keyPrefix(nil, e.rules[i].rule.Name)
		for key := range s.changed {
			e.row = append(append(e.row[:0], prefix...), key...)
			if q := s.by[key]; q != nil {
				e.commits.batch().Put(state.TableSilences, e.row, q.encode(nil))
			} else {
				e.commits.batch().Delete(state.TableSilences, e.row)
			}
		}
		clear(s.changed)
	}
}

// restoreSilences takes the silences back, in the order in which they began. Those of
// rules that are gone, or suppress nothing any more, are dropped with the next epoch.
func (e *Engine) restoreSilences(ctx context.Context) error {
	for i, s := range e.silences {
		if s == nil {
			continue
		}
		if err := e.restoreSilencesOf(ctx, e.rules[i].rule.Name, s); err != nil {
			return err
		}
	}
	return e.store.Scan(ctx, state.TableSilences, nil, nil, func(key, _ []byte) error {
		if !e.ownsSilence(key) {
			e.obsolete = append(e.obsolete, row{state.TableSilences, string(key)})
		}
		return nil
	})
}

// ownsSilence reports whether a record is of a rule that has silences.
func (e *Engine) ownsSilence(key []byte) bool {
	n, used := binary.Uvarint(key)
	if used <= 0 || n > uint64(len(key)-used) {
		return false
	}
	name := string(key[used : used+int(n)])
	i := slices.IndexFunc(e.rules, func(c compiled) bool { return c.rule.Name == name })
	return i >= 0 && e.silences[i] != nil
}

// restoreSilencesOf takes back those of one rule. A limit that is lower now is heeded.
func (e *Engine) restoreSilencesOf(ctx context.Context, rule string, s *silences) error {
	prefix := keyPrefix(nil, rule)
	var list []*silence
	err := e.store.Scan(ctx, state.TableSilences, prefix, nil, func(key, value []byte) error {
		q, err := decodeSilence(value)
		if err != nil {
			return fmt.Errorf("%w: rule %s, key %s: %w", errState, rule, keyInError(key[len(prefix):]), err)
		}
		q.key = string(key[len(prefix):])
		list = append(list, q)
		return nil
	})
	if err != nil {
		return err
	}
	s.take(list)
	return nil
}

// take puts silences that were stored back into their order.
func (s *silences) take(list []*silence) {
	slices.SortFunc(list, func(a, b *silence) int { return cmp.Compare(a.number, b.number) })
	for _, q := range list {
		s.makeRoom()
		s.by[q.key] = q
		s.append(q)
		s.begun = q.number + 1
	}
}

// encode appends the record of a silence.
func (q *silence) encode(b []byte) []byte {
	b = event.AppendSpan(b, q.until, 0)
	b = binary.AppendUvarint(b, q.counted)
	return binary.AppendUvarint(b, q.number)
}

func decodeSilence(b []byte) (*silence, error) {
	until, n := event.ReadSpan(b, 0)
	if n <= 0 {
		return nil, fmt.Errorf("silence of %d bytes: no end", len(b))
	}
	counted, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return nil, fmt.Errorf("silence of %d bytes: no count", len(b))
	}
	number, l := binary.Uvarint(b[n+m:])
	if l <= 0 || n+m+l != len(b) {
		return nil, fmt.Errorf("silence of %d bytes: no number", len(b))
	}
	return &silence{until: until, counted: counted, number: number}, nil
}

// laterThan adds a span to a time; past the end of time it is the end.
func laterThan(t, span int64) int64 {
	if t > endOfTime-span {
		return endOfTime
	}
	return t + span
}
