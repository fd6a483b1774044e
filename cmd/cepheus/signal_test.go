package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// asked is a context that a signal ends when it is asked for the n-th time whether it has ended.
type asked struct {
	context.Context //nolint:containedctx // it is one
	left            atomic.Int64
	signal          func()
}

func (a *asked) count() {
	if a.left.Add(-1) == 0 {
		a.signal()
	}
}

func (a *asked) Err() error            { a.count(); return a.Context.Err() }
func (a *asked) Done() <-chan struct{} { a.count(); return a.Context.Done() }

// TestSignalAtAnyMoment ends a run over a state, from its first step on: it ends well, and the
// runs together alert once for each event.
func TestSignalAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	var events strings.Builder
	for n := range 50 {
		fmt.Fprintf(&events, `{"type":"e","at":"2026-01-01T00:00:%02dZ","key":"k","n":%d}`+"\n", n, n+10)
	}
	for name, text := range map[string]string{"r.cep": processRules, "in.jsonl": events.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(n int64, in string) (signalled bool) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		a := &asked{Context: ctx, signal: stop}
		a.left.Store(n)
		w, _, said := testWorld(t, "")
		w.ctx = a
		err := w.dispatch([]string{
			"run", "--rules", filepath.Join(dir, "r.cep"), "--input", filepath.Join(dir, "in.jsonl"),
			"--state", filepath.Join(dir, in), "--sink", filepath.Join(dir, in+".out"),
		})
		if err != nil {
			t.Fatalf("a signal at step %d: %v\n%s", n, err, said)
		}
		return ctx.Err() != nil
	}
	for n := int64(1); run(n, "each"); n++ {
		if n > 10_000 {
			t.Fatal("no end")
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "each.out"))
	if err != nil || strings.Count(string(text), "\n") != 50 {
		t.Errorf("%d alerts, %v", strings.Count(string(text), "\n"), err)
	}
}
