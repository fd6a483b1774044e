package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
)

// TestMemoryRunReachesEveryLimit keeps the curve honest: where a limit is not reached,
// it shows nothing of what happens there.
func TestMemoryRunReachesEveryLimit(t *testing.T) {
	samples, err := measureMemory(100_000, 1, "", func(*sample) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != samplesOf {
		t.Fatalf("%d samples, want %d", len(samples), samplesOf)
	}
	last := samples[len(samples)-1]
	if last.events != 100_000 || last.alerts == 0 || last.heap == 0 || last.resident == 0 {
		t.Errorf("the last sample is %+v", last)
	}
	d := last.dropped
	for name, n := range map[string]uint64{
		"keys": d.Keys, "runs": d.Runs, "events of runs": d.RunEvents, "events of windows": d.WindowEvents, "silences": last.silences, "dedup marks": last.marks,
	} {
		if n == 0 {
			t.Errorf("no %s were dropped", name)
		}
	}
	if k := last.kept; k.Timers == 0 || k.Timers > 2*k.Keys+1024 {
		t.Errorf("%d timers for %d keys", k.Timers, k.Keys)
	}
	if err := xml.Unmarshal(curve(samples), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("the curve: %v", err)
	}
}

func TestGrowthComparesTheLastQuarterWithTheSecond(t *testing.T) {
	for name, c := range map[string]struct {
		heap []uint64
		want float64
	}{
		"flat":                       {[]uint64{1, 2, 10, 10, 10, 10, 10, 10}, 1},
		"a fifth more":               {[]uint64{1, 2, 10, 10, 10, 10, 12, 12}, 1.2},
		"the beginning is not asked": {[]uint64{900, 900, 10, 10, 1, 1, 5, 5}, 0.5},
		"too few to say":             {[]uint64{1}, math.NaN()},
	} {
		samples := make([]sample, len(c.heap))
		for i := range samples {
			samples[i].heap = c.heap[i]
		}
		if got := growth(samples, heapOf); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestMixedCards: what the curve claims of its stream.
func TestMixedCards(t *testing.T) {
	const payments = 20_000
	m := gen.NewMixed(1, 3)
	ids, cards, types := map[string]int{}, map[string]int{}, map[string]int{}
	for range payments {
		var p struct{ ID, Card, Type string }
		if err := json.Unmarshal(m.Append(nil), &p); err != nil {
			t.Fatal(err)
		}
		ids[p.ID]++
		if ids[p.ID] == 1 {
			cards[p.Card]++
			types[p.Type]++
		}
	}
	once := 0
	for card, n := range cards {
		if card[0] == 'n' {
			once++
			if n != 1 {
				t.Errorf("card %s came %d times", card, n)
			}
		}
	}
	if copies := payments - len(ids); copies < payments/200 || copies > payments/50 {
		t.Errorf("%d copies of %d payments", copies, payments)
	}
	if once < payments/25 || once > payments/16 {
		t.Errorf("%d cards that came once, of %d payments", once, payments)
	}
	if len(types) != 3 {
		t.Errorf("%d types, want 3", len(types))
	}
	if a, b := gen.NewMixed(7, 2).Append(nil), gen.NewMixed(7, 2).Append(nil); !bytes.Equal(a, b) {
		t.Errorf("one seed gave %s and %s", a, b)
	}
}

func TestMemoryVerdictIsAnErrorWhereMemoryCannotBeJudged(t *testing.T) {
	if err := verdict(nil); !errors.Is(err, errGrows) {
		t.Errorf("no samples: %v", err)
	}
	if err := printMemory(io.Discard, options{events: 3_000, seed: 1, results: t.TempDir()}); err != nil && !errors.Is(err, errGrows) {
		t.Error(err) // so short a run may grow
	}
}
