package machine_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
)

// plainStep is a step of a sequence: an event of a type whose n is below a number,
// repeated.
type plainStep struct {
	typ      int
	below    int64
	min, max int // max -1: no bound
}

func (s plainStep) text(i int) string {
	times := fmt.Sprintf("{%d,%d}", s.min, s.max)
	if s.max < 0 {
		times = fmt.Sprintf("{%d,}", s.min)
	}
	return fmt.Sprintf("s%d: %c[n < %d]%s", i, 'a'+s.typ, s.below, times)
}

// plainAll is the plain twin of a pool: it keeps every event, and for each of them
// looks at all that came before.
type plainAll struct {
	steps  []plainStep
	within int64 // seconds; 0: none
	limit  int
	events []plainEvent

	last int                     // the event at hand
	onto map[plainPlace]*big.Int // ways from a place to the end at the last event
	made []string                // of the event at hand
	path []string
}

type plainEvent struct {
	typ       int
	second, n int64
}

// plainPlace is an event taken by a step, as its so manieth.
type plainPlace struct{ at, step, turns int }

func (t *plainAll) rule() string {
	var steps []string
	for i, s := range t.steps {
		steps = append(steps, s.text(i))
	}
	text := "rule r { match all " + strings.Join(steps, " -> ")
	if t.within > 0 {
		text += fmt.Sprintf(" within %ds", t.within)
	}
	return text + fmt.Sprintf(" limit %d emit { m: matches() } }", t.limit)
}

// take takes an event and returns what the rule makes of it.
func (t *plainAll) take(e plainEvent) []string {
	t.events = append(t.events, e)
	t.last, t.onto, t.made = len(t.events)-1, map[plainPlace]*big.Int{}, nil
	total := new(big.Int)
	starts := t.starts()
	for _, s := range starts {
		total.Add(total, t.count(s))
	}
	if total.Sign() == 0 {
		return nil
	}
	for _, s := range starts {
		t.walk(s)
	}
	number := int64(math.MaxInt64)
	if total.IsInt64() {
		number = total.Int64()
	}
	if t.limit == 0 {
		t.made = []string{""}
	}
	for i := range t.made {
		t.made[i] = fmt.Sprintf("%d: %s of %d", e.second, t.made[i], number)
	}
	return t.made
}

// starts lists the places that a combination can begin at, the latest event first.
func (t *plainAll) starts() (out []plainPlace) {
	for at := t.last; at >= 0; at-- {
		if t.within > 0 && t.events[t.last].second >= t.events[at].second+t.within {
			break
		}
		out = append(out, t.enter(at, 0)...)
	}
	return out
}

// enter lists the places at an event from a step on, those between being left out.
func (t *plainAll) enter(at, from int) (out []plainPlace) {
	for step := from; step < len(t.steps); step++ {
		if t.fits(at, step) {
			out = append(out, plainPlace{at, step, 1})
		}
		if t.steps[step].min > 0 {
			break
		}
	}
	return out
}

func (t *plainAll) fits(at, step int) bool {
	return t.events[at].typ == t.steps[step].typ && t.events[at].n < t.steps[step].below
}

// next lists the places that follow a place, in order of events, then of steps.
func (t *plainAll) next(p plainPlace) (out []plainPlace) {
	s := t.steps[p.step]
	for at := p.at + 1; at <= t.last; at++ {
		if (s.max < 0 || p.turns < s.max) && t.fits(at, p.step) {
			turns := p.turns + 1
			if s.max < 0 {
				turns = min(turns, max(s.min, 1))
			}
			out = append(out, plainPlace{at, p.step, turns})
		}
		if p.turns >= s.min {
			out = append(out, t.enter(at, p.step+1)...)
		}
	}
	return out
}

func (t *plainAll) complete(p plainPlace) bool {
	return p.at == t.last && p.turns >= t.steps[p.step].min &&
		!slices.ContainsFunc(t.steps[p.step+1:], func(s plainStep) bool { return s.min > 0 })
}

// count is the number of ways from a place to the end.
func (t *plainAll) count(p plainPlace) *big.Int {
	if n := t.onto[p]; n != nil {
		return n
	}
	n := new(big.Int)
	if t.complete(p) {
		n.SetInt64(1)
	}
	for _, next := range t.next(p) {
		n.Add(n, t.count(next))
	}
	t.onto[p] = n
	return n
}

// walk writes the ways down, up to the limit.
func (t *plainAll) walk(p plainPlace) {
	if len(t.made) >= t.limit || t.count(p).Sign() == 0 {
		return
	}
	t.path = append(t.path, fmt.Sprintf("%d@%d", p.step, p.at))
	if t.complete(p) {
		t.made = append(t.made, strings.Join(t.path, " "))
	}
	for _, next := range t.next(p) {
		t.walk(next)
	}
	t.path = t.path[:len(t.path)-1]
}

