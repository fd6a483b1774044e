package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
)

// TestWorkloadsReadEveryEventAndAlert keeps the harness honest: a workload that reads
// nothing, or whose rule never fires, would be fast for the wrong reason.
func TestWorkloadsReadEveryEventAndAlert(t *testing.T) {
	const events = 30_000
	input := filepath.Join(t.TempDir(), "payments.jsonl")
	if err := os.WriteFile(input, gen.NewPayments(1, 100).Take(events), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, w := range workloads() {
		t.Run(w.name, func(t *testing.T) {
			r, err := work(w, input)
			if err != nil {
				t.Fatal(err)
			}
			if r.Events != events {
				t.Errorf("%d events, want %d", r.Events, events)
			}
			if (r.Alerts > 0) != (w.rule != "") {
				t.Errorf("%d alerts", r.Alerts)
			}
		})
	}
}

// TestFilterAlertsAsOftenAsPlainCounting compares the filter with a count of the lines
// it is about.
func TestFilterAlertsAsOftenAsPlainCounting(t *testing.T) {
	text := gen.NewPayments(3, 100).Take(20_000)
	input := filepath.Join(t.TempDir(), "payments.jsonl")
	if err := os.WriteFile(input, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w, ok := find("filter")
	if !ok {
		t.Fatal("no workload called filter")
	}
	r, err := work(w, input)
	if err != nil {
		t.Fatal(err)
	}
	if want := countAbove990(t, text); r.Alerts != want {
		t.Errorf("%d alerts, want %d", r.Alerts, want)
	}
}

func countAbove990(t *testing.T, lines []byte) (n int) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(lines))
	for {
		var p struct{ Amount float64 }
		err := dec.Decode(&p)
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Amount > 990 {
			n++
		}
	}
}
