package sinks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/file"
	"github.com/cepheus-cep/cepheus/state"
)

// run is one run of an engine that does nothing but write alerts from to to, one epoch
// each, over the real outbox and file sink. A crash skips what a clean stop does.
func run(t *testing.T, store *state.Badger, path string, from, to int, crash bool) {
	t.Helper()
	box, err := state.OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := file.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	d, err := sinks.NewDispatcher(box, []sinks.Target{{Name: "file", Sink: sink}}, sinks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- d.Run(t.Context()) }()
	var b state.Batch
	commit := func() {
		box.Acknowledge(&b, d.Acks())
		if err := store.Commit(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if err := d.Committed(t.Context(), box.Last()); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	for i := from; i <= to; i++ {
		box.Append(&b, fmt.Appendf(nil, `{"id":"%d"}`, i))
		commit()
	}
	d.Drain()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if !crash {
		finish(t, store, box, d)
	}
}

// finish is the last epoch of a clean stop: acknowledgements alone.
func finish(t *testing.T, store *state.Badger, box *state.Outbox, d *sinks.Dispatcher) {
	var b state.Batch
	box.Acknowledge(&b, d.Acks())
	if err := store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

func alerts(t *testing.T, path string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		ids = append(ids, strings.TrimSpace(line))
	}
	return ids
}

func ids(from, to int) (want []string) {
	for i := from; i <= to; i++ {
		want = append(want, fmt.Sprintf(`{"id":"%d"}`, i))
	}
	return want
}

func TestRestartRepeatsNothingAfterACleanStop(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for i := range 3 {
		store, err := state.OpenBadger(dir, state.Options{NoSync: true, MemTable: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		run(t, store, path, 1+5*i, 5+5*i, false)
		rows := 0
		err = store.Scan(t.Context(), state.TableOutbox, nil, nil, func(_, _ []byte) error { rows++; return nil })
		if err != nil || rows != 0 {
			t.Errorf("after run %d: %d rows left in the outbox, %v", i, rows, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(ids(1, 15), alerts(t, path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRestartAfterACrashLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for i := range 2 {
		store, err := state.OpenBadger(dir, state.Options{NoSync: true, MemTable: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		run(t, store, path, 1+5*i, 5+5*i, i == 0)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := alerts(t, path)
	seen, first := map[string]bool{}, []string{}
	for _, id := range got {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	if diff := cmp.Diff(ids(1, 10), first); diff != "" || len(got) == 10 {
		t.Errorf("%d lines; first of each id (-want +got)\n%s", len(got), diff)
	}
}
