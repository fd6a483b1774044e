package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Row is one committed alert: JSON, without an end of line.
type Row struct {
	Number uint64
	Alert  []byte
	Group  string // what it is told together with, of a grouped sink; empty: nothing
}

// Sink is a receiver of alerts. It is called by one goroutine at a time, unless it is
// Concurrent. It tries once: whether, when and how often it is asked again is the
// dispatcher's, which goes by the kind of the error. Of a grouped sink, all rows of a call
// are of one group.
type Sink interface {
	// Deliver takes rows in order, there is at least one, and returns how many it took. It
	// keeps nothing of them after it has returned, but may hold them back in a buffer until
	// Flush. It may take fewer than all, at least one, for what was taken counts only when
	// it has returned; the rest is handed to it again. With an error those beyond the
	// taken ones are not delivered, though some may have arrived. The error is a
	// *RetryError, *RejectedError or *FaultError; any other, such as a disk that is
	// full, ends Run.
	Deliver(ctx context.Context, rows []Row) (taken int, err error)

	// Flush returns when everything taken is where it survives the process, as far as
	// the receiver allows. Its errors are as those of Deliver, and are about all of it.
	Flush(ctx context.Context) error

	// Close gives the sink's means back; what was not flushed may be lost. Whoever made
	// the sink closes it, after Run has returned.
	Close() error
}

// Concurrent is a sink that several goroutines may call at once.
type Concurrent interface{ Concurrent() bool }

// Positioner is a sink whose receiver keeps how far it was delivered to, in one with what was
// delivered. Where that is further than the outbox knows, delivery goes on behind it.
type Positioner interface {
	// Position returns the last row that the receiver had when the sink was opened; ok is
	// false where it keeps none.
	Position() (row uint64, ok bool)
}

// Outbox is where committed rows are read from. Its methods are called from several
// goroutines.
type Outbox interface {
	// Rows calls visit for the committed rows above after, in order; the alert is valid
	// until visit returns. An error of visit ends it and is returned, wrapped or not.
	Rows(ctx context.Context, after uint64, visit func(row uint64, alert []byte) error) error

	// Delivered returns the last row acknowledged for a sink, 0 where there is none.
	Delivered(sink string) (uint64, error)

	// Appended returns how many bytes of alerts were appended since the outbox was opened.
	Appended() uint64
}

// Router says what becomes of the rows of one sink. It is called by one goroutine, in order
// of rows, and after a restart again from the first that was not delivered.
type Router interface{ Route(row Row) Decision }

// Decision is what becomes of a row. The zero value delivers it at once, by itself.
type Decision struct {
	// Skip is why the row is not delivered, in a word: "route", "silence", "inhibition".
	Skip string

	// Group names what the row is told together with: the first of a group waits for Wait,
	// and what comes later until Interval after the last notification of the group.
	Group          string
	Wait, Interval time.Duration
}

// ErrGone is wrapped by a sink's error where its receiver has gone for good and in
// good order, such as the reader of standard output: a reason to stop, not a fault.
var ErrGone = errors.New("receiver has gone")

// RetryError says that rows were not taken, and may be later: the receiver is down, slow,
// or asks for patience.
type RetryError struct {
	Err   error
	After time.Duration // that the receiver asked for; 0: none
}

// Error says what was met.
func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap returns what was met.
func (e *RetryError) Unwrap() error { return e.Err }

// RejectedError says that a receiver has refused the first row not taken for good, for what
// is in it: sent again it would be refused again, and others would not.
type RejectedError struct {
	Err error

	// Batch says that it is about all rows that were not taken, for they were sent as one:
	// they are handed to the sink again in halves.
	Batch bool
}

// Error says what the receiver answered.
func (e *RejectedError) Error() string { return "alert refused for good: " + e.Err.Error() }

// Unwrap returns what the receiver answered.
func (e *RejectedError) Unwrap() error { return e.Err }

// FaultError says that the receiver is not what was meant, or does not know us: someone
// has to mend the configuration, here or there. It is about no row.
type FaultError struct{ Err error }

// Error says what was met, and what to mend.
func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns what was met.
func (e *FaultError) Unwrap() error { return e.Err }

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
