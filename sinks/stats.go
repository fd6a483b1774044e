package sinks

import "time"

// Stats is what became of a sink's alerts since the dispatcher was made, and what waits.
type Stats struct {
	Sink        string            `json:"sink"`
	Delivered   uint64            `json:"delivered"`
	Retries     uint64            `json:"retries"` // attempts that came to nothing, and are made again
	Dead        uint64            `json:"dead"`    // refused for good, or not taken for too long
	Dropped     uint64            `json:"dropped"` // for want of room
	Skipped     map[string]uint64 `json:"skipped,omitempty"`
	Rows        uint64            `json:"backlog_rows"`
	Bytes       uint64            `json:"backlog_bytes"`
	Oldest      time.Duration     `json:"oldest_ns"` // how long the oldest has waited; of before a start, since the start
	Breaker     string            `json:"breaker"`   // closed, open, half-open
	LastError   string            `json:"last_error,omitempty"`
	LastErrorAt time.Time         `json:"last_error_at,omitzero"`
}

// Stats returns those of each sink, in the order of the targets. They are the caller's.
func (d *Dispatcher) Stats() (all []Stats) {
	for _, w := range d.workers {
		all = append(all, w.snapshot())
	}
	return all
}

// Full are the sinks for which more waits than their bounds allow, so that nothing more is
// committed until they take some. Those that drop their oldest are never among them. A sink
// that has been among them stays until no more than three quarters of its bounds have waited for
// five seconds: one that is as slow as its bound would else come and go with each commit.
func (d *Dispatcher) Full() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.workers {
		if w.weigh(); w.isFull {
			names = append(names, w.Name)
		}
	}
	return names
}

// calm is for how long less must wait for a sink that was full.
const calm = 5 * time.Second

// weigh looks at whether a sink is full, under the lock. It is called where the backlog has
// changed, and costs no clock while it is not full.
func (w *worker) weigh() {
	switch {
	case w.DropOldest:
	case w.over():
		w.isFull, w.eases = true, time.Time{}
	case !w.isFull:
	case w.presses():
		w.eases = time.Time{}
	case w.eases.IsZero():
		w.eases = w.d.o.Now()
	case w.d.o.Now().Sub(w.eases) >= calm:
		w.isFull = false
	}
}

// presses says whether more than three quarters of the bounds wait, under the lock.
func (w *worker) presses() bool {
	rows, bytes := w.backlog()
	return rows > uint64(w.MaxRows)*3/4 || bytes > uint64(w.MaxBytes)/4*3
}

func (w *worker) snapshot() Stats {
	state := w.breaker.State().String() // before the lock, which its changes take
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	s := w.stats
	s.Breaker = state
	s.Skipped = make(map[string]uint64, len(w.stats.Skipped))
	for why, n := range w.stats.Skipped {
		s.Skipped[why] = n
	}
	s.Rows, s.Bytes = w.backlog()
	if s.Rows > 0 {
		s.Oldest = w.d.o.Now().Sub(w.d.ages.of(w.delivered + 1))
	}
	return s
}

// ages remembers when rows were committed, in a bounded number of marks: where there are
// too many every second one is forgotten, which makes rows at most as old as a neighbour.
type ages struct{ marks []ageMark }

type ageMark struct {
	row uint64 // and those since the mark before
	at  time.Time
}

const maxAges = 512

func (a *ages) add(row uint64, at time.Time) {
	if len(a.marks) == maxAges {
		kept := a.marks[:0]
		for i := 1; i < maxAges; i += 2 {
			kept = append(kept, ageMark{a.marks[i].row, a.marks[i-1].at})
		}
		a.marks = kept
	}
	a.marks = append(a.marks, ageMark{row, at})
}

// of is when a row was committed, at the latest.
func (a *ages) of(row uint64) time.Time {
	for i := range a.marks {
		if m := &a.marks[i]; m.row >= row {
			return m.at
		}
	}
	return a.marks[len(a.marks)-1].at
}
