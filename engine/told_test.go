package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// What sinks deliver while no event comes is committed within the interval: a crash would
// have them get all of it again. When there is nothing more to deliver, nothing is committed.
func TestDeliveriesAreCommittedWhileNothingComes(t *testing.T) {
	for name, idle := range map[string]time.Duration{"idle": 3 * second, "not yet idle": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, start := lasting{state.NewMemory()}, time.Now()
				box, err := state.OpenOutbox(t.Context(), store)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				e, err := engine.New(ctx, engine.Options{
					Set: compile(t, ab+`rule r { from a emit { i: i } }`), Store: store, Outbox: box, Idle: idle, CommitEvery: second,
					Delivered: func() map[string]uint64 { // one each ten seconds
						return map[string]uint64{"s": min(3, uint64(time.Since(start)/(10*second)))}
					},
					Inputs: []engine.Input{{Source: &script{name: "p", stays: true, portions: []portion{{Records: []string{rec("a", 1, 1), rec("a", 2, 2), rec("a", 3, 3)}}}}}},
				})
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- e.Run(ctx) }()
				for n := range uint64(4) {
					time.Sleep(time.Until(start.Add(time.Duration(n)*10*second + 2*second)))
					synctest.Wait()
					if got, err := box.Delivered("s"); got != n || err != nil {
						t.Errorf("after %s the store knows of %d, want %d, %v", time.Since(start), got, n, err)
					}
				}
				epochs := store.Epoch()
				time.Sleep(time.Minute)
				synctest.Wait()
				if now := store.Epoch(); now != epochs {
					t.Errorf("%d epochs for nothing", now-epochs)
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
