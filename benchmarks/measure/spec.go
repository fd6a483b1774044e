package measure

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// Mode is what of the way of an event is measured.
type Mode string

// The modes; see the package's comment.
const (
	Engine  Mode = "engine"
	JSON    Mode = "json"
	Process Mode = "run"
)

// Spec says what is to be measured.
type Spec struct {
	Workload string  `json:"workload"`
	Size     int     `json:"size,omitempty"` // the workload's n
	Events   int     `json:"events"`
	Keys     int     `json:"keys"`
	Mode     Mode    `json:"mode"`
	Cores    int     `json:"cores"`
	Runs     int     `json:"runs"`              // at least so many, after the warm-up
	Seconds  float64 `json:"seconds"`           // and until they have taken so long together; 0: no longer
	Latency  bool    `json:"latency,omitempty"` // measure it too, at the shares of Loads
	Profile  string  `json:"profile,omitempty"` // folder for profiles; empty: none
}

// Loads are the shares of the greatest rate at which latency is measured.
func Loads() []float64 { return []float64{0.5, 0.9} }

// Result is what was measured.
type Result struct {
	Spec
	Matches int       `json:"matches"` // as the oracle counts
	Alerts  int       `json:"alerts"`
	Times   []float64 `json:"times"`       // seconds of each run
	CPU     []float64 `json:"cpu"`         // CPU seconds of each run, of the whole process
	Allocs  float64   `json:"allocs"`      // an event; negative: not known
	Bytes   float64   `json:"alloc_bytes"` // allocated an event
	GC      float64   `json:"gc_share"`    // of the CPU time
	PeakKB  int64     `json:"peak_kb"`     // resident at most, without the loaded events
	Arrival []Latency `json:"latency,omitempty"`
}

// Latency is the time from an event's arrival to its alert.
type Latency struct {
	Load   float64    `json:"load"` // share of the greatest rate
	Rate   float64    `json:"rate"` // events a second
	Alerts int        `json:"alerts"`
	Micros [3]float64 `json:"micros"` // p50, p99, p99.9
}

// Rate is the median of the runs, in events a second.
func (r *Result) Rate() float64 { return float64(r.Events) / Median(r.Times) }

// Best is the fastest run, in events a second.
func (r *Result) Best() float64 { return float64(r.Events) / slices.Min(r.Times) }

// CPUNanos is the median CPU time of an event.
func (r *Result) CPUNanos() float64 { return Median(r.CPU) * 1e9 / float64(r.Events) }

// Median is the middle of the values, the lower of two; there must be one.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// withDefaults fills in what is zero and finds the workload.
func (s Spec) withDefaults() (Spec, *workload.Workload, error) {
	w, ok := workload.Find(s.Workload)
	if !ok {
		return s, nil, fmt.Errorf("no workload %q", s.Workload)
	}
	s.Size = cmp.Or(s.Size, w.Size())
	s.Events, s.Keys = cmp.Or(s.Events, w.Events), cmp.Or(s.Keys, w.Keys)
	s.Mode, s.Cores = cmp.Or(s.Mode, Engine), cmp.Or(s.Cores, 1)
	s.Runs = max(s.Runs, 1)
	if w.Trades && (s.Keys < 1 || s.Keys > 10) {
		return s, nil, fmt.Errorf("%s reads trades in %d names: from 1 to 10", s.Workload, s.Keys)
	}
	if s.Events < 1 || s.Keys < 1 || s.Size < 0 {
		return s, nil, fmt.Errorf("%s over %d events of %d keys, size %d: all must be positive", s.Workload, s.Events, s.Keys, s.Size)
	}
	return s, w, nil
}
