package sinks

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// lane delivers some rows of a sink one after the other.
type lane struct {
	w      *worker
	rows   []Row
	ats    []int // their ordinals
	queue  queue // of a lane with a goroutine of its own: what follows them
	copies round // what rows are of, then
	news   chan struct{}

	limit   int // rows handed over at once
	most    int // as limit, but less after a receiver refused so many
	tries   int // that came to nothing since the last that did not
	since   time.Time
	until   time.Time // no attempt before
	paid    int       // rows that the rate has let go and the sink has not taken
	backoff *backoff.ExponentialBackOff
}

func newLane(w *worker, limit int) *lane {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = w.Backoff, w.MaxBackoff, 2, 0.5
	b.Reset()
	return &lane{w: w, limit: limit, most: limit, backoff: b, news: make(chan struct{}, 1), queue: queue{more: make(chan struct{}, 1)}}
}

func (l *lane) reset() {
	clear(l.rows)
	l.rows, l.ats = l.rows[:0], l.ats[:0]
}

func (l *lane) add(r Row, at int) { l.rows, l.ats = append(l.rows, r), append(l.ats, at) }

// deliver delivers all, for as long as it takes.
func (l *lane) deliver(ctx context.Context) error {
	rows, ats := l.rows, l.ats
	for len(rows) > 0 {
		if l.w.dropOldest(ats[0]) {
			l.tellDropped()
			rows, ats = rows[1:], ats[1:]
			continue
		}
		if waited, err := l.pause(ctx); err != nil {
			return err
		} else if !waited {
			continue
		}
		n, err := l.step(ctx, rows[:min(len(rows), l.most)], ats)
		if err != nil {
			return err
		}
		rows, ats = rows[n:], ats[n:]
	}
	return nil
}

// step makes one attempt, and returns how many rows are done with.
func (l *lane) step(ctx context.Context, rows []Row, ats []int) (n int, err error) {
	if err := l.pay(ctx, len(rows)); err != nil {
		return 0, err
	}
	taken, err := l.w.attempt(ctx, rows)
	l.spend(taken, err)
	if taken > 0 {
		l.w.took(rows[0].Number, taken)
		l.w.finish(&l.w.stats.Delivered, ats[:taken]...)
		l.goesWell()
	}
	if err == nil {
		return taken, nil
	}
	var (
		shut     *shutError
		rejected *RejectedError
		fault    *FaultError
		retry    *RetryError
	)
	switch {
	case ctx.Err() != nil:
		return taken, ctx.Err()
	case errors.As(err, &shut):
		l.notBefore(shut.wait)
		return taken, nil
	case errors.As(err, &rejected) && taken < len(rows):
		n, err := l.refused(rows[taken:], ats[taken:], rejected)
		return taken + n, err
	case errors.As(err, &fault) && !l.w.StopOnFault:
		n, err := l.again(rows[taken:], ats[taken:], err, l.w.MaxBackoff)
		return taken + n, err
	case errors.As(err, &retry):
		n, err := l.again(rows[taken:], ats[taken:], err, min(retry.After, l.w.MaxRetryAfter))
		return taken + n, err
	}
	return taken, fmt.Errorf("deliver %d alerts: %w", len(rows)-taken, err)
}

// pay waits until the rate lets as many rows go. What the sink then leaves of them is paid
// for: one that takes a row at a time is as quick as one that takes all.
func (l *lane) pay(ctx context.Context, rows int) error {
	due := min(rows, l.w.Burst) - l.paid
	if l.w.rate == nil || due <= 0 {
		return nil
	}
	if err := l.w.rate.WaitN(ctx, due); err != nil {
		return err
	}
	l.paid += due
	return nil
}

// spend takes what an attempt has used of what was paid for. One that came to nothing uses a
// row; one that the breaker kept back none.
func (l *lane) spend(taken int, err error) {
	if shut := (*shutError)(nil); !errors.As(err, &shut) {
		l.paid = max(0, l.paid-max(1, taken))
	}
}

// refused gives the first row to Rejected, or has fewer of them handed over at once.
func (l *lane) refused(rows []Row, ats []int, why *RejectedError) (n int, err error) {
	if why.Batch && len(rows) > 1 {
		l.most = len(rows) / 2
		return 0, nil
	}
	if err := l.bury(rows[0], ats[0], why.Err); err != nil {
		return 0, err
	}
	l.goesWell()
	return 1, nil
}

func (l *lane) bury(row Row, at int, why error) error {
	if l.w.d.o.Rejected == nil {
		return &RejectedError{Err: why}
	}
	if err := l.w.d.o.Rejected(l.w.Name, row, why); err != nil {
		return fmt.Errorf("keep a refused alert: %w", err)
	}
	l.w.finish(&l.w.stats.Dead, at)
	return nil
}

// again has the lane wait before the next attempt, for what the receiver asked for or a time that
// doubles. Rows that wait for too long are given to Rejected.
func (l *lane) again(rows []Row, ats []int, why error, asked time.Duration) (n int, err error) {
	now := l.w.d.o.Now()
	if l.tries == 0 {
		l.since = now
	}
	l.tries++
	if most := l.w.MaxElapsed; most > 0 && now.Sub(l.since) >= most {
		for i, r := range rows {
			if err := l.bury(r, ats[i], fmt.Errorf("not taken for %s: %w", now.Sub(l.since).Round(time.Second), why)); err != nil {
				return i, err
			}
		}
		return len(rows), nil
	}
	wait := l.backoff.NextBackOff()
	if asked > 0 {
		wait = asked
	}
	l.tellTrouble(wait, why)
	l.w.retries(why)
	l.notBefore(wait)
	return 0, nil
}

// notBefore has the lane wait. What is paid for and not used goes back, for the rate makes
// more meanwhile: both together would be more at once than Burst.
func (l *lane) notBefore(wait time.Duration) {
	now := l.w.d.o.Now()
	l.until = now.Add(wait)
	if l.paid > 0 {
		l.w.rate.AllowN(now, -l.paid)
		l.paid = 0
	}
}

// goesWell forgets the failures before.
func (l *lane) goesWell() {
	if l.most < l.limit {
		l.most = min(2*l.most, l.limit)
	}
	if l.tries == 0 {
		return
	}
	l.w.d.o.Log.Info("the receiver takes alerts again", "sink", l.w.Name, "tries", l.tries+1, "after", l.w.d.o.Now().Sub(l.since).Round(time.Millisecond))
	l.tries = 0
	l.backoff.Reset()
}

// pause waits until an attempt may be made; false where rows are to be dropped first.
func (l *lane) pause(ctx context.Context) (waited bool, err error) {
	d := l.until.Sub(l.w.d.o.Now())
	if l.until.IsZero() || d <= 0 {
		return true, ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-l.news:
			if l.w.mustDrop() {
				return false, nil
			}
		}
	}
}

// tellTrouble tells of the first attempt that came to nothing, the second, the fourth, and
// so on.
func (l *lane) tellTrouble(wait time.Duration, err error) {
	if bits.OnesCount(uint(l.tries)) == 1 {
		l.w.d.o.Log.Warn("alerts wait: the receiver does not take them", "sink", l.w.Name, "tries", l.tries, "next_in", wait.Round(time.Millisecond), "err", err)
	}
}

func (l *lane) tellDropped() {
	if n := l.w.snapshot().Dropped; bits.OnesCount64(n) == 1 {
		l.w.d.o.Log.Warn("alerts are dropped: more wait for the sink than its bounds allow", "sink", l.w.Name, "dropped", n)
	}
}
