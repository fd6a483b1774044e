package engine

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// plainMarks is the twin of marks: all that came, searched.
type plainMarks struct {
	span  int64
	limit int
	ids   []string
	at    []int64
	early int
}

func (p *plainMarks) has(id string, now int64) bool {
	for i := range p.ids {
		if p.ids[i] == id && now-p.at[i] < p.span {
			return true
		}
	}
	return false
}

func (p *plainMarks) add(id string, now int64) {
	for len(p.ids) > 0 && now-p.at[0] >= p.span {
		p.ids, p.at = p.ids[1:], p.at[1:]
	}
	for len(p.ids) >= p.limit {
		p.ids, p.at = p.ids[1:], p.at[1:]
		p.early++
	}
	p.ids, p.at = append(p.ids, id), append(p.at, now)
}

// dedupEngine is an engine with nothing but one partition and its marks.
func dedupEngine(store Store, span int64, limit int) (*Engine, *partition) {
	e := &Engine{store: store}
	e.o.Set = &plan.Set{Types: []*plan.Type{{Schema: event.Schema{Name: "a", Dedup: span}}}}
	e.o.Marks = limit
	p := &partition{Partition: event.Partition{Source: "s", Topic: "t", Number: 3}}
	e.addMarks(p)
	return e, p
}

// Marks are a plain list that is searched, also when they are written and read back at
// random places, under a limit too.
func TestMarksEqualPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Int64Range(1, 20).Draw(t, "span")
		limit := rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "limit")
		store := durable{state.NewMemory()}
		e, p := dedupEngine(store, span, limit)
		plain := &plainMarks{span: span, limit: limit}
		now, early := int64(-10), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += rapid.Int64Range(0, 6).Draw(t, "step")
			id := drawID(t)
			m := p.marks[0]
			got, want := m.has([]byte(id), now), plain.has(id, now)
			if got != want {
				t.Fatalf("id %.20q at %d: %v, want %v", id, now, got, want)
			}
			if !got {
				m.add(now)
				plain.add(id, now)
			}
			if rapid.IntRange(0, 5).Draw(t, "save") == 0 {
				p.at, e.merge.reached = now, now
				early += m.early
				e, p = saveAndRestore(t, e, p, span, limit)
			}
		}
		if early += p.marks[0].early; early != uint64(plain.early) {
			t.Fatalf("%d forgotten early, want %d", early, plain.early)
		}
	})
}

func drawID(t *rapid.T) string {
	id := fmt.Sprintf("id%d", rapid.IntRange(0, 12).Draw(t, "id"))
	if rapid.Bool().Draw(t, "long") {
		id += strings.Repeat("x", 100)
	}
	return id
}

func saveAndRestore(t *rapid.T, e *Engine, p *partition, span int64, limit int) (*Engine, *partition) {
	e.commits.batch().Reset()
	e.saveMarks(p)
	if err := e.store.Commit(t.Context(), e.commits.batch()); err != nil {
		t.Fatal(err)
	}
	again, q := dedupEngine(e.store, span, limit)
	if err := again.restoreMarks(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if got, want := q.marks[0].len(), p.marks[0].len(); got != want {
		t.Fatalf("%d marks read back, %d were saved", got, want)
	}
	return again, q
}

// Marks of a type that has no dedup any more leave the store, and a damaged one is an
// error.
func TestMarksOfOldTypesAreDropped(t *testing.T) {
	store := durable{state.NewMemory()}
	e, p := dedupEngine(store, 10, 10)
	p.marks[0].has([]byte("x"), 1)
	p.marks[0].add(1)
	e.saveMarks(p)
	if err := store.Commit(t.Context(), e.commits.batch()); err != nil {
		t.Fatal(err)
	}
	without, q := dedupEngine(store, 0, 10)
	if err := without.restoreMarks(t.Context(), q); err != nil || len(without.obsolete) != 1 {
		t.Errorf("%v, %d rows to drop; want 1", err, len(without.obsolete))
	}
	var b state.Batch
	b.Put(state.TableDedup, append(marksKey(p, "a"), "\x00\x00\x00\x00\x00\x00\x00\x09"...), []byte{2, 'y'})
	if err := store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	again, q := dedupEngine(store, 10, 10)
	if err := again.restoreMarks(t.Context(), q); err == nil {
		t.Error("a hole in the numbers of the marks was taken")
	}
}

// In a steady stream remembering and forgetting ids allocates nothing.
func TestMarksAllocateNothing(t *testing.T) {
	ids := make([][]byte, 5000)
	for i := range ids {
		ids[i] = fmt.Appendf(nil, "id-%d", i)
		if i%3 == 0 {
			ids[i] = append(ids[i], strings.Repeat("y", 100)...)
		}
	}
	m := newMarks(1000, 1<<20)
	now := int64(0)
	step := func() {
		now++
		if id := ids[now%5000]; !m.has(id, now) {
			m.add(now)
		}
		m.has(ids[(now+1)%5000], now)
	}
	for range 20_000 {
		step()
	}
	if n := testing.AllocsPerRun(5000, step); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// durable is a memory store that an engine keeps its state in.
type durable struct{ *state.Memory }

func (durable) Durable() bool { return true }

func BenchmarkDedup(b *testing.B) {
	for _, live := range []int64{1000, 1_000_000} {
		b.Run(fmt.Sprintf("marks=%d", live), func(b *testing.B) {
			m := newMarks(live, 1<<21)
			id := []byte("payment-0000000000")
			now := int64(0)
			step := func() {
				now++
				for i, n := len(id)-1, now; n > 0; i, n = i-1, n/10 {
					id[i] = byte('0' + n%10)
				}
				if !m.has(id, now) {
					m.add(now)
				}
			}
			for range 2 * live {
				step()
			}
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}
