package api

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cepheus-cep/cepheus/engine"
)

// Timings are how long epochs, alerts and deliveries took. Its methods are handed to the
// engine and the dispatcher.
type Timings struct {
	mu                  sync.Mutex
	epoch, commit, took histogram
	sinks               map[string]*histogram
}

// NewTimings makes timings of nothing yet.
func NewTimings() *Timings { return &Timings{sinks: map[string]*histogram{}} }

// Epoch is for engine.Options.Timing.
func (t *Timings) Epoch(e *engine.Timing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch.observe(1, e.Epoch)
	t.commit.observe(1, e.Commit)
	for _, a := range e.Alerts {
		t.took.observe(a.N, a.Took)
	}
}

// Delivered is for sinks.Options.Took.
func (t *Timings) Delivered(sink string, alerts int, since time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.sinks[sink]
	if h == nil {
		h = &histogram{}
		t.sinks[sink] = h
	}
	h.observe(uint64(alerts), since)
}

// bounds are the upper ones of buckets, in seconds: from 1 ms to 16 s in factors of two, then
// what a receiver that is down makes of it.
var bounds = [...]float64{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16, 60, 300, 3600}

// histogram counts many at once, which that of Prometheus' client does one by one.
type histogram struct {
	counts [len(bounds) + 1]uint64
	n      uint64
	sum    float64
}

func (h *histogram) observe(n uint64, took time.Duration) {
	seconds := max(0, took.Seconds())
	at, _ := slices.BinarySearch(bounds[:], seconds)
	h.counts[at] += n
	h.n += n
	h.sum += float64(n) * seconds
}

// metric is the histogram as Prometheus has it: each bucket counts those below it too.
func (h *histogram) metric(name, help string, labels ...string) prometheus.Metric {
	names, values := pairs(labels)
	below, buckets := uint64(0), make(map[float64]uint64, len(bounds))
	for i, bound := range bounds {
		below += h.counts[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, names, nil), h.n, h.sum, buckets, values...)
}

func (p pen) timings(t *Timings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.to <- t.epoch.metric("cepheus_epoch_duration_seconds", "From the first record of an epoch until it was durable.")
	p.to <- t.commit.metric("cepheus_commit_duration_seconds", "How long an epoch took to be written.")
	p.to <- t.took.metric("cepheus_event_to_alert_seconds", "From when the events of an alert's round were there until the alert was durable.")
	for _, sink := range slices.Sorted(maps.Keys(t.sinks)) {
		p.to <- t.sinks[sink].metric("cepheus_alert_to_sink_seconds", "From when an alert was durable until the sink had taken it.", "sink", sink)
	}
}
