package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestShippedSamplesAreWhatTheGeneratorWrites(t *testing.T) {
	for name, want := range samples() {
		got, err := os.ReadFile(filepath.Join("..", name, "events.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("examples/%s/events.jsonl differs; go run ./examples/gen examples writes it", name)
		}
	}
}

func TestSamplesAreInOrderOfTime(t *testing.T) {
	for name, lines := range samples() {
		var last time.Time
		for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
			var e struct{ At, TS time.Time }
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%s line %d: %v", name, i+1, err)
			}
			at := e.At
			if at.IsZero() {
				at = e.TS
			}
			if at.IsZero() || at.Before(last) {
				t.Fatalf("%s line %d is at %v, after %v", name, i+1, at, last)
			}
			last = at
		}
	}
}
