package trial

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// Alerts is an outbox that hands each alert on and keeps none. The alert is valid until the
// call returns; see [Clone].
type Alerts func(*event.Alert)

// Append is for engines that do not know that this takes alerts as they are; there is none.
func (Alerts) Append(*state.Batch, []byte) uint64 { return 0 }

// AppendAlert implements [engine.AlertOutbox].
func (a Alerts) AppendAlert(alert *event.Alert) { a(alert) }

// Acknowledge implements [engine.Outbox]: nothing is to be delivered.
func (Alerts) Acknowledge(*state.Batch, map[string]uint64) {}

// Last implements [engine.Outbox].
func (Alerts) Last() uint64 { return 0 }

// Clone copies an alert with all that it shares with events.
func Clone(a *event.Alert) *event.Alert {
	c := *a
	c.ID = string([]byte(a.ID))
	c.Key, c.Fields, c.Events = cloneNamed(a.Key), cloneNamed(a.Fields), nil
	c.Labels = append([]event.Label(nil), a.Labels...)
	for _, e := range a.Events {
		e.JSON = append([]byte(nil), e.JSON...)
		c.Events = append(c.Events, e)
	}
	return &c
}

func cloneNamed(list []event.Named) []event.Named {
	out := make([]event.Named, len(list))
	for i, n := range list {
		out[i] = event.Named{Name: n.Name, Value: CloneValue(n.Value)}
	}
	return out
}

// CloneValue copies a value with all that it shares with an event.
func CloneValue(v event.Value) event.Value {
	v.S = string([]byte(v.S))
	if v.C != nil {
		c := &event.Compound{Names: v.C.Names}
		for _, e := range v.C.Elems {
			c.Elems = append(c.Elems, CloneValue(e))
		}
		v.C = c
	}
	return v
}

// Records is a source over records in memory: one partition. Its zero Times are of arrival
// at 0.
type Records struct {
	Name  string
	Texts [][]byte
	Times []int64 // of arrival
	// Keys and Headers are what is beside the texts, in the form of [event.RecordMeta]; a key
	// that is nil is none. Both are nil, or have one for each text.
	Keys, Headers [][]byte
	at            int
}

// Partition implements [engine.Source].
func (r *Records) Partition() event.Partition { return event.Partition{Source: r.Name} }

// Resume implements [engine.Source]: a trial has nothing to go on from.
func (r *Records) Resume(context.Context, int64, []byte) error {
	return errors.New("records in memory cannot be resumed")
}

// batchSize is how many records are read at a time.
const batchSize = 1000

// Next implements [engine.Source].
func (r *Records) Next(_ context.Context, into *event.Batch) error {
	for range batchSize {
		if r.at == len(r.Texts) {
			return io.EOF
		}
		at := int64(0)
		if r.at < len(r.Times) {
			at = r.Times[r.at]
		}
		into.Add(0, int64(r.at), at, r.Texts[r.at])
		if r.Keys != nil {
			into.AddMeta(r.Keys[r.at], r.Headers[r.at])
		}
		r.at++
	}
	return nil
}

// Position implements [engine.Source].
func (r *Records) Position() int64 { return int64(r.at) }

// Fingerprint implements [engine.Source].
func (r *Records) Fingerprint() []byte { return nil }

// MemoryError says that a trial came to hold more than it may.
type MemoryError struct{ Most int64 }

// Error says so.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("the rules remember more than %d MiB of these events", e.Most>>20)
}

// RunWithin is Run of a set that nobody has tried yet: where what it remembers takes more than
// so many bytes, looked at after each round, it ends with a [*MemoryError], and where ctx is
// done first with the cause of that.
func RunWithin(ctx context.Context, most int64, o engine.Options, alerts Alerts) (*engine.Stats, error) {
	o.Store, o.Outbox = state.NewMemory(), alerts
	bounded, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var e *engine.Engine
	o.Progress = func(*engine.Stats) {
		if e.Holds() > most {
			stop(&MemoryError{most})
		}
	}
	e, err := engine.New(ctx, o)
	if err != nil {
		return nil, err
	}
	if err = e.Run(bounded); err == nil {
		err = context.Cause(bounded)
	}
	return e.Stats(), err
}

// Run runs a rule set in memory over the inputs of the options to their end; Store and
// Outbox are made here. It returns the engine's totals.
func Run(ctx context.Context, o engine.Options, alerts Alerts) (*engine.Stats, error) {
	o.Store, o.Outbox = state.NewMemory(), alerts
	e, err := engine.New(ctx, o)
	if err != nil {
		return nil, err
	}
	err = e.Run(ctx)
	return e.Stats(), err
}
