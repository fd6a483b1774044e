//go:build unix

package machine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

const payments = `event payment (time: ts(ms)) { ts int  card string  amount float  country string  merchant string }
`

// The peers' pattern workloads.
var workloads = []struct{ name, rule string }{
	{"W4", `rule r { by card match every a: payment[amount < 20] -> b: payment[amount > 900] within 60s emit { a: a.amount, b: b.amount } }`},
	{"W5", `rule r { by card match every a: payment[amount < 100] -> b: payment[amount > a.amount * 5]
		-> c: payment[amount > b.amount * 1.5 and country != a.country] within 60s emit { a: a.amount, c: c.amount } }`},
	{"W6", `rule r { by card match x: payment[amount < 100]{3,} -> b: payment[amount > 800] within 120s emit { n: count(x), b: b.amount } }`},
	{"W7", `rule r { by card match every a: payment[amount > 950] -> !p: payment for 30s emit { a: a.amount } }`},
}

// bench runs a pattern over keys as a shard would, without the index and the timers.
type bench struct {
	*machine.Pattern
	x       machine.Context
	store   keep.Store
	layout  *event.Layout
	tests   []machine.Test
	holds   []func(*eval.Frame) bool
	matches int
}

func newBench(b testing.TB, rule string, compile compiler) *bench {
	b.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: payments + rule}})
	if errs.HasErrors() {
		b.Fatal(errs.Error())
	}
	p, err := compile(set.Rules[0], eval.Compiler{Types: set.Types, Event: -1})
	if err != nil {
		b.Fatal(err)
	}
	m := &bench{Pattern: p, layout: &set.Types[0].Layout, tests: p.Tests()}
	world := &eval.World{Types: set.Types, Partitions: []event.Partition{{Source: "s"}}}
	m.x = machine.Context{
		Frame: eval.Frame{World: world}, Keep: &m.store, Limits: machine.Limits{RunsPerKey: math.MaxInt32}.WithDefaults(),
		Effect: func(*machine.Effect) { m.matches++ }, Key: event.AppendKey(nil, event.OfString("c000001")),
	}
	for _, t := range m.tests {
		m.holds = append(m.holds, eval.Compiler{Types: set.Types, Event: 0}.Bool(machine.Conjunction(t.Cond)))
	}
	return m
}

// mask is the set of steps whose tests an event passes, as the index would say.
func (m *bench) mask(ev *event.Event) uint64 {
	m.x.Frame.Event = ev
	var mask uint64
	for i, holds := range m.holds {
		if holds == nil || holds(&m.x.Frame) {
			mask |= m.tests[i].Bit
		}
	}
	return mask
}

// payment makes an event of the layout.
func (m *bench) payment(offset, at int64, card string, amount float64, country string) event.Event {
	text := fmt.Sprintf(`{"type":"payment","ts":%d,"card":"%s","amount":%.2f,"country":"%s","merchant":"m001"}`, at/1e6, card, amount, country)
	ev := event.Event{Offset: offset, Time: at, At: at, Text: []byte(text), Raw: uint32(len(text)), Slots: make([]uint64, m.layout.Words()+len(m.layout.Slots))}
	for i := range m.layout.Slots {
		ev.Slots[i>>6] |= 1 << (i & 63)
		v := &ev.Slots[m.layout.Words()+i]
		switch m.layout.Slots[i].Path[0] {
		case "amount":
			*v = math.Float64bits(amount)
		case "country":
			*v = uint64(event.MakeRef(len(text)-len(country)-len(`","merchant":"m001"}`), len(country)))
		default:
			*v = uint64(at / 1e6)
		}
	}
	return ev
}

// stream is payments of many cards as the peers' generator makes them: one a
// millisecond, some cards busier than others.
func (m *bench) stream(n, cards int) ([]event.Event, []int32, []uint64) {
	rnd := rand.New(rand.NewPCG(1, 2))
	evs, key, masks := make([]event.Event, n), make([]int32, n), make([]uint64, n)
	at := 1.7e18
	for i := range evs {
		at += rnd.ExpFloat64() * 1e6
		key[i] = int32(float64(cards) * math.Pow(rnd.Float64(), 1.5))
		evs[i] = m.payment(int64(i), int64(at)/1e6*1e6, fmt.Sprintf("c%06d", key[i]), math.Round(rnd.Float64()*1e5)/100, string(rune('A'+rnd.IntN(50))))
		masks[i] = m.mask(&evs[i])
	}
	pack(evs)
	return evs, key, masks
}

// pack puts what events point to side by side, as in a batch.
func pack(evs []event.Event) {
	var text []byte
	var slots []uint64
	for i := range evs {
		text, slots = append(text, evs[i].Text...), append(slots, evs[i].Slots...)
	}
	for i := range evs {
		n, m := len(evs[i].Text), len(evs[i].Slots)
		evs[i].Text, text = text[:n:n], text[n:]
		evs[i].Slots, slots = slots[:m:m], slots[m:]
	}
}

// cpu is the time that the process has run, in nanoseconds: on a busy machine the time on
// the wall says little.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

var machines = []struct {
	name    string
	compile compiler
}{{"line", machine.CompilePattern}, {"general", machine.CompileGeneral}}