// newAllRig is a rig that notes its effects as plainAll does.
func newAllRig(t failer, rule string) *rig {
	r := newRig(t, rule)
	r.x.Effect = func(e *machine.Effect) {
		var path []string
		for _, ev := range e.Evidence {
			path = append(path, fmt.Sprintf("%d@%d", ev.Step, ev.Event.Offset))
		}
		r.made = append(r.made, fmt.Sprintf("%d: %s of %d", e.Time/1e9, strings.Join(path, " "), e.Fields[0].Int()))
		if e.Saturated != (e.Fields[0].Int() == math.MaxInt64) {
			r.made = append(r.made, fmt.Sprintf("says that it is saturated: %v", e.Saturated))
		}
	}
	return r
}

func drawPlainAll(t *rapid.T) *plainAll {
	all := &plainAll{
		within: int64(rapid.SampledFrom([]int{0, 3, 8, 20, 40}).Draw(t, "within")),
		limit:  rapid.SampledFrom([]int{0, 1, 3, 100}).Draw(t, "limit"),
	}
	times := [][2]int{{1, 1}, {1, 1}, {1, 1}, {1, -1}, {0, -1}, {0, 1}, {2, 2}, {2, -1}, {1, 3}, {0, 2}, {3, 12}}
	for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
		n := rapid.SampledFrom(times).Filter(func(n [2]int) bool { return i > 0 || n[0] > 0 }).Draw(t, "times")
		all.steps = append(all.steps, plainStep{
			typ: rapid.IntRange(0, 2).Draw(t, "type"), below: int64(rapid.IntRange(1, 3).Draw(t, "below")), min: n[0], max: n[1],
		})
	}
	return all
}

// TestPoolCountsAndWritesAsItsPlainTwin: numbers, matches and their order, whatever has
// expired, and whenever the key is written and read back.
func TestPoolCountsAndWritesAsItsPlainTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawPlainAll(t)
		r := newAllRig(t, all.rule())
		r.CountByStacks(rapid.SampledFrom([]int{1, 3, 8}).Draw(t, "few"))
		second := int64(100)
		reloads := rapid.Bool().Draw(t, "reloads")
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			second += int64(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 1, 2, 9}).Draw(t, "passed"))
			typ, n := rapid.IntRange(0, 2).Draw(t, "type"), int64(rapid.IntRange(0, 2).Draw(t, "n"))
			r.made = nil
			r.feed(typ, int64(i), second, n)
			if want := all.take(plainEvent{typ, second, n}); !slices.Equal(r.made, want) {
				t.Fatalf("%s\nmakes of event %d\n%q\nwant\n%q", all.rule(), i, r.made, want)
			}
			if reloads && rapid.Bool().Draw(t, "reload") {
				r.reload(t)
			}
		}
		r.Release(&r.x, &r.key)
		if n := r.store.Len(); !reloads && n != 0 {
			t.Fatalf("%d events are kept after all was released", n)
		}
	})
}

// TestPoolCountsWaysBeyondTheGreatestNumber: the number stays at its greatest as long as
// there are more ways, and is exact again when enough has expired. Runs of a are so long
// that each is counted on both sides of where the stacks meet.
func TestPoolCountsWaysBeyondTheGreatestNumber(t *testing.T) {
	const within = 90
	r := newAllRig(t, fmt.Sprintf(`rule r { match all s: a+ -> e: b within %ds limit 0 emit { m: matches() } }`, within))
	inWindow := func(as []int64, now int64) (n int) {
		for _, at := range as {
			if now < at+within {
				n++
			}
		}
		return n
	}
	var as []int64
	saturated, exact := 0, 0
	for i := range int64(2000) {
		if i%3 == 0 || i/300%2 == 0 { // as come thick, then thin
			r.feed(0, i, i, 0)
			as = append(as, i)
			continue
		}
		r.made = nil
		r.feed(1, i, i, 0)
		want := int64(math.MaxInt64)
		if n := inWindow(as, i); n < 63 {
			want = 1<<n - 1
			exact++
		} else {
			saturated++
		}
		if got := []string{fmt.Sprintf("%d:  of %d", i, want)}; !slices.Equal(r.made, got) {
			t.Fatalf("%q with %d in the window, want %q", r.made, inWindow(as, i), got)
		}
	}
	if saturated < 30 || exact < 30 {
		t.Fatalf("%d numbers saturated, %d exact", saturated, exact)
	}
}

// TestPoolDropsTheOldestBeyondItsLimit, and counts them.
func TestPoolDropsTheOldestBeyondItsLimit(t *testing.T) {
	for _, within := range []string{"", "within 1h"} {
		r := newAllRig(t, fmt.Sprintf(`rule r { match all x: a -> y: b %s limit 2 emit { m: matches() } }`, within))
		r.x.Limits.EventsPerWindow = 20
		for i := range int64(50) {
			r.feed(0, i, i, 0)
			r.feed(1, 100+i, i, 0)
			if n := r.store.Len(); n > 20 {
				t.Fatalf("%d events kept, more than 20", n)
			}
		}
		if want := []string{"49: 0@49 1@149 of 20", "49: 0@48 1@149 of 20"}; !slices.Equal(r.made[len(r.made)-2:], want) {
			t.Fatalf("%q, want %q", r.made[len(r.made)-2:], want)
		}
		if r.x.Dropped != (machine.Dropped{WindowEvents: 30}) {
			t.Fatalf("dropped %+v, want 30 events", r.x.Dropped)
		}
	}
}

