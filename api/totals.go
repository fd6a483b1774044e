package api

import (
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
)

// Totals are those of the running engine as of its last commit.
type Totals struct {
	now func() time.Time

	mu      sync.Mutex
	stats   engine.Stats
	at      time.Time // of the last; zero: there was none
	commits uint64
	rate    pace
}

// NewTotals makes totals that have seen none; now is the wall clock.
func NewTotals(now func() time.Time) *Totals { return &Totals{now: now} }

// Progress is for engine.Options.Progress.
func (t *Totals) Progress(s *engine.Stats) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.CopyFrom(s)
	t.at = now
	t.commits++
	t.rate.add(s.Records, now)
}

// totals are the caller's.
type totals struct {
	engine.Stats
	At      time.Time
	Commits uint64
	Rate    float64
}

func (t *Totals) read() (out totals) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	out.CopyFrom(&t.stats)
	out.At, out.Commits, out.Rate = t.at, t.commits, t.rate.perSecond(now)
	return out
}

// pace is how many a second there were since between ten and twenty seconds ago.
type pace struct {
	from, next mark
	last       mark
}

type mark struct {
	n  uint64
	at time.Time
}

const rateOver = 10 * time.Second

func (r *pace) add(n uint64, now time.Time) {
	r.last = mark{n, now}
	if r.from.at.IsZero() {
		r.from, r.next = r.last, r.last
	}
	if now.Sub(r.next.at) >= rateOver {
		r.from, r.next = r.next, r.last
	}
}

func (r *pace) perSecond(now time.Time) float64 {
	if over := now.Sub(r.from.at).Seconds(); !r.from.at.IsZero() && over > 0 {
		return float64(r.last.n-r.from.n) / over
	}
	return 0
}
