package engine_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// bounded is a source of so many events, of which every tenth is an alert of a filter.
type bounded struct{ at, end int64 }

func (*bounded) Partition() event.Partition                  { return event.Partition{Source: "p"} }
func (*bounded) Resume(context.Context, int64, []byte) error { return nil }
func (s *bounded) Position() int64                           { return s.at }
func (*bounded) Fingerprint() []byte                         { return nil }

func (s *bounded) Next(_ context.Context, into *event.Batch) error {
	for range 10 {
		if s.at == s.end {
			return io.EOF
		}
		into.Add(0, s.at, 0, fmt.Appendf(nil, `{"type":"payment","ts":%d,"card":"c%d","amount":%d}`, s.at/10, s.at%100, s.at%10))
		s.at++
	}
	return nil
}

// TestTimeIsTaken: each alert is
// counted once, with its time, and rules have what they take, in either lane, on disk or not.
func TestTimeIsTaken(t *testing.T) {
	for _, late := range []string{"", ", lateness: 1s"} {
		for _, durable := range []bool{false, true} {
			t.Run(fmt.Sprintf("late=%q/durable=%v", late, durable), func(t *testing.T) { timeIsTaken(t, late, durable) })
		}
	}
}

func timeIsTaken(t *testing.T, late string, durable bool) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: `event payment (time: ts(s)` + late + `) { ts int  card string  amount int }
rule big { from payment where amount == 9 emit { a: amount } }
rule up  { by card match a: payment -> b: payment[amount > a.amount + 100] within 1h }
rule any { by card match all a: payment -> b: payment[amount > a.amount + 100] within 1h }
`}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	var store engine.Store = state.NewMemory()
	if durable {
		s, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		store = s
	}
	var epochs, alerts uint64
	var clock atomic.Int64
	o := engine.Options{
		Set: set, Store: store, Outbox: &silent{}, Inputs: []engine.Input{{Source: &bounded{end: 2000}}}, Shards: 2, RoundEvents: 10, EpochEvents: 20,
		Steps: []engine.IdleStep{}, Now: func() time.Time { return time.Unix(0, clock.Add(1e8)) },
		Timing: func(x *engine.Timing) {
			epochs++
			if x.Commit <= 0 || x.Epoch < x.Commit {
				t.Errorf("%+v", x)
			}
			for _, a := range x.Alerts {
				if alerts += a.N; a.Took <= 0 {
					t.Errorf("%+v", x)
				}
			}
		},
	}
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if alerts != s.Alerts || alerts < 190 || epochs != s.Epochs {
		t.Errorf("%d of %d alerts, %d of %d epochs", alerts, s.Alerts, epochs, s.Epochs)
	}
	for _, r := range s.Rules {
		if r.Evaluated <= 0 || r.Evaluated > time.Hour || r.Name != "big" && r.Bytes == 0 || r.Name == "up" && r.Runs == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestEventsThatHaveWaitedInTheStore were there when the engine began, as far as is known.
func TestEventsThatHaveWaitedInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := compile(t, strings.Replace(swapEvents, "at(s)", "at(s), lateness: 10s", 1)+"rule all { from e emit { n: n } }\n")
		store := memoryStore{state.NewMemory()}
		alerts := 0
		run := func(records ...string) {
			in := newTap("p")
			e, err := engine.New(t.Context(), engine.Options{
				Set: set, Store: store, Outbox: &texts{}, Inputs: []engine.Input{{Source: in, Idle: time.Hour}},
				Timing: func(x *engine.Timing) {
					for _, a := range x.Alerts {
						if alerts++; a.Took < 0 || a.Took > time.Minute {
							t.Errorf("an alert took %s", a.Took)
						}
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				in.records <- r
			}
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
			defer stop()
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		}
		run(swapRecord(1, 1, 1))
		run(swapRecord(100, 1, 1))
		if alerts == 0 {
			t.Error("no alert came of what waited")
		}
	})
}
