package sinks_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/webhook"
	"github.com/cepheus-cep/cepheus/state"
)

const (
	proofAlerts = 100_000
	proofEpoch  = 200 // alerts
)

// watched is a sink that notes when each row came, since the row was committed.
type watched struct {
	committed *[proofAlerts + 1]atomic.Int64 // by row
	mu        sync.Mutex
	took      []time.Duration
	next      uint64
	outOfTurn int
}

func (w *watched) Deliver(_ context.Context, rows []sinks.Row) (int, error) {
	now := time.Now().UnixNano()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rows {
		if w.next++; r.Number != w.next {
			w.outOfTurn++
		}
		w.took = append(w.took, time.Duration(now-w.committed[r.Number].Load()))
	}
	return len(rows), nil
}

func (w *watched) Flush(context.Context) error { return nil }
func (w *watched) Close() error                { return nil }

func (w *watched) p99() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.took)
	return w.took[len(w.took)*99/100]
}

// proofReceiver keeps ids, and may answer otherwise.
type proofReceiver struct {
	mu    sync.Mutex
	ids   map[string]int
	fault func(since time.Duration) (status int, wait time.Duration)
	t0    time.Time
}

func (k *proofReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, wait := k.fault(time.Since(k.t0))
	time.Sleep(wait)
	if status == 0 { // reset
		panic(http.ErrAbortHandler)
	}
	if status/100 == 2 {
		k.mu.Lock()
		for line := range strings.Lines(string(body)) {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"id":"`), `"`)
			k.ids[id]++
		}
		k.mu.Unlock()
	}
	w.WriteHeader(status)
}

// TestFaultsOfOneSinkAreItsOwn: 100,000 alerts for a receiver in trouble and one that is well.
// Nothing is lost, memory is bounded, and the other sink is as quick as ever (its p99 is
// printed).
func TestFaultsOfOneSinkAreItsOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds a fault")
	}
	for _, f := range []struct {
		name  string
		fault func(since time.Duration) (int, time.Duration)
	}{
		{"well", func(time.Duration) (int, time.Duration) { return 204, 0 }},
		{"down at first", func(since time.Duration) (int, time.Duration) {
			if since < 2*time.Second {
				return 503, 0
			}
			return 204, 0
		}},
		{"flapping", func(since time.Duration) (int, time.Duration) {
			switch since.Milliseconds() / 50 % 3 {
			case 0:
				return 0, 0
			case 1:
				return 500, 0
			}
			return 204, 0
		}},
		{"hanging", func(since time.Duration) (int, time.Duration) {
			if since < time.Second {
				return 204, 300 * time.Millisecond
			}
			return 204, 0
		}},
		{"slow", func(since time.Duration) (int, time.Duration) {
			if since < 2*time.Second {
				return 204, time.Second
			}
			return 204, 0
		}},
	} {
		t.Run(f.name, func(t *testing.T) { proveFault(t, f.fault) })
	}
}

func proveFault(t *testing.T, fault func(time.Duration) (int, time.Duration)) {
	store := state.NewMemory()
	defer store.Close()
	box, err := state.OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	k := &proofReceiver{ids: map[string]int{}, fault: fault, t0: time.Now()}
	server := httptest.NewServer(k)
	defer server.Close()
	hook, err := webhook.New(server.URL, webhook.Options{Batch: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer hook.Close()
	good := &watched{committed: new([proofAlerts + 1]atomic.Int64)}
	d, err := sinks.NewDispatcher(box, []sinks.Target{
		{Name: "good", Sink: good},
		{Name: "hook", Sink: hook, Delivery: sinks.Delivery{MaxRows: 2 * proofAlerts, Timeout: 100 * time.Millisecond, Backoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond, Open: 100 * time.Millisecond}},
	}, sinks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(t.Context()) }()
	var b state.Batch
	for n := 1; n <= proofAlerts; n++ {
		row := box.Append(&b, fmt.Appendf(nil, `{"id":"%d","rule":"r","key":{"k":"%d"},"time":"2026-01-01T00:00:00Z"}`, n, n%100))
		good.committed[row].Store(time.Now().UnixNano())
		if n%proofEpoch == 0 {
			box.Acknowledge(&b, d.Acks())
			if err := store.Commit(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if err := d.Committed(t.Context(), box.Last()); err != nil {
				t.Fatal(err)
			}
			b.Reset()
			time.Sleep(time.Millisecond)
		}
	}
	p99 := good.p99()
	d.Drain()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	repeats := 0
	for _, n := range k.ids {
		repeats += n - 1
	}
	stats := d.Stats()[1]
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("| webhook | receiver %s; p99 of the sink beside it %s | %d | %d | %d |", strings.TrimPrefix(t.Name(), "TestFaultsOfOneSinkAreItsOwn/"), p99.Round(time.Microsecond), proofAlerts, proofAlerts-len(k.ids), repeats)
	t.Logf("p99 of the other sink %s; %d attempts failed, %d alerts came again, %d MiB in use", p99.Round(time.Microsecond), stats.Retries, repeats, memory.HeapInuse>>20)
	if len(k.ids) != proofAlerts || stats.Delivered != proofAlerts || stats.Dead != 0 {
		t.Errorf("%d different alerts arrived, %+v", len(k.ids), stats)
	}
	if len(good.took) != proofAlerts || good.outOfTurn != 0 {
		t.Errorf("the other sink has %d alerts, %d out of turn", len(good.took), good.outOfTurn)
	}
}
