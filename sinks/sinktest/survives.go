package sinktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Server is a receiver that can be killed, and started again over its data.
type Server interface {
	Kill(t testing.TB)
	Start(t testing.TB)
}

// Survives delivers n alerts while the server is killed, is away for a moment and comes
// back, and wants each at the receiver once and none among the dead letters: ids returns
// what the receiver has.
func Survives(t *testing.T, server Server, to sinks.Sink, how sinks.Delivery, n int, ids func() []string) {
	t.Helper()
	killing := &killing{Sink: to, t: t, server: server, after: 5, failed: make(chan struct{})}
	if how.Batch == 0 {
		how.Batch = max(1, n/20)
	}
	how.MaxBackoff = 200 * time.Millisecond
	how.Backoff = 10 * time.Millisecond
	got := Deliver(t, killing, how, Alerts(n))
	killing.once.Do(func() { close(killing.failed) }) // where none did
	killing.back.Wait()
	if got.Err != nil || len(got.Dead) > 0 || got.Stats.Delivered != uint64(n) || got.Stats.Retries == 0 {
		t.Fatalf("%v, %d dead letters, %+v", got.Err, len(got.Dead), got.Stats)
	}
	all := ids()
	slices.Sort(all)
	once := slices.Compact(slices.Clone(all))
	name, _, _ := strings.Cut(t.Name(), "/")
	Tell(t, strings.ToLower(strings.TrimPrefix(name, "Test")), "killed (SIGKILL), and back", n, n-len(once), len(all)-len(once))
	if len(all) != n || len(once) != n {
		t.Errorf("the receiver has %d alerts, %d different ones, want %d", len(all), len(once), n)
	}
}

// killing kills the server beside an attempt; the next waits until it is dead, and the server
// comes back when one has failed.
type killing struct {
	sinks.Sink
	t      testing.TB
	server Server
	after  int // attempts
	dead   sync.WaitGroup
	back   sync.WaitGroup
	failed chan struct{}
	once   sync.Once
}

func (k *killing) Deliver(ctx context.Context, rows []sinks.Row) (int, error) {
	k.dead.Wait()
	if k.after--; k.after == 0 {
		k.dead.Add(1)
		k.back.Go(func() {
			k.server.Kill(k.t)
			k.dead.Done()
			<-k.failed
			k.server.Start(k.t)
		})
	}
	n, err := k.Sink.Deliver(ctx, rows)
	if err != nil && k.after <= 0 {
		k.once.Do(func() { close(k.failed) })
	}
	return n, err
}

// ID is the id of alert n.
func ID(n int) string { return fmt.Sprintf("%032x", n) }
