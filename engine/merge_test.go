package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// leg is a stretch of a merge in which the same partitions are left out: how many
// records each partition gives in it, and to where time has grown at its start.
type leg struct {
	Give []int
	Idle []bool
	Time int64
}

// merging is a drawn merge.
type merging struct {
	Lateness []int64
	Times    [][]int64 // of the records, by partition
	Legs     []leg
}

func drawMerging(t *rapid.T) merging {
	n := rapid.IntRange(1, 4).Draw(t, "partitions")
	m := merging{Lateness: rapid.SliceOfN(rapid.Int64Range(0, 6), n, n).Draw(t, "lateness")}
	for range n {
		var times []int64
		now := int64(0)
		for _, step := range rapid.SliceOfN(rapid.Int64Range(-8, 10), 0, 12).Draw(t, "steps") {
			now += max(-8, step)
			times = append(times, now)
		}
		m.Times = append(m.Times, times)
	}
	left := make([]int, n)
	for i := range left {
		left[i] = len(m.Times[i])
	}
	for k := range rapid.IntRange(1, 4).Draw(t, "legs") {
		l := leg{Idle: make([]bool, n), Give: make([]int, n), Time: math.MinInt64}
		for i := range n {
			l.Idle[i] = k > 0 && rapid.Bool().Draw(t, "idle")
			if !l.Idle[i] {
				l.Give[i] = rapid.IntRange(0, left[i]).Draw(t, "give")
			}
			left[i] -= l.Give[i]
		}
		if !slices.Contains(l.Idle, false) && rapid.Bool().Draw(t, "grows") {
			l.Time = rapid.Int64Range(0, 40).Draw(t, "time")
		}
		m.Legs = append(m.Legs, l)
	}
	return m
}

// merged runs the merge in the engine's merger, reading the partitions in a drawn order,
// and returns what came out as "partition number: own time → time it counts at".
func (m *merging) merged(t *rapid.T) []string {
	var g merger
	g.reached, g.limit = math.MinInt64, math.MaxInt64
	for i, lateness := range m.Lateness {
		g.parts = append(g.parts, &partition{Partition: event.Partition{Number: int32(i)}, number: int32(i), lateness: lateness, greatest: math.MinInt64, at: math.MinInt64})
	}
	var out []string
	drain := func() {
		for w, ok := g.take(); ok; w, ok = g.take() {
			out = append(out, fmt.Sprintf("%d: %d → %d", w.ev.Part, w.ev.Time, w.ev.At))
		}
	}
	for _, l := range m.Legs {
		g.tell(math.MinInt64)
		for i, p := range g.parts {
			p.idle = l.Idle[i]
		}
		g.tell(l.Time)
		drain()
		var turns []int
		for i, n := range l.Give {
			turns = append(turns, slices.Repeat([]int{i}, n)...)
		}
		for _, i := range rapid.Permutation(turns).Draw(t, "order of reading") {
			p := g.parts[i]
			ev := &event.Event{Part: int32(i), Time: m.Times[i][p.arrived]}
			at, _ := p.see(ev.Time)
			ev.At = max(at, g.reached)
			p.arrived++
			p.waiting.push(waits{ev: ev, order: p.arrived})
			if rapid.Bool().Draw(t, "drain") {
				drain()
			}
			if rapid.Bool().Draw(t, "tell") {
				g.tell(math.MinInt64) // as at an epoch's end
			}
		}
		drain()
	}
	return out
}

// sorted is the plain twin: in each leg it raises what is late, sorts all that waits,
// and lets through what nobody can bring an earlier one than.
func (m *merging) sorted() []string {
	type item struct {
		own, at int64
		part    int
		nth     int
	}
	var out []string
	var waiting []item
	marks, given := make([]int64, len(m.Times)), make([]int, len(m.Times))
	for i := range marks {
		marks[i] = math.MinInt64
	}
	reached := int64(math.MinInt64)
	for k, l := range m.Legs {
		if k > 0 {
			reached = max(reached, least(marks, m.Legs[k-1].Idle))
		}
		reached = max(reached, least(marks, l.Idle), l.Time)
		for i, n := range l.Give {
			for range n {
				own := m.Times[i][given[i]]
				waiting = append(waiting, item{own, max(own, marks[i], reached), i, given[i]})
				marks[i] = max(marks[i], own-m.Lateness[i])
				given[i]++
			}
		}
		slices.SortFunc(waiting, func(a, b item) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.part, b.part), cmp.Compare(a.nth, b.nth))
		})
		for len(waiting) > 0 {
			w := waiting[0]
			blocked := w.at > max(reached, least(marks, l.Idle))
			for q := range w.part {
				blocked = blocked || !l.Idle[q] && max(marks[q], reached) <= w.at
			}
			if blocked {
				break
			}
			out = append(out, fmt.Sprintf("%d: %d → %d", w.part, w.own, w.at))
			waiting = waiting[1:]
		}
	}
	return out
}

// least is the least mark of those that are not idle, the greatest of all where none is.
func least(marks []int64, idle []bool) int64 {
	var read []int64
	for i, mark := range marks {
		if !idle[i] {
			read = append(read, mark)
		}
	}
	if len(read) == 0 {
		return slices.Max(marks)
	}
	return slices.Min(read)
}

// The order of a merge and the raised times are those of a sort, however the partitions
// are read, and who is left out when.
func TestMergeIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMerging(t)
		if d := gocmp.Diff(m.sorted(), m.merged(t)); d != "" {
			t.Fatalf("%+v\n(-sorted +merged)\n%s", m, d)
		}
	})
}

// Times that come out of the merger never go back.
func TestMergedTimeNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMerging(t)
		last := int64(math.MinInt64)
		for _, line := range m.merged(t) {
			var part int
			var own, at int64
			if _, err := fmt.Sscanf(line, "%d: %d → %d", &part, &own, &at); err != nil {
				t.Fatal(err)
			}
			if at < last || at < own {
				t.Fatalf("%s after %d in %+v", line, last, m)
			}
			last = at
		}
	})
}
