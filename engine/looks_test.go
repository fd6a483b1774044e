package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

const lookedAt = `event payment (time: ts(s)) { ts int  card string  amount int  at time?  ip ip?  span duration?  on bool? }
rule often  { from payment by card window sliding 1h having count() > 1000000 emit { n: count() s: sum(amount) } }
rule up     { by card match a: payment -> b: payment[amount > a.amount + 1000000] within 1h }
rule gone   { by card match a: payment -> !payment for 1h }
rule odd    { from payment by at, ip, span, on as flag window last 2 having count() > 1000000 emit { n: count() } }
rule quiet  { from payment where amount > 0 by card emit { a: amount } suppress 1h }
table seen by card from payment { n: count() }
`

// steady is a source that gives a few payments at a time, until its channel is closed.
type steady struct {
	at  int64
	end chan struct{}
}

func (*steady) Partition() event.Partition                  { return event.Partition{Source: "p"} }
func (*steady) Resume(context.Context, int64, []byte) error { return nil }
func (s *steady) Position() int64                           { return s.at }
func (*steady) Fingerprint() []byte                         { return nil }

func (s *steady) Next(ctx context.Context, into *event.Batch) error {
	select {
	case <-s.end:
		<-ctx.Done()
		return ctx.Err()
	case <-time.After(time.Millisecond): // what is remembered is to stay little
	}
	for range 100 {
		into.Add(0, s.at, 0, fmt.Appendf(nil, `{"type":"payment","ts":%d,"card":"c%d","amount":%d,"at":"2026-01-01T00:00:00Z","ip":"10.0.0.1","span":"1h","on":true}`, s.at, s.at%1000, s.at%7))
		s.at++
	}
	return nil
}

// TestKeysAreLookedAtWhileTheEngineRuns, by several at once, in memory and in the store.
func TestKeysAreLookedAtWhileTheEngineRuns(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: lookedAt}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprintf("durable=%v", durable), func(t *testing.T) {
			o := engine.Options{Set: set, Store: state.NewMemory(), Outbox: &silent{}, Shards: 2, CommitEvery: 10 * time.Millisecond, EpochEvents: 500}
			if durable {
				store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				o.Store, o.Cache = store, 1
			}
			src := &steady{end: make(chan struct{})}
			o.Inputs = []engine.Input{{Source: src}}
			e, err := engine.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- e.Run(ctx) }()
			var all sync.WaitGroup
			for n := range 4 {
				all.Go(func() { lookAround(t, e, n) })
			}
			all.Wait()
			close(src.end) // while it waits for more, it answers too
			wantKnown(t, e, "odd", []string{"2026-01-01T00:00:00Z", "10.0.0.1", "1h", "true"}, "window")
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if _, err := e.Explain(t.Context(), "often", []string{"c1"}); !errors.Is(err, engine.ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func lookAround(t *testing.T, e *engine.Engine, n int) {
	for i := range 15 {
		card := []string{fmt.Sprintf("c%d", (n*331+67*i)%1000)}
		for _, rule := range []string{"often", "up", "gone", "quiet"} {
			v, err := e.Explain(t.Context(), rule, card)
			if err != nil {
				t.Error(err)
				return
			}
			if v.Known && rule == "often" && (len(v.Windows) != 1 || v.Windows[0].Events == 0) || v.Known && rule == "gone" && v.Runs[len(v.Runs)-1].Matches == nil {
				t.Errorf("%s of %s: %+v", rule, card, v)
			}
		}
	}
	wantKnown(t, e, "table seen", []string{"c0"}, "table")
	wantKnown(t, e, "up", []string{"card=c0"}, "pattern")
	wantKnown(t, e, "quiet", []string{"c1"}, "filter")
}

func wantKnown(t *testing.T, e *engine.Engine, rule string, key []string, kind string) {
	t.Helper()
	for range 500 {
		v, err := e.Explain(t.Context(), rule, key)
		if err != nil || v.Kind != kind {
			t.Errorf("%s %v: %+v, %v", rule, key, v, err)
			return
		}
		if v.Known {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("nothing is known of %s %v", rule, key)
}

// TestWhatIsNoKeyIsRefused says what the key is.
func TestWhatIsNoKeyIsRefused(t *testing.T) {
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: lookedAt}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	e, err := engine.New(t.Context(), engine.Options{Set: set, Store: state.NewMemory(), Outbox: &silent{}})
	if err != nil {
		t.Fatal(err)
	}
	for rule, key := range map[string][]string{
		"often": {"a", "b"}, "odd": {"yesterday", "10.0.0.1", "1h", "true"}, "up": nil, "table seen": nil,
	} {
		_, err := e.Look(rule, key)
		if wrong := (*engine.KeyError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "; the key of "+rule+" is ") {
			t.Errorf("%s %v: %v", rule, key, err)
		}
	}
	if _, err := e.Look("none", nil); !errors.Is(err, engine.ErrNoRule) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Explain(ctx, "often", []string{"a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestAllWhoAskAreAnswered though the bell that they ring rings once, and nothing comes any more.
func TestAllWhoAskAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, _ := running(t, swapEvents+"rule often { from e by k window last 3 having count() == 3 emit { n: count() } }\n", engine.Options{})
		in.records <- swapRecord(1, 1, 1)
		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				if v, err := e.Explain(ctx, "often", []string{"1"}); err != nil || !v.Known {
					t.Errorf("%+v, %v", v, err)
				}
			})
		}
		all.Wait()
	})
}
