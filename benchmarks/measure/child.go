package measure

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
)

// Child measures a Spec of mode Engine or JSON in this process, whose memory and cores
// should be its own.
func Child(spec Spec) (*Result, error) {
	spec, w, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(spec.Cores)
	profileNothing(spec)
	set, err := compileRules(w, spec.Size)
	if err != nil {
		return nil, err
	}
	r := &runner{w: w, mode: spec.Mode, set: set}
	if w.EachOnce {
		return r.eachOnce(spec)
	}
	if w.Fill != nil {
		r.fill = w.Fill(spec.Size)
	}
	want, err := r.load(spec)
	if err != nil {
		return nil, err
	}
	base := forgetPeak()
	result, err := r.measure(spec, want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Workload, err)
	}
	result.PeakKB = max(0, peak()-base)
	if spec.Latency && r.fill == 0 {
		result.Arrival, err = r.latencies(result)
	}
	return result, err
}

// load loads the events, and returns how many matches there must be.
func (r *runner) load(spec Spec) (want int, err error) {
	events := r.w.Generate(r.fill+spec.Events, spec.Keys)
	want = r.w.Matches(events, spec.Size)
	if r.stream, err = load(events); err != nil || spec.Mode == JSON {
		return want, err
	}
	return want, r.stream.decode(r.set)
}

// measure warms up and runs.
func (r *runner) measure(spec Spec, want int) (*Result, error) {
	result := &Result{Spec: spec}
	if _, err := r.once(want); err != nil { // the heap has its size after it, and pages are there
		return nil, err
	}
	stop, err := startProfile(spec)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for len(result.Times) < spec.Runs || total < spec.Seconds {
		m, err := r.once(want)
		if err != nil {
			return nil, err
		}
		result.Times, result.CPU = append(result.Times, m.seconds), append(result.CPU, m.cpu)
		result.Matches, result.Alerts = m.matches, m.alerts
		result.Allocs, result.Bytes = float64(m.mallocs)/float64(spec.Events), float64(m.bytes)/float64(spec.Events)
		total, result.GC = total+m.seconds, result.GC+m.gc
	}
	result.GC /= float64(len(result.Times))
	return result, stop()
}

// eachOnce runs once, without warm-up, over payments of as many cards as the size is, and
// then over one more of each, which alone are timed.
func (r *runner) eachOnce(spec Spec) (*Result, error) {
	spec.Events = spec.Size
	base := forgetPeak()
	in := &eachCard{payment: gen.Payment{TS: 1_700_000_000_000, Amount: 10}, cards: spec.Size}
	m, err := r.run(in, func(start func()) { in.full = start })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Workload, err)
	}
	return &Result{
		Spec: spec, Times: []float64{m.seconds}, CPU: []float64{m.cpu}, Matches: m.matches, GC: m.gc,
		Allocs: float64(m.mallocs) / float64(spec.Events), Bytes: float64(m.bytes) / float64(spec.Events),
		PeakKB: max(0, peak()-base),
	}, nil
}

// once runs over the whole stream and compares the matches with the oracle's.
func (r *runner) once(want int) (measured, error) {
	in := &feed{s: r.stream, fill: r.fill}
	m, err := r.run(in, func(start func()) {
		if r.fill > 0 {
			in.full = start
		}
	})
	if err == nil && m.matches != want {
		err = fmt.Errorf("%d matches, and the oracle counts %d", m.matches, want)
	}
	return m, err
}

// latencyRun is how long the events of one measurement of latency last.
const latencyRun = 2 * time.Second

// latencies measures the time from arrival to alert at shares of the rate of a result.
func (r *runner) latencies(result *Result) (all []Latency, err error) {
	r.watching = true
	defer func() { r.watching = false }()
	for _, load := range Loads() {
		l, err := r.latency(load, load*result.Rate())
		if err != nil {
			return nil, fmt.Errorf("latency at %.0f %% load: %w", 100*load, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// latency paces the events at a rate, in events a second. Of the alerts those count whose
// cause came; the first tenth of the time is warm-up.
func (r *runner) latency(load, rate float64) (Latency, error) {
	in := &paced{feed: feed{s: r.stream}, rate: rate / 1e9, total: min(len(r.stream.times), int(rate*latencyRun.Seconds()))}
	m, err := r.run(in, func(func()) {})
	if err != nil {
		return Latency{}, err
	}
	var took []float64
	for _, s := range m.sightings {
		if i, ok := r.stream.causeOf(s.time); ok && i < in.total && i >= in.total/10 {
			took = append(took, max(0, float64(s.seen.Sub(in.arrival(i)))/1e3))
		}
	}
	l := Latency{Load: load, Rate: rate, Alerts: len(took)}
	if slices.Sort(took); len(took) > 0 {
		l.Micros = [3]float64{quantile(took, 0.5), quantile(took, 0.99), quantile(took, 0.999)}
	}
	return l, nil
}

// quantile is the value at a share of the way through sorted values.
func quantile(sorted []float64, share float64) float64 {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
