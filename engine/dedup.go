package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// marks remember, for `dedup`, which ids of one type have come in one partition: the
// time that the partition had reached once an event was taken, until that time and the
// span have passed. Ids are exact: a long one is known by its SHA-256. An event is
// looked for before it moves time, and remembered only if it was taken: what went to
// the dead letters may be sent again. A copy does not prolong the mark of the first.
//
// Marks are numbered in the order in which they came, which is also that in which they
// are forgotten: [first, first+len) are remembered. Beyond the limit the oldest goes.
type marks struct {
	span   int64
	limit  int
	ids    keyTable[struct{}]
	list   []mark // list[head] is mark number first
	head   int
	first  uint64
	key    []byte // scratch
	hash   uint64 // of key
	early  uint64 // marks forgotten for the limit's sake
	stored [2]uint64
}

// mark is one id: when it came, and its number in marks.ids.
type mark struct {
	at int64
	id int32
}

func newMarks(span int64, limit int) *marks { return &marks{span: span, limit: limit} }

func (m *marks) len() int { return len(m.list) - m.head }

// next is the number of the next mark.
func (m *marks) next() uint64 { return m.first + uint64(m.len()) }

// longID is the length above which an id is known by its hash.
const longID = 64

// look makes an id the one at hand. A hash begins with a byte that no UTF-8 text has.
func (m *marks) look(id []byte) {
	if len(id) > longID {
		sum := sha256.Sum256(id)
		m.key = append(append(m.key[:0], 0xff), sum[:]...)
	} else {
		m.key = append(m.key[:0], id...)
	}
	m.hash = event.Hash(m.key)
}

// has reports whether an id came less than the span before a time.
func (m *marks) has(id []byte, now int64) bool {
	m.forget(now)
	m.look(id)
	return m.isKnown()
}

// isKnown reports whether the id at hand is remembered.
func (m *marks) isKnown() bool {
	id, _ := m.ids.find(m.hash, m.key)
	return id >= 0
}

// add remembers the id that has was last asked about, and was not there.
func (m *marks) add(now int64) {
	m.forget(now)
	for m.len() >= m.limit {
		m.drop()
		m.early++
	}
	m.list = append(m.list, mark{at: now, id: m.ids.add(m.hash, m.key)})
}

// forget drops the marks whose span has passed.
func (m *marks) forget(now int64) {
	for m.len() > 0 && laterThan(m.list[m.head].at, m.span) <= now {
		m.drop()
	}
}

// drop forgets the oldest mark. The list moves to the front when half of it is gone.
func (m *marks) drop() {
	m.ids.remove(m.list[m.head].id)
	m.head++
	m.first++
	if 2*m.head >= len(m.list) {
		m.list = m.list[:copy(m.list, m.list[m.head:])]
		m.head = 0
	}
}

// isCopy reports whether an event is of an id that came before, and counts it.
func (e *Engine) isCopy(p *partition, ev *event.Event) bool {
	m := p.marksOf(ev)
	if m == nil || !m.has(ev.ID.Bytes(ev.Text), e.merge.clock(p)) {
		return false
	}
	e.stats.Copies++
	return true
}

// remember marks the id of an event that isCopy was just asked about and that is taken.
func (e *Engine) remember(p *partition, ev *event.Event) {
	if m := p.marksOf(ev); m != nil {
		early := m.early
		m.add(e.merge.clock(p))
		e.stats.MarksDropped += m.early - early
	}
}

// marksOf returns what remembers the ids of an event's type, nil where nothing does.
func (p *partition) marksOf(ev *event.Event) *marks {
	if p.marks == nil || ev.ID == 0 {
		return nil
	}
	return p.marks[ev.Type]
}

// addMarks makes the partition's marks, of the types that have `dedup`.
func (e *Engine) addMarks(p *partition) {
	for i, t := range e.o.Set.Types {
		if t.Schema.Dedup == 0 {
			continue
		}
		if p.marks == nil {
			p.marks = make([]*marks, len(e.o.Set.Types))
		}
		p.marks[i] = newMarks(t.Schema.Dedup, e.o.Marks)
	}
}

// saveMarks puts what changed since the last save into the batch.
//
//	TableDedup  partition name, type name, number of the mark → its time, its id
func (e *Engine) saveMarks(p *partition) {
	for i, m := range p.marks {
		if m == nil {
			continue
		}
		m.forget(e.merge.clock(p))
		key := marksKey(p, e.o.Set.Types[i].Schema.Name)
		for n := m.stored[0]; n < min(m.first, m.stored[1]); n++ {
			e.commits.batch().Delete(state.TableDedup, binary.BigEndian.AppendUint64(key, n))
		}
		for n := max(m.first, m.stored[1]); n < m.next(); n++ {
			q := m.list[m.head+int(n-m.first)]
			e.row = event.AppendSpan(e.row[:0], q.at, 0)
			e.row = append(e.row, m.ids.key(q.id)...)
			e.commits.batch().Put(state.TableDedup, binary.BigEndian.AppendUint64(key, n), e.row)
		}
		m.stored = [2]uint64{m.first, m.next()}
	}
}

func marksKey(p *partition, typ string) []byte {
	return keyPrefix(keyPrefix(nil, string(p.AppendName(nil))), typ)
}

// restoreMarks takes back a partition's marks. Those of types that have no `dedup` any
// more are dropped with the next epoch.
func (e *Engine) restoreMarks(ctx context.Context, p *partition) error {
	prefix := keyPrefix(nil, string(p.AppendName(nil)))
	byName := map[string]*marks{}
	for i, m := range p.marks {
		byName[e.o.Set.Types[i].Schema.Name] = m
	}
	return e.store.Scan(ctx, state.TableDedup, prefix, nil, func(key, value []byte) error {
		typ, number, ok := cutMarkKey(key[len(prefix):])
		if !ok {
			return fmt.Errorf("%w: dedup mark of %s", errState, p.Source)
		}
		m := byName[typ]
		if m == nil {
			e.obsolete = append(e.obsolete, row{state.TableDedup, string(key)})
			return nil
		}
		if !m.load(number, value) {
			return fmt.Errorf("%w: dedup mark %d of %s in %s", errState, number, typ, p.Source)
		}
		return nil
	})
}

func cutMarkKey(b []byte) (typ string, number uint64, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || uint64(len(b)-used) != n+8 {
		return "", 0, false
	}
	b = b[used:]
	return string(b[:n]), binary.BigEndian.Uint64(b[n:]), true
}

// load takes back the next mark that was saved; false where it makes no sense. A limit
// that is lower now is heeded: as many of the oldest are forgotten.
func (m *marks) load(number uint64, value []byte) bool {
	at, used := event.ReadSpan(value, 0)
	if used <= 0 {
		return false
	}
	if m.len() == 0 && m.stored[1] == 0 {
		m.first, m.stored[0] = number, number
	}
	m.key = append(m.key[:0], value[used:]...)
	m.hash = event.Hash(m.key)
	if number != m.next() || m.isKnown() {
		return false
	}
	for m.len() >= m.limit {
		m.drop()
		m.early++
	}
	m.list = append(m.list, mark{at: at, id: m.ids.add(m.hash, m.key)})
	m.stored[1] = number + 1
	return true
}
