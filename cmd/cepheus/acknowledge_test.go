package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
	"github.com/cepheus-cep/cepheus/state"
)

// TestAcknowledgingAfterAnEpochThatCameToNothing: the outbox took the rows that it was to
// remove for removed, and the epoch that removed them was refused.
func TestAcknowledgingAfterAnEpochThatCameToNothing(t *testing.T) {
	ctx, store := t.Context(), state.NewMemory()
	box, err := state.OpenOutbox(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	var b state.Batch
	for n := range 10 {
		box.Append(&b, fmt.Appendf(nil, `{"id":"%d"}`, n))
	}
	if err := store.Commit(ctx, &b); err != nil {
		t.Fatal(err)
	}
	d, err := sinks.NewDispatcher(box, []sinks.Target{{Name: stdoutSink, Sink: stdout.New(io.Discard)}}, sinks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.Drain()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var refused state.Batch
	box.Append(&refused, []byte(`{"id":"refused"}`))
	box.Acknowledge(&refused, map[string]uint64{stdoutSink: 6})

	if err := acknowledge(ctx, store, box, d, true); err != nil {
		t.Fatal(err)
	}
	again, err := state.OpenOutbox(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	if err := again.Rows(ctx, 0, func(uint64, []byte) error { rows++; return nil }); err != nil || rows != 0 || again.Last() != 10 {
		t.Errorf("%d rows left, the last is %d, %v", rows, again.Last(), err)
	}
}

// TestDeliveriesAreNotedAfterTheEndOfTheInput, when no epoch does it any more: a receiver may
// take hours for what waits.
func TestDeliveriesAreNotedAfterTheEndOfTheInput(t *testing.T) {
	p := &pipeline{}
	p.verb.Commit = every(time.Millisecond)
	delivered, noted := make(chan error, 1), 0
	err := p.drained(t.Context(), delivered, func() {}, func() error {
		if noted++; noted == 3 {
			delivered <- nil
		}
		return nil
	})
	if err != nil || noted < 3 {
		t.Errorf("noted %d times, %v", noted, err)
	}

	full, stopped := errors.New("disk full"), false
	err = p.drained(t.Context(), delivered, func() { stopped = true; delivered <- context.Canceled }, func() error { return full })
	if !stopped || err == nil || err.Error() != full.Error() {
		t.Errorf("a note that cannot be written: %v", err)
	}
}
