package sinks

import (
	"fmt"
	"math"
	"time"
)

// Target is a sink with the name that its position is kept under, and how it is delivered
// to.
type Target struct {
	Name string
	Sink Sink

	// Router says what becomes of each row; nil: all are delivered.
	Router Router

	Delivery
}

// Delivery is how one sink is delivered to. The zero value is good.
type Delivery struct {
	// Batch is how many rows an attempt hands to the sink at most. Default: as many as
	// a round has.
	Batch int

	// Concurrency is how many attempts may be under way at once. Rows of one key still
	// arrive in order, those of different keys may not; 0 and 1: all in order. More than 1
	// is refused for a sink that is not Concurrent.
	Concurrency int

	// AnyOrder gives up the order within a key too, so that few keys do not make few
	// attempts of Concurrency.
	AnyOrder bool

	// Timeout bounds one attempt, for sinks that heed their context. Default 30 s.
	Timeout time.Duration

	// Backoff is the first wait after an attempt that came to nothing; it doubles up to
	// MaxBackoff. Each wait is drawn between half and one and a half of it. Defaults 200 ms
	// and 30 s.
	Backoff, MaxBackoff time.Duration

	// MaxRetryAfter bounds what a receiver may ask for. Default 5 min.
	MaxRetryAfter time.Duration

	// MaxElapsed is after how long a row goes to the dead letters that could not be
	// delivered. Default 0: never.
	MaxElapsed time.Duration

	// StopOnFault ends Run with a *FaultError. Without it rows wait until the fault is
	// mended, as they do for a receiver that is down.
	StopOnFault bool

	// Failures is after how many attempts in a row without an answer that is of use the
	// breaker opens, and Open for how long nothing is tried then. Defaults 5 and 30 s;
	// Failures -1: no breaker.
	Failures int
	Open     time.Duration

	// Rate bounds rows a second, with Burst of them at once. Defaults 0, no bound, and
	// the greater of a second's rows and 1.
	Rate  float64
	Burst int

	// MaxRows and MaxBytes bound what may wait for the sink, on disk. Defaults 100,000 and
	// 1 GiB. What comes in the two epochs under way when the bound is reached is beyond it.
	MaxRows  int
	MaxBytes int64

	// DropOldest drops, and counts, the oldest rows that wait beyond the bounds. Without it
	// Committed waits, and with it the engine and its sources.
	DropOldest bool
}

const (
	defaultRows  = 100_000
	defaultBytes = 1 << 30
)

func (o *Delivery) validate(s Sink) error {
	if o.Batch < 0 || o.Concurrency < 0 || o.Rate < 0 || o.Burst < 0 || o.MaxRows < 0 || o.MaxBytes < 0 || o.Failures < -1 || o.negativeTime() {
		return fmt.Errorf("sinks: a bound of delivery is negative: %+v", *o)
	}
	if c, ok := s.(Concurrent); o.Concurrency > 1 && (!ok || !c.Concurrent()) {
		return fmt.Errorf("sinks: a sink of this kind takes one delivery at a time, not %d", o.Concurrency)
	}
	fill(&o.Batch, math.MaxInt)
	fill(&o.Concurrency, 1)
	fill(&o.Timeout, 30*time.Second)
	fill(&o.Backoff, 200*time.Millisecond)
	fill(&o.MaxBackoff, 30*time.Second)
	fill(&o.MaxRetryAfter, 5*time.Minute)
	fill(&o.Failures, 5)
	fill(&o.Open, 30*time.Second)
	fill(&o.Burst, max(1, int(min(o.Rate, 1<<30))))
	fill(&o.MaxRows, defaultRows)
	fill(&o.MaxBytes, defaultBytes)
	if o.Rate > 0 {
		o.Batch = min(o.Batch, o.Burst)
	}
	return nil
}

func (o *Delivery) negativeTime() bool {
	return min(o.Timeout, o.Backoff, o.MaxBackoff, o.MaxRetryAfter, o.MaxElapsed, o.Open) < 0
}

func fill[T comparable](value *T, other T) {
	var none T
	if *value == none {
		*value = other
	}
}
