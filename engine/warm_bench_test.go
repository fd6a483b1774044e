package engine_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// BenchmarkWarm is the past of many keys read beside an engine that is at rest, and handed over
// with the change: how long the one takes an event, and the other a key.
func BenchmarkWarm(b *testing.B) {
	for _, kind := range []struct{ name, rule string }{
		{"window", "rule r {\n from e by k\n window last 3\n having count() == 3 and sum(n) < 0\n emit { sum: sum(n) }\n}\n"},
		{"pattern", "rule r {\n by k\n match a: e[n == 1] -> b: e[n == 2]\n within 1d\n emit { n: b.n }\n}\n"},
	} {
		for _, keys := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", kind.name, keys), func(b *testing.B) { benchWarm(b, swapEvents+kind.rule, keys) })
		}
	}
}

func benchWarm(b *testing.B, rules string, keys int) {
	var records []string
	for k := range keys {
		records = append(records, swapRecord(10, k, 1))
	}
	var reading, pause, worked time.Duration
	for b.Loop() {
		in := newTap("p")
		e, err := engine.New(b.Context(), engine.Options{Set: compile(b, swapEvents), Store: state.NewMemory(), Outbox: &texts{}, Shards: 1, Inputs: []engine.Input{{Source: in}}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		in.records <- swapRecord(100, 1, 0)
		in.records <- swapRecord(100, 1, 0)
		began := time.Now()
		w, err := e.Warm(ctx, engine.Past{Set: compile(b, rules), Whole: []engine.Input{{Source: &many{records: records}}}, Until: math.MinInt64}, nil)
		if err != nil {
			b.Fatal(err)
		}
		go func() { _ = w.Run(ctx) }()
		<-w.Near()
		reading += time.Since(began)
		before := cpuTime()
		r, err := e.SwapWarm(ctx, compile(b, rules), w)
		if err != nil || r.Rules[0].WarmKeys != keys {
			b.Fatal(err, r.Rules)
		}
		pause += r.Pause
		worked += cpuTime() - before
		stop()
		<-ended
	}
	all := float64(b.N) * float64(keys)
	b.ReportMetric(float64(reading.Nanoseconds())/all, "ns/event")
	b.ReportMetric(float64(pause.Nanoseconds())/all, "ns/key")
	b.ReportMetric(float64(pause.Microseconds())/1e3/float64(b.N), "ms/pause")
	b.ReportMetric(float64(worked.Microseconds())/1e3/float64(b.N), "cpu-ms/change")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what the process has worked, on all cores.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// many gives a thousand records at a time.
type many struct {
	log
	records []string
	at      int
}

func (m *many) Next(_ context.Context, into *event.Batch) error {
	for range min(1000, len(m.records)-m.at) {
		into.Add(0, int64(m.at), 0, []byte(m.records[m.at]))
		m.at++
	}
	if m.at == len(m.records) {
		return io.EOF
	}
	return nil
}