// BenchmarkPatternKeys is the cost of a payment of one of 10,000 cards, in the machine
// alone.
func BenchmarkPatternKeys(b *testing.B) {
	for _, w := range workloads {
		for _, m := range machines {
			b.Run(w.name+"/machine="+m.name, func(b *testing.B) { benchKeys(b, newBench(b, w.rule, m.compile)) })
		}
	}
}

func benchKeys(b *testing.B, m *bench) {
	const cards, n = 10_000, 200_000
	evs, key, masks := m.stream(n, cards)
	times := make([]int64, n)
	for i := range evs {
		times[i] = evs[i].At
	}
	span := times[n-1] - times[0] + 1e6
	keys, due := make([]machine.PatternKey, cards), make([]int64, cards)
	route := uint64(0)
	b.ReportAllocs()
	from := cpu()
	for i := 0; b.Loop(); i++ {
		mask, k, ev := masks[i%n], key[i%n], &evs[i%n]
		route += ev.Slots[0] + uint64(ev.Text[0]) // the index has looked at the event
		if mask == 0 || m.Empty(&keys[k]) && m.Ignores(mask, false) {
			continue
		}
		ev.At = times[i%n] + int64(i/n)*span
		m.x.Begin()
		m.Event(&m.x, &keys[k], ev, mask, false)
		due[k] = m.Deadline(&keys[k])
		m.x.End()
	}
	b.ReportMetric((cpu()-from)/float64(b.N), "cpu-ns/op")
	if route == 0 {
		b.Fatal("nothing was read")
	}
	b.ReportMetric(float64(m.matches)/float64(b.N), "matches/op")
}

// BenchmarkPatternOpenRuns is the cost of an event of a key that has many open runs: one
// of a hundred begins a run, another one ends what was begun since the last such.
func BenchmarkPatternOpenRuns(b *testing.B) {
	for _, w := range []struct{ name, rule string }{
		{"begins", `rule r { by card match every a: payment[amount < 20] -> b: payment[amount > 999] within 60s emit { a: a.amount } }`},
		{"compares", `rule r { by card match every a: payment[amount < 20] -> b: payment[amount > a.amount * 100 and country != a.country] within 60s emit { a: a.amount } }`},
		{"equals", `rule r { by card match every a: payment[amount < 20] -> b: payment[country == a.country and amount > 999] within 60s emit { a: a.amount } }`},
		{"repeats", `rule r { by card match every x: payment[amount < 20]{3,} -> b: payment[amount > 999] within 60s emit { n: count(x) } }`},
	} {
		for _, runs := range []int{1e3, 1e4, 1e5, 1e6} {
			for _, m := range machines {
				if m.name == "general" && runs > 1e4 {
					continue
				}
				name := fmt.Sprintf("%s/runs=%.0e/machine=%s", w.name, float64(runs), m.name)
				b.Run(name, func(b *testing.B) { benchRuns(b, newBench(b, w.rule, m.compile), runs) })
			}
		}
	}
}

// benchRuns keeps that many runs open: one begins at each event, and the oldest goes, its
// time being over.
func benchRuns(b *testing.B, m *bench, runs int) {
	var key machine.PatternKey
	rnd := rand.New(rand.NewPCG(1, 2))
	var evs []event.Event
	for i := range 1000 {
		evs = append(evs, m.payment(int64(i), 0, "c000001", 5+rnd.Float64()*15, string(rune('A'+i%50))))
	}
	mask := m.mask(&evs[0])
	at, step := int64(1e18), int64(60e9)/int64(runs)
	feed := func(i int) {
		ev := &evs[i%len(evs)]
		at += step
		ev.At, ev.Time = at, at
		m.x.Begin()
		m.Event(&m.x, &key, ev, mask, false)
		m.x.End()
	}
	for i := range runs {
		feed(i)
	}
	b.ReportAllocs()
	from := cpu()
	for i := 0; b.Loop(); i++ {
		feed(i)
	}
	b.ReportMetric((cpu()-from)/float64(b.N), "cpu-ns/op")
	if got := key.Runs(); got < runs/2 {
		b.Fatalf("%d runs are open", got)
	}
}

// TestNothingIsAllocatedWhereNothingMatches: what a line needs for a run it has from
// runs that are gone.
func TestNothingIsAllocatedWhereNothingMatches(t *testing.T) {
	for _, w := range workloads {
		m := newBench(t, w.rule, machine.CompilePattern)
		evs, key, masks := m.stream(40_000, 100)
		keys := make([]machine.PatternKey, 100)
		span := evs[len(evs)-1].At - evs[0].At + 1e6
		round := func() {
			for i := range evs {
				evs[i].At += span
				m.x.Begin()
				m.Event(&m.x, &keys[key[i]], &evs[i], masks[i], false)
				m.x.End()
			}
		}
		round()
		round()
		m.matches = 0
		allocs := testing.AllocsPerRun(1, round)
		if allocs > float64(m.matches) {
			t.Errorf("%s: %v allocations, %d matches over %d events", w.name, allocs, m.matches, 2*len(evs))
		}
	}
}