// TestPoolKeepsWhatCanStillMatchOnly: an event is kept while some combination can begin
// with it or go on by it, and not at all where matches are only counted.
func TestPoolKeepsWhatCanStillMatchOnly(t *testing.T) {
	for _, c := range []struct {
		rule string
		fed  string // types, a second apart
		want int    // events kept
	}{
		{`rule r { match all a -> b -> c within 5s }`, "bbcc", 0},
		{`rule r { match all a -> b -> c within 5s }`, "bbabb", 3},
		{`rule r { match all a -> b -> c within 5s }`, "abbccc", 0}, // a has expired
		{`rule r { match all a -> b -> c within 5s limit 0 }`, "bbabb", 0},
		{`rule r { match all x: a -> b -> c -> y: a within 60s }`, "acacbc", 4},
		{`rule r { match all x: c within 5s }`, "ccc", 0},
		{`rule r { match all x: c+ within 60s }`, "ccc", 3},
	} {
		r := newRig(t, c.rule)
		for i, letter := range c.fed {
			r.feed(int(letter-'a'), int64(i), int64(i), 0)
		}
		if n := r.store.Len(); n != c.want {
			t.Errorf("%s keeps %d of %q, want %d", c.rule, n, c.fed, c.want)
		}
	}
}

// TestPoolCountsWithoutAllocating: once its room is made, an event of a pattern that
// counts allocates nothing, nor does one that makes a match of it but for its effect.
func TestPoolCountsWithoutAllocating(t *testing.T) {
	r := newRig(t, `rule r { match all a -> b -> c within 300s limit 0 }`)
	made := 0
	r.x.Effect = func(*machine.Effect) { made++ }
	at := int64(0)
	feed := r.feeder()
	next := func() {
		feed(int(at%3), at, at)
		at++
	}
	for range 10_000 {
		next()
	}
	if n := testing.AllocsPerRun(3000, next); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
	if made == 0 {
		t.Error("nothing was made")
	}
}

// feeder hands events to the key as the engine does, each with the step of its type.
func (r *rig) feeder() func(typ int, number, milli int64) {
	events := make([]event.Event, len(r.set.Types))
	bits := make([]uint64, len(r.set.Types))
	for i := range events {
		l := &r.set.Types[i].Layout
		events[i] = event.Event{Type: int32(i), Slots: make([]uint64, l.Words()+len(l.Slots))}
	}
	for _, test := range r.Tests() {
		bits[test.Type] |= test.Bit
	}
	return func(typ int, number, milli int64) {
		ev := &events[typ]
		ev.Offset, ev.Time, ev.At = number, milli*1e6, milli*1e6
		l := &r.set.Types[typ].Layout
		for i := range l.Slots {
			ev.Slots[0] |= 1 << i
			ev.Slots[l.Words()+i] = uint64(number % 7)
		}
		r.x.Begin()
		r.Event(&r.x, &r.key, ev, bits[typ], false)
		r.x.End()
	}
}

// BenchmarkPool: SELL of one name, BUY of another, SELL of a third out of eight names,
// an event a millisecond, in windows of that many milliseconds; here only the events
// that a step can take, 3 of 16.
func BenchmarkPool(b *testing.B) { benchmarkPool(b, `a -> b -> c`) }

// BenchmarkPoolOfGroup is the same with a group, and BenchmarkPoolOfCycle with one that is
// repeated.
func BenchmarkPoolOfGroup(b *testing.B) { benchmarkPool(b, `(a & b) -> c`) }
func BenchmarkPoolOfCycle(b *testing.B) { benchmarkPool(b, `(a -> b)+ -> c`) }

func benchmarkPool(b *testing.B, pattern string) {
	for _, limit := range []int{0, 1, 100} {
		for _, window := range []int{50, 200, 1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("limit=%d/window=%dms", limit, window), func(b *testing.B) {
				r := newRig(b, fmt.Sprintf(`rule r { match all %s within %dms limit %d emit { n: matches() } }`, pattern, window, limit))
				r.x.Effect = func(*machine.Effect) {}
				feed := r.feeder()
				var at, seed int64 = 0, 1
				next := func() {
					for {
						at++
						seed = seed*6364136223846793005 + 1442695040888963407
						if typ := int(uint64(seed) >> 60); typ < 3 {
							feed(typ, at, at)
							return
						}
					}
				}
				for at < int64(window)*2 {
					next()
				}
				b.ReportAllocs()
				for b.Loop() {
					next()
				}
			})
		}
	}
}
