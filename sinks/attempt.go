package sinks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/sony/gobreaker/v2"
)

// shutError says that the breaker is open.
type shutError struct{ wait time.Duration }

func (e *shutError) Error() string { return fmt.Sprintf("breaker is open for another %s", e.wait) }

// newBreaker counts attempts to which the receiver gave no answer of use. A refusal of one
// alert, and a receiver that says when to come again, are answers.
func (w *worker) newBreaker() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	most := uint32(math.MaxUint32)
	if w.Failures > 0 {
		most = uint32(w.Failures)
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: w.Name, MaxRequests: 1, Timeout: w.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= most },
		OnStateChange: func(string, gobreaker.State, gobreaker.State) {
			w.d.mu.Lock()
			defer w.d.mu.Unlock()
			w.openUntil = w.d.o.Now().Add(w.Open)
		},
		IsSuccessful: func(err error) bool {
			var retry *RetryError
			var fault *FaultError
			return !errors.As(err, &fault) && (!errors.As(err, &retry) || retry.After > 0)
		},
	})
}

// attempt hands rows to the sink once. Time that runs out is a *RetryError.
func (w *worker) attempt(ctx context.Context, rows []Row) (taken int, err error) {
	if w.slots != nil { // that groups are told by one more goroutine makes no more attempts
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	report, err := w.breaker.Allow()
	if err != nil {
		return 0, &shutError{w.untilClosed()}
	}
	defer func() { report(err) }()
	trying, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	if w.d.o.Attempt != nil {
		told, done := w.d.o.Attempt(trying, w.Name, rows)
		trying = told
		defer func() { done(taken, err) }()
	}
	taken, err = w.Sink.Deliver(trying, rows)
	if taken < 0 || taken > len(rows) || taken == 0 && err == nil {
		return 0, fmt.Errorf("sinks: %d of %d alerts taken", taken, len(rows))
	}
	if taken > 0 {
		if flushing := w.Sink.Flush(trying); flushing != nil {
			taken, err = 0, fmt.Errorf("flush %d alerts: %w", taken, flushing)
		}
	}
	if err != nil && ctx.Err() == nil && trying.Err() != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = &RetryError{Err: fmt.Errorf("no answer within %s; %s", w.Timeout, mendOfSilence)}
	}
	return taken, err
}

// untilClosed is how long to wait for the next attempt; a little where another lane is at
// it.
func (w *worker) untilClosed() time.Duration {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return max(w.openUntil.Sub(w.d.o.Now()), w.Backoff)
}

func (w *worker) mustDrop() bool {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.over()
}

func (w *worker) retries(why error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.stats.Retries++
	w.stats.LastError, w.stats.LastErrorAt = why.Error(), w.d.o.Now()
}
