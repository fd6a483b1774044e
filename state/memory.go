package state

import (
	"bytes"
	"context"
	"sort"
	"sync"
	"sync/atomic"
)

// Memory is the store of runs without a state directory. It keeps what was committed
// until the process ends. It is safe for several goroutines, one of which commits.
//
// A table is a sorted slice that is never changed in place: a scan walks the slice that
// was there when it began, while commits make the next one. Rows appended at the end
// and removed at the front, as the outbox does, cost their own number only; any other
// write costs a pass over its table.
type Memory struct {
	commit sync.Mutex
	now    atomic.Pointer[snapshot]
}

type snapshot struct {
	epoch  uint64
	closed bool
	tables [256][]memRow
}

type memRow struct{ key, value []byte }

// NewMemory returns an empty store at epoch 0.
func NewMemory() *Memory {
	m := &Memory{}
	m.now.Store(&snapshot{})
	return m
}

// Durable is false: nothing survives the process, so that the engine need not encode
// key states for it.
func (m *Memory) Durable() bool { return false }

// Epoch returns the number of the last commit.
func (m *Memory) Epoch() uint64 { return m.now.Load().epoch }

// Close gives the memory back. Later calls of other methods return ErrClosed.
func (m *Memory) Close() error {
	m.commit.Lock()
	defer m.commit.Unlock()
	m.now.Store(&snapshot{epoch: m.Epoch(), closed: true})
	return nil
}

// Commit applies b as the next epoch. It fails only on an ended context, a record out
// of bounds, or after Close.
func (m *Memory) Commit(ctx context.Context, b *Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkSizes(b); err != nil {
		return err
	}
	m.commit.Lock()
	defer m.commit.Unlock()
	next := *m.now.Load()
	if next.closed {
		return ErrClosed
	}
	next.epoch++
	for t, ops := range b.byTable() {
		next.tables[t] = apply(next.tables[t], b, ops)
	}
	m.now.Store(&next)
	return nil
}

// Get appends the value of key to into and returns it; false where there is none.
func (m *Memory) Get(t Table, key, into []byte) ([]byte, bool, error) {
	s := m.now.Load()
	if s.closed {
		return into, false, ErrClosed
	}
	rows := s.tables[t]
	i := seek(rows, key)
	if i == len(rows) || !bytes.Equal(rows[i].key, key) {
		return into, false, nil
	}
	return append(into, rows[i].value...), true, nil
}

// Scan calls visit in ascending order of keys for the keys of t that begin with prefix
// and are not below from, as of the last commit before the call. Key and value are
// valid until visit returns and must not be changed. An error of visit ends the scan
// and is returned, except ErrStop.
func (m *Memory) Scan(ctx context.Context, t Table, prefix, from []byte, visit func(key, value []byte) error) error {
	s := m.now.Load()
	if s.closed {
		return ErrClosed
	}
	rows := s.tables[t]
	for _, r := range rows[seek(rows, larger(prefix, from)):] {
		if !bytes.HasPrefix(r.key, prefix) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(r.key, r.value); err != nil {
			return unlessStop(err)
		}
	}
	return nil
}

func seek(rows []memRow, key []byte) int {
	return sort.Search(len(rows), func(i int) bool { return bytes.Compare(rows[i].key, key) >= 0 })
}

func larger(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

func unlessStop(err error) error {
	if err == ErrStop { //nolint:errorlint // the sentinel is a signal, a wrapped one is an error of the visitor
		return nil
	}
	return err
}

// byTable returns the batch's writes by table, each sorted by key.
func (b *Batch) byTable() map[Table][]*op {
	tables := map[Table][]*op{}
	for i := range b.ops {
		t := b.table(&b.ops[i])
		tables[t] = append(tables[t], &b.ops[i])
	}
	for _, ops := range tables {
		sort.Slice(ops, func(i, j int) bool { return bytes.Compare(b.fullKey(ops[i]), b.fullKey(ops[j])) < 0 })
	}
	return tables
}

// apply returns rows with ops done; rows itself stays as it is for those who read it.
func apply(rows []memRow, b *Batch, ops []*op) []memRow {
	rows, ops = trimFront(rows, b, ops)
	if len(ops) == 0 || len(rows) == 0 || bytes.Compare(b.fullKey(ops[0])[1:], rows[len(rows)-1].key) > 0 {
		return appendNew(rows, b, ops)
	}
	merged := make([]memRow, 0, len(rows)+len(ops))
	for _, o := range ops {
		key := b.fullKey(o)[1:]
		n := seek(rows, key)
		merged = append(merged, rows[:n]...)
		rows = rows[n:]
		if len(rows) > 0 && bytes.Equal(rows[0].key, key) {
			rows = rows[1:]
		}
		merged = appendNew(merged, b, []*op{o})
	}
	return append(merged, rows...)
}

// trimFront drops the rows at the front that ops delete, and those ops.
func trimFront(rows []memRow, b *Batch, ops []*op) ([]memRow, []*op) {
	for len(ops) > 0 && len(rows) > 0 && ops[0].deleted && bytes.Equal(b.fullKey(ops[0])[1:], rows[0].key) {
		rows, ops = rows[1:], ops[1:]
	}
	return rows, ops
}

// appendNew appends the rows that ops put, all of them above the last row. Where it
// writes behind the end of rows, no reader looks: there is one writer, and a table
// never shrinks at its end but by being made anew.
func appendNew(rows []memRow, b *Batch, ops []*op) []memRow {
	left := 0
	for _, o := range ops {
		left += o.size
	}
	var block []byte // of several rows: it lives as long as the last of them
	for _, o := range ops {
		left -= o.size
		if o.deleted {
			continue
		}
		if cap(block)-len(block) < o.size {
			block = make([]byte, 0, o.size+min(left, rowBlock))
		}
		key, value := b.fullKey(o)[1:], b.value(o)
		at, mid := len(block), len(block)+len(key)
		block = append(append(block, key...), value...)
		rows = append(rows, memRow{block[at:mid:mid], block[mid:len(block):len(block)]})
	}
	return rows
}

// rowBlock is how much memory rows of one commit share, in bytes.
const rowBlock = 16 << 10
