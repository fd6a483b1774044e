package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// endless is a source of payments that never ends: first as many as it can, then a steady
// 100,000 a second at most.
type endless struct{ at int64 }

func (*endless) Partition() event.Partition                  { return event.Partition{Source: "p"} }
func (*endless) Resume(context.Context, int64, []byte) error { return nil }
func (s *endless) Position() int64                           { return s.at }
func (*endless) Fingerprint() []byte                         { return nil }

func (s *endless) Next(ctx context.Context, into *event.Batch) error {
	if s.at > 400_000 { // the engine is not to be busy with nothing else
		time.Sleep(10 * time.Millisecond)
	}
	for range 1000 {
		into.Add(0, s.at, 0, fmt.Appendf(nil, `{"type":"payment","ts":%d,"card":"c%d","amount":%d,"country":"fr","merchant":"m%d"}`, s.at, s.at*7919%100_000, s.at%900, s.at%1000))
		s.at++
	}
	return ctx.Err()
}

// kinds of rules that a swap is measured with: half of them remember something.
var swapped = []string{
	"rule r%[1]d { from payment where merchant == \"m%[1]d\" and amount > %[2]d emit { a: amount } }\n",
	"rule r%[1]d { from payment where merchant == \"m%[1]d\" by card window sliding 1h having count() > %[2]d }\n",
	"rule r%[1]d { by card match a: payment[merchant == \"m%[1]d\"] -> b: payment[amount > a.amount] within 1h emit { a: a.amount + %[2]d } }\n",
	"rule r%[1]d { from payment where amount > %[2]d.5 and merchant == \"m%[1]d\" emit { a: amount } }\n",
}

func swapSet(b *testing.B, rules int, changed func(i int) int) *plan.Set {
	b.Helper()
	files := []*source.File{{Name: "events.cep", Text: manyEvents}}
	for i := 0; i < rules; i += 100 {
		var text strings.Builder
		for n := i; n < i+100; n++ {
			fmt.Fprintf(&text, swapped[n%len(swapped)], n, 800+changed(n))
		}
		files = append(files, &source.File{Name: fmt.Sprintf("rules%d.cep", i), Text: text.String()})
	}
	set, errs := lang.Compile(files)
	if errs.HasErrors() {
		b.Fatal(errs)
	}
	return set
}

// BenchmarkSwap replaces rules of an engine that runs. pause-ms is how
// long no event was taken, the time of an operation how long it took until the change was
// durable, compiling for the engine included. Each remembers 100,000 cards.
func BenchmarkSwap(b *testing.B) {
	for _, change := range []struct {
		name string
		of   func(i, round int) int
	}{
		{"filter", func(i, round int) int { return ifIs(i, 500, round) }},
		{"window", func(i, round int) int { return ifIs(i, 501, round) }},
		{"pattern", func(i, round int) int { return ifIs(i, 502, round) }},
		{"all", func(_, round int) int { return round }},
	} {
		for _, store := range []string{"memory", "badger"} {
			b.Run(fmt.Sprintf("rules=1000/changed=%s/store=%s", change.name, store), func(b *testing.B) {
				sets := []*plan.Set{
					swapSet(b, 1000, func(i int) int { return change.of(i, 0) }),
					swapSet(b, 1000, func(i int) int { return change.of(i, 1) }),
				}
				benchmarkSwap(b, sets, store)
			})
		}
	}
}

func ifIs(i, n, round int) int {
	if i == n {
		return round
	}
	return 0
}

func benchmarkSwap(b *testing.B, sets []*plan.Set, kind string) {
	var store engine.Store = state.NewMemory()
	if kind == "badger" {
		s, err := state.OpenBadger(b.TempDir(), state.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		store = s
	}
	e, err := engine.New(b.Context(), engine.Options{Set: sets[0], Store: store, Outbox: &silent{}, Inputs: []engine.Input{{Source: &endless{}}}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	time.Sleep(2 * time.Second) // until all cards are known
	var pause, longest time.Duration
	for i := 0; b.Loop(); i++ {
		r, err := e.Swap(b.Context(), sets[(i+1)%2])
		if err != nil {
			b.Fatal(err)
		}
		pause += r.Pause
		longest = max(longest, r.Pause)
	}
	b.ReportMetric(float64(pause.Microseconds())/1e3/float64(b.N), "pause-ms")
	b.ReportMetric(float64(longest.Microseconds())/1e3, "longest-ms")
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
}

// silent is an outbox that forgets.
type silent struct{ n uint64 }

func (s *silent) Append(*state.Batch, []byte) uint64        { s.n++; return s.n }
func (*silent) Acknowledge(*state.Batch, map[string]uint64) {}
func (s *silent) Last() uint64                              { return s.n }
