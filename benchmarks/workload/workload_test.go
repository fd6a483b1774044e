package workload

import (
	"strconv"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestOracleCountsAsThePeersOracle holds the oracle against what oracle.py printed for
// 100,000 payments of 500 cards and 20,000 trades in 8 names.
func TestOracleCountsAsThePeersOracle(t *testing.T) {
	for _, c := range []struct {
		name    string
		n, want int
	}{
		{"W1", 0, 973},
		{"W2", 0, 1000},
		{"W3", 0, 75500},
		{"W4", 0, 1860},
		{"W5", 0, 5096},
		{"W6", 0, 2610},
		{"W7", 0, 19},
		{"W8f", 1, 9},
		{"W8f", 3000, 15234},
		{"W9", 50, 5982},
		{"W9", 2000, 9174496},
		{"W10", 0, 1242},
	} {
		w, ok := Find(c.name)
		if !ok {
			t.Fatalf("no workload %s", c.name)
		}
		events, keys := 100_000, 500
		if w.Trades {
			events, keys = 20_000, 8
		}
		if got := w.Matches(w.Generate(events, keys), c.n); got != c.want {
			t.Errorf("%s %d: %d matches, want %d", c.name, c.n, got, c.want)
		}
	}
}

// TestOracle9AgreesWithListing compares the running totals with loops over the events of
// each window.
func TestOracle9AgreesWithListing(t *testing.T) {
	w, _ := Find("W9")
	e := w.Generate(3000, 4)
	for _, n := range []int{1, 2, 3, 50, 700, 5000} {
		want := 0
		for i, a := range e.Trades {
			if !a.Sell || a.Name != oracleMSFT {
				continue
			}
			bs := 0
			for _, x := range e.Trades[i+1 : max(i+1, min(i+n, len(e.Trades)))] {
				switch {
				case !x.Sell && x.Name == oracleORCL:
					bs++
				case x.Sell && x.Name == oracleCSCO:
					want += bs
				}
			}
		}
		if got := w.Matches(e, n); got != want {
			t.Errorf("window %d: %d, want %d", n, got, want)
		}
	}
}

func TestFewerThroughGiveAsManyAlerts(t *testing.T) {
	w, _ := Find("W8s")
	e := w.Generate(300_000, 10_000)
	at1000 := w.Matches(e, 1000)
	for _, n := range []int{10_000, 100_000} {
		if got := w.Matches(e, n); got < at1000*9/10 || got > at1000*11/10 {
			t.Errorf("%d rules match %d times, 1,000 rules %d times", n, got, at1000)
		}
	}
}

func TestRulesOfEveryWorkloadCompile(t *testing.T) {
	for _, w := range All() {
		n := min(w.Size(), 1000)
		var files []*source.File
		for i, text := range w.Rules(n) {
			files = append(files, &source.File{Name: strconv.Itoa(i) + ".cep", Text: text})
		}
		set, messages := lang.Compile(files)
		if messages.HasErrors() {
			t.Errorf("%s: %v", w.Name, messages.Err())
			continue
		}
		if want := max(1, n); strings.HasPrefix(w.Name, "W8") && len(set.Rules) != want {
			t.Errorf("%s: %d rules, want %d", w.Name, len(set.Rules), want)
		}
	}
}
