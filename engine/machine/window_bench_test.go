//go:build unix

package machine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

const paymentsRead = `event payment (time: ts(ms)) { ts int card string amount float country string merchant string }
`

// windowStream is payments of many cards in order of time, one a millisecond, that begin
// anew with later times when they are over.
type windowStream struct {
	set   *plan.Set
	x     machine.Context
	store keep.Store
	keys  [][]byte
	cards []int32 // by event
	list  []event.Event
	next  int
	lap   int64 // what is added to the times of this lap
	made  int
}

// newWindowStream makes n payments of so many cards, mildly skewed, and merchants.
func newWindowStream(b *testing.B, rule string, n, cards, merchants int) *windowStream {
	b.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: paymentsRead + rule}})
	if errs.HasErrors() {
		b.Fatal(errs.Error())
	}
	s := &windowStream{set: set}
	s.x = machine.Context{
		Frame: eval.Frame{World: &eval.World{Types: set.Types, Partitions: []event.Partition{{Source: "s"}}}}, Keep: &s.store,
		Limits: machine.Limits{}.WithDefaults(), Effect: func(*machine.Effect) { s.made++ },
	}
	for i := range cards {
		s.keys = append(s.keys, event.AppendKey(nil, event.OfString(fmt.Sprintf("c%06d", i))))
	}
	r := rand.New(rand.NewPCG(1, 2))
	l := &set.Types[0].Layout
	width := l.Words() + len(l.Slots)
	texts, slots := make([]byte, 0, 128*n), make([]uint64, n*width) // in order, as a decoder leaves them
	for i := range n {
		card := int(float64(cards) * math.Pow(r.Float64(), 1.5))
		merchant, amount := fmt.Sprintf("m%04d", r.IntN(merchants)), float64(r.IntN(100_000))/100
		text := fmt.Sprintf(`{"type":"payment","ts":%d,"card":"c%06d","amount":%.2f,"country":"DE","merchant":"%s"}`, 1_700_000_000_000+i, card, amount, merchant)
		texts = append(texts, text...)
		ev := event.Event{Raw: uint32(len(text)), Text: texts[len(texts)-len(text):], Slots: slots[i*width:][:width]}
		for j := range l.Slots {
			ev.Slots[0] |= 1 << j
			switch l.Slots[j].Path[0] {
			case "amount":
				ev.Slots[l.Words()+j] = math.Float64bits(amount)
			case "merchant":
				ev.Slots[l.Words()+j] = uint64(event.MakeRef(len(text)-2-len(merchant), len(merchant)))
			}
		}
		s.cards, s.list = append(s.cards, int32(card)), append(s.list, ev)
	}
	return s
}

// take makes the next payment the event at hand and returns its card.
func (s *windowStream) take() (ev *event.Event, card int32) {
	if s.next == len(s.list) {
		s.next, s.lap = 0, s.lap+int64(len(s.list))
	}
	ev, card = &s.list[s.next], s.cards[s.next]
	ev.Offset = s.lap + int64(s.next)
	ev.Time = ev.Offset * 1e6
	ev.At = ev.Time
	s.next++
	s.x.End()
	s.x.Begin()
	s.x.Key = s.keys[card]
	return ev, card
}

// measure times steps by the clock and by the processor: where others use the machine,
// the second is the one to compare.
func (s *windowStream) measure(b *testing.B, step func()) {
	s.made = 0
	b.ReportAllocs()
	start := used()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(s.made)/float64(b.N), "alerts/op")
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// compiler is what the machines of the windowStream's rules are compiled with.
func (s *windowStream) compiler() eval.Compiler { return eval.Compiler{Types: s.set.Types, Event: -1} }

// BenchmarkWindow is one payment through a rule over a window that is evaluated at each.
func BenchmarkWindow(b *testing.B) {
	for _, c := range []struct {
		name, rule       string
		cards, merchants int
	}{
		{"count/keys=1e4", `rule r { from payment by card window sliding 60s having count() >= 50 emit { n: count() } }`, 10_000, 1000},
		{"sum/keys=1e4", `rule r { from payment by card window sliding 60s having sum(amount) >= 50_000 emit { n: count() } }`, 10_000, 1000},
		{"two/keys=1e4", `rule r { from payment by card window short sliding 10s window long sliding 60s having count(short) >= 50 and count(long) > 80 emit { n: count(long) } }`, 10_000, 1000},
		{"distinct/keys=1e4", `rule r { from payment by card window sliding 10m having distinct(merchant) >= 500 once emit { n: count() } }`, 10_000, 1000},
		{"distinct=10", `rule r { from payment by card window sliding 10s having distinct(merchant) > 5000 emit { n: count() } }`, 1, 10},
		{"distinct=2000", `rule r { from payment by card window sliding 10s having distinct(merchant) > 5000 emit { n: count() } }`, 1, 2000},
		{"count/window=1e2", `rule r { from payment by card window sliding 100ms having count() > 200_000 emit { n: count() } }`, 1, 1000},
		{"count/window=1e5", `rule r { from payment by card window sliding 100s having count() > 200_000 emit { n: count() } }`, 1, 1000},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newWindowStream(b, c.rule, 300_000, c.cards, c.merchants)
			w, err := machine.CompileWindow(s.set.Rules[0], s.compiler())
			if err != nil {
				b.Fatal(err)
			}
			keys := make([]machine.WindowKey, c.cards)
			step := func() {
				ev, card := s.take()
				w.Event(&s.x, &keys[card], ev, 1, false)
				w.Deadline(&keys[card])
			}
			for range 300_000 {
				step()
			}
			s.measure(b, step)
		})
	}
}

// BenchmarkBucket is one payment through a rule over a window that is evaluated at its end.
func BenchmarkBucket(b *testing.B) {
	for _, c := range []struct{ name, rule string }{
		{"tumbling", `rule r { from payment by card window tumbling 60s having count() >= 20 emit { n: count(), total: sum(amount) } }`},
		{"hopping", `rule r { from payment by card window hopping 60s every 20s having count() >= 20 emit { n: count(), total: sum(amount) } }`},
		{"session", `rule r { from payment by card window session 10s having count() >= 20 emit { n: count(), total: sum(amount) } }`},
	} {
		b.Run(c.name+"/keys=1e4", func(b *testing.B) {
			s := newWindowStream(b, c.rule, 300_000, 10_000, 1000)
			w, err := machine.CompileBucket(s.set.Rules[0], s.compiler())
			if err != nil {
				b.Fatal(err)
			}
			keys := make([]machine.BucketKey, 10_000)
			due := make([]int64, len(keys))
			step := func() {
				ev, card := s.take()
				k := &keys[card]
				if due[card] <= ev.At {
					w.Settle(&s.x, k, ev.At)
				}
				w.Event(&s.x, k, ev, 1, false)
				due[card] = w.Deadline(k)
			}
			for range 300_000 {
				step()
			}
			s.measure(b, step)
		})
	}
}
