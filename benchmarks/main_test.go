package main

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/benchmarks/measure"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

func TestPlotsAreXML(t *testing.T) {
	for name, lines := range map[string][]plotLine{
		"nothing":   nil,
		"one point": {{"W", []plotPoint{{10, 3}}}},
		"two lines": {{"a", []plotPoint{{1, 10}, {1000, 12}}}, {"b", []plotPoint{{50, 10}, {100_000, 90}}}},
	} {
		drawn := plot("Title", "ns", lines)
		if err := xml.Unmarshal(drawn, new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v\n%s", name, err, drawn)
		}
		if n := strings.Count(string(drawn), "<polyline"); n != len(lines) {
			t.Errorf("%s: %d lines drawn, want %d", name, n, len(lines))
		}
	}
}

func TestGrowthCurvesNameWorkloads(t *testing.T) {
	for _, c := range growthCurves() {
		for _, name := range c.workloads {
			if w, ok := workload.Find(name); !ok || len(c.sizesOf(w)) < 4 {
				t.Errorf("curve %s: workload %s, found: %t", c.name, name, ok)
			}
		}
	}
}

// TestRatioIsToTheFastestThatAnswered: one that was cut, counts something else, or gave
// nothing is no yardstick.
func TestRatioIsToTheFastestThatAnswered(t *testing.T) {
	w, _ := workload.Find("W6")
	ours := &measure.Result{Spec: measure.Spec{Events: 1000}, Matches: 1000, Times: []float64{0.001, 0.001, 0.002}}
	c := &contest{w: w, ours: ours, found: map[string]*peerResult{
		esper:  {Events: 1000, Complete: true, Matches: 1001, Runs: []float64{0.01, 0.02, 0.03}},
		siddhi: {Events: 1000, Complete: true, Matches: 1100, Runs: []float64{0.001}},
		flink:  {Events: 900, Complete: false, Matches: 1000, Runs: []float64{0.001}},
	}}
	if got := c.bestPeer(); got != 50_000 {
		t.Errorf("best peer: %v, want 50000", got)
	}
	c.found[flink] = &peerResult{}
	page := string((&options{binary: "none"}).peersPage([]*contest{c}))
	if strings.Contains(page, "W6") {
		t.Errorf("a contest of no mode is on the page:\n%s", page)
	}
	c.mode = measure.Engine
	page = string((&options{binary: "none"}).peersPage([]*contest{c}))
	want := "| W6 | - | 1000 | 1000 | 1.0 M / 1.0 M | 50 k / 100 k ≠ 1001 | 1.0 M / 1.0 M ≠ 1100 | none | **20.0** |"
	if !strings.Contains(page, want) {
		t.Errorf("the page has no row %s:\n%s", want, page)
	}
}
