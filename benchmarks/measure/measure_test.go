package measure

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/workload"
	"github.com/cepheus-cep/cepheus/event"
)

// TestEveryWorkloadFindsWhatTheOracleFinds: Child is an error where they differ.
func TestEveryWorkloadFindsWhatTheOracleFinds(t *testing.T) {
	for _, w := range workload.All() {
		for _, mode := range []Mode{Engine, JSON} {
			spec := Spec{Workload: w.Name, Events: 12_000, Keys: min(w.Keys, 40), Mode: mode, Cores: runtime.GOMAXPROCS(0)}
			if len(w.Sizes) > 0 {
				spec.Size = min(w.Size(), 200)
			}
			if w.Trades {
				spec.Keys = 3
			}
			r, err := Child(spec)
			if err != nil {
				t.Errorf("%s, %s: %v", w.Name, mode, err)
				continue
			}
			if none := w.Growth; (r.Matches == 0) != none || len(r.Times) != 1 || r.Times[0] <= 0 {
				t.Errorf("%s, %s: %+v", w.Name, mode, r)
			}
		}
	}
}

func TestOtherMatchesThanTheOracleAreAnError(t *testing.T) {
	r := loaded(t, "W4", Engine, 3000)
	m, err := r.once(59)
	if err != nil || m.matches != 59 {
		t.Fatalf("%d matches, %v", m.matches, err)
	}
	if _, err := r.once(60); err == nil || !strings.Contains(err.Error(), "59 matches, and the oracle counts 60") {
		t.Errorf("got %v", err)
	}
}

// loaded makes a runner over events of 20 cards.
func loaded(t *testing.T, name string, mode Mode, events int) *runner {
	t.Helper()
	w, _ := workload.Find(name)
	set, err := compileRules(w, w.Size())
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{w: w, mode: mode, set: set}
	if _, err := r.load(Spec{Events: events, Keys: 20, Mode: mode}); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLatencyKnowsTheCauseOfAnAlert: an alert of a window that ends, or of an absence, has
// the time of its deadline; the event that passed it is its cause.
func TestLatencyKnowsTheCauseOfAnAlert(t *testing.T) {
	s := &stream{times: []int64{10, 10, 20, 40}}
	for _, c := range []struct {
		time int64
		want int
		ok   bool
	}{{5, 0, true}, {10, 0, true}, {11, 2, true}, {20, 2, true}, {39, 3, true}, {40, 3, true}, {41, 4, false}} {
		if got, ok := s.causeOf(c.time); got != c.want || ok != c.ok {
			t.Errorf("time %d: event %d, %t; want %d, %t", c.time, got, ok, c.want, c.ok)
		}
	}
}

func TestLatencyCountsTheAlertsOfBothModes(t *testing.T) {
	for _, mode := range []Mode{Engine, JSON} {
		r := loaded(t, "W1", mode, 5000)
		r.watching = true
		l, err := r.latency(0.5, 50_000)
		if err != nil {
			t.Fatal(err)
		}
		if l.Alerts < 40 || l.Micros[0] <= 0 || l.Micros[0] > l.Micros[1] || l.Micros[1] > l.Micros[2] {
			t.Errorf("%s: %+v", mode, l)
		}
	}
}

// TestPacedGivesEventsWhenTheyArrive: none before its time, and all that have come.
func TestPacedGivesEventsWhenTheyArrive(t *testing.T) {
	s := loaded(t, "W1", JSON, 2500).stream
	synctest.Test(t, func(t *testing.T) {
		p := &paced{feed: feed{s: s}, rate: 1e-6, total: 2200} // one a millisecond
		given := 0
		for i := 0; ; i++ {
			var b event.Batch
			if err := p.Next(t.Context(), &b); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			given += len(b.Records)
			if last := p.arrival(given - 1); last.After(time.Now()) {
				t.Fatalf("event %d was given %v early", given-1, time.Until(last))
			}
			if i == 3 {
				time.Sleep(500 * time.Millisecond) // the engine is busy
			}
			if i == 4 && given < 500 {
				t.Errorf("%d events were given after half a second", given)
			}
		}
		if given != 2200 {
			t.Errorf("%d events were given, want 2200", given)
		}
	})
}

func TestTableSaysWhatIsNotKnown(t *testing.T) {
	var b strings.Builder
	Table{To: &b}.Add(&Result{Spec: Spec{Workload: "W1", Events: 1000, Mode: Process, Cores: 1}, Times: []float64{0.5, 0.25, 1}, CPU: []float64{0.1, 0.2, 0.3}, Allocs: -1, PeakKB: 2048, Matches: 7})
	if got, want := strings.Join(strings.Fields(b.String()), " "), "W1 - run 1 2000 4000 500000.0 200000.0 - - 2.0 7 - -"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
