package sinks

import (
	"context"
	"errors"
	"fmt"
)

// Row is one committed alert: JSON, without an end of line.
type Row struct {
	Number uint64
	Alert  []byte
}

// Sink is a receiver of alerts. It is called by one goroutine at a time.
type Sink interface {
	// Deliver takes rows in order, there is at least one, and returns how many it took. It
	// keeps nothing of them after it has returned, but may hold them back in a buffer until
	// Flush. It may take fewer than all, at least one, for what was taken counts only when
	// it has returned; the rest is handed to it again. With an error those beyond the
	// taken ones are not delivered, though some may have arrived; a *RejectedError is about
	// the first of them alone.
	Deliver(ctx context.Context, rows []Row) (taken int, err error)

	// Flush returns when everything taken is where it survives the process, as far as
	// the receiver allows.
	Flush(ctx context.Context) error

	// Close gives the sink's means back; what was not flushed may be lost. Whoever made
	// the sink closes it, after Run has returned.
	Close() error
}

// Outbox is where committed rows are read from. Both methods are called from several
// goroutines.
type Outbox interface {
	// Rows calls visit for the committed rows above after, in order; the alert is valid
	// until visit returns. An error of visit ends it and is returned, wrapped or not.
	Rows(ctx context.Context, after uint64, visit func(row uint64, alert []byte) error) error

	// Delivered returns the last row acknowledged for a sink, 0 where there is none.
	Delivered(sink string) (uint64, error)
}

// ErrGone is wrapped by a sink's error where its receiver has gone for good and in
// good order, such as the reader of standard output: a reason to stop, not a fault.
var ErrGone = errors.New("receiver has gone")

// RejectedError says that a receiver has refused one alert for good, for what is in it:
// sent again it would be refused again, and others would not.
type RejectedError struct{ Err error }

// Error says what the receiver answered.
func (e *RejectedError) Error() string { return "alert refused for good: " + e.Err.Error() }

// Unwrap returns what the receiver answered.
func (e *RejectedError) Unwrap() error { return e.Err }

// ErrStopped is returned by Committed when the dispatcher no longer runs.
var ErrStopped = errors.New("sinks: dispatcher has stopped")

// Error says which sink failed.
type Error struct {
	Sink string
	Err  error
}

// Error names the sink and what it met.
func (e *Error) Error() string { return fmt.Sprintf("sink %s: %v", e.Sink, e.Err) }

// Unwrap returns what the sink met.
func (e *Error) Unwrap() error { return e.Err }
