package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
)

// samplesOf is how many samples are taken of a run.
const samplesOf = 20

// mostGrowth is how much more memory the last quarter of a run may take than the second
// one, by their means: the first fills what is bounded.
const mostGrowth = 1.2

// sample is what is remembered at a moment of a run, and what has been dropped until
// then.
type sample struct {
	events   uint64 // read
	heap     uint64 // bytes in use after a collection
	resident uint64 // bytes of memory that is no file's
	kept     engine.Remembered
	dropped  machine.Dropped
	silences uint64 // dropped
	marks    uint64 // dropped
	alerts   uint64
}

// printMemory streams payments through the rules of memoryText and prints a sample
// every twentieth of them. It is an error if memory has grown.
func printMemory(to io.Writer, o options) error {
	var text bytes.Buffer
	out := io.MultiWriter(to, &text)
	fmt.Fprintf(out, "%d payments through %d rules and tables; %s %s/%s, %d cores, %s\n\n", o.events, countRules(memoryText()),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(out, memoryRow, "events", "heap MB", "RSS MB", "keys", "kept", "runs", "timers", "silences", "marks", "-keys", "-runs", "-turns", "-window", "-silences", "-marks", "alerts")
	samples, err := measureMemory(o.events, o.seed, o.heap, func(s *sample) { fmt.Fprintf(out, memoryRow, s.columns()...) })
	if err != nil {
		return err
	}
	heap, resident := growth(samples, heapOf), growth(samples, residentOf)
	fmt.Fprintf(out, "\nlast quarter to second quarter: heap %.3f, resident %.3f (at most %.1f). A minus counts what limits have dropped until then.\n", heap, resident, mostGrowth)
	if o.results != "" {
		if err := writeMemory(o.results, text.Bytes(), samples); err != nil {
			return err
		}
	}
	return verdict(samples)
}

// errGrows says that memory is not flat.
var errGrows = errors.New("memory grows")

// verdict is errGrows unless memory is known to be flat.
func verdict(samples []sample) error {
	for _, of := range []func(*sample) float64{heapOf, residentOf} {
		if g := growth(samples, of); !(g <= mostGrowth) { // NaN is no growth that is known
			return fmt.Errorf("%w: %.3f of the second quarter in the last one", errGrows, g)
		}
	}
	return nil
}

// memoryRow is one row of the table.
const memoryRow = "%9s %8s %7s %7s %7s %7s %7s %8s %6s %9s %9s %9s %9s %9s %9s %9s\n"

func (s *sample) columns() []any {
	const mega = 1 << 20
	row := []any{
		strconv.FormatUint(s.events, 10),
		strconv.FormatFloat(float64(s.heap)/mega, 'f', 1, 64), strconv.FormatFloat(float64(s.resident)/mega, 'f', 1, 64),
	}
	for _, n := range []int{s.kept.Keys, s.kept.Events, s.kept.Runs, s.kept.Timers, s.kept.Silences, s.kept.Marks} {
		row = append(row, strconv.Itoa(n))
	}
	for _, n := range []uint64{s.dropped.Keys, s.dropped.Runs, s.dropped.RunEvents, s.dropped.WindowEvents, s.silences, s.marks, s.alerts} {
		row = append(row, strconv.FormatUint(n, 10))
	}
	return row
}

// measureMemory runs the rules over so many payments; each sees each sample as it is
// taken. With the last one a heap profile is written to the file heap, if it is named.
func measureMemory(events int, seed uint64, heap string, each func(*sample)) ([]sample, error) {
	var samples []sample
	every := uint64(max(1, events/samplesOf))
	watch := func(e *engine.Engine) error {
		if st := e.Stats(); st.Records >= every*uint64(len(samples)+1) {
			s, err := takeSample(e)
			if err != nil {
				return err
			}
			samples = append(samples, s)
			if each(&s); heap != "" && len(samples) == samplesOf {
				return writeHeap(heap)
			}
		}
		return nil
	}
	o := engine.Options{Limits: memoryLimits(), Silences: memorySilences, Marks: memoryMarks, EpochEvents: min(8<<10, max(1, events/samplesOf))}
	_, err := runSource("memory", memoryText(), &stream{payments: gen.NewMixed(seed, len(memoryGroups())), left: events}, o, watch)
	return samples, err
}

// takeSample looks at an engine between two epochs.
func takeSample(e *engine.Engine) (sample, error) {
	st := e.Stats()
	s := sample{events: st.Records, kept: e.Remembered(), marks: st.MarksDropped, alerts: st.Alerts}
	for i := range st.Rules {
		s.dropped.Add(st.Rules[i].Dropped)
		s.silences += st.Rules[i].SilencesDropped
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap = m.HeapAlloc
	kb, err := statusKB("RssAnon:")
	s.resident = uint64(kb) << 10
	return s, err
}

// growth is the mean of the last quarter of the samples over that of the second.
func growth(samples []sample, of func(*sample) float64) float64 {
	n := len(samples)
	return mean(samples[n-n/4:], of) / mean(samples[n/4:n/2], of)
}

func mean(samples []sample, of func(*sample) float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for i := range samples {
		sum += of(&samples[i])
	}
	return sum / float64(len(samples))
}

func heapOf(s *sample) float64     { return float64(s.heap) }
func residentOf(s *sample) float64 { return float64(s.resident) }

// writeMemory writes the table and the curve.
func writeMemory(dir string, table []byte, samples []sample) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.txt"), table, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "memory.svg"), curve(samples), 0o644)
}

// writeHeap writes a heap profile of this moment.
func writeHeap(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pprof.Lookup("heap").WriteTo(f, 0)
}

// countRules counts the declarations of rules and tables in a text that has each on a
// line of its own.
func countRules(text string) (n int) {
	for line := range bytes.Lines([]byte(text)) {
		if bytes.HasPrefix(line, []byte("rule ")) || bytes.HasPrefix(line, []byte("table ")) {
			n++
		}
	}
	return n
}

// stream is a source of generated payments: what stands in no file takes no room there.
type stream struct {
	payments *gen.Mixed
	left     int
	at       int64
	line     []byte
}

// streamBatch is how many payments one Next gives.
const streamBatch = 1000

// Partition implements [engine.Source].
func (s *stream) Partition() event.Partition { return event.Partition{Source: "payments"} }

// Resume implements [engine.Source]; the stream begins anew in each process.
func (s *stream) Resume(context.Context, int64, []byte) error {
	return errors.New("generated payments cannot be resumed")
}

// Next implements [engine.Source].
func (s *stream) Next(_ context.Context, into *event.Batch) error {
	for range min(streamBatch, s.left) {
		s.line = s.payments.Append(s.line[:0])
		into.Add(0, s.at, 0, s.line)
		s.at++
		s.left--
	}
	if s.left == 0 {
		return io.EOF
	}
	return nil
}

// Position implements [engine.Source].
func (s *stream) Position() int64 { return s.at }

// Fingerprint implements [engine.Source].
func (s *stream) Fingerprint() []byte { return nil }
