package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

// reader reads one source, ahead of the epochs by a bounded number of jobs.
type reader struct {
	number int
	source Source
	base   int32 // global number of the source's partition
	name   event.Partition
	decode event.Options
	recent *Recent // keeps what is read; nil: nothing is kept
	clock  *clock
	asking atomic.Int64 // when it began to ask the source, by clock.elapsed; notAsking: it does not
	free   chan *job
	queue  chan *job // read, in order; perhaps still being decoded
	stale  []*job    // come before those of the queue: see Engine.giveBack
	at     *job      // being taken into epochs
	atEnd  bool      // the last batch read said so; one without records may take it back
	total  int       // jobs there are
	out    int       // jobs taken to their end whose events are not all through an epoch
}

// jobsAhead is how many batches of a source may be read and not yet be through an
// epoch: one being read, one being decoded, one being taken, and some slack. With several
// shards there are more, so that workers need not wait while an epoch is in the shards.
func jobsAhead(shards int) int {
	if shards == 1 {
		return 6
	}
	return 16
}

const notAsking = -1

// clock is the wall clock of a run: what tells how long a source has been silent. bell
// rings when any reader has put something into its queue.
type clock struct {
	now   func() time.Time
	start time.Time
	bell  chan struct{}
}

func newClock(now func() time.Time) *clock {
	return &clock{now: now, start: now(), bell: make(chan struct{}, 1)}
}

// elapsed is the time since the clock was made; no step of the wall clock is in it.
func (c *clock) elapsed() time.Duration { return c.now().Sub(c.start) }

// ring wakes who awaits the bell, now or at its next await.
func (c *clock) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// await waits until the bell rings or a time is over (negative: for ever).
func (c *clock) await(ctx context.Context, patience time.Duration) error {
	var timeout <-chan time.Time
	if patience >= 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-c.bell:
	case <-timeout:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func newReader(number int, source Source, base int32, c *clock, ahead int) *reader {
	r := &reader{number: number, source: source, base: base, clock: c, free: make(chan *job, ahead), queue: make(chan *job, ahead)}
	r.asking.Store(notAsking)
	for range ahead {
		r.grow()
	}
	return r
}

// run reads until the source ends or fails or ctx is done, handing each job to a worker.
func (r *reader) run(ctx context.Context, work chan<- *job) error {
	for {
		var j *job
		select {
		case j = <-r.free:
		case <-ctx.Done():
			return nil
		}
		if !r.read(ctx, j) {
			return nil
		}
		select {
		case work <- j:
		case <-ctx.Done():
			return nil
		}
		select {
		case r.queue <- j:
		case <-ctx.Done():
			return nil
		}
		r.clock.ring()
		if j.err != nil {
			return nil // the coordinator meets it in its place
		}
	}
}

// errSilent is of a source that says nothing and has no reason to.
var errSilent = errors.New("the source returned neither records nor the end of its log nor an error")

// read asks the source for a batch; false where the engine has been stopped.
func (r *reader) read(ctx context.Context, j *job) bool {
	j.reset()
	r.asking.Store(int64(r.clock.elapsed()))
	j.err = r.source.Next(ctx, &j.batch)
	r.asking.Store(notAsking) // before the batch is on its way: it must not be taken for silence
	if ctx.Err() != nil {
		return false
	}
	r.recent.add(r, &j.batch)
	if j.err == nil && len(j.batch.Records) == 0 && !j.batch.AtEnd && !r.atEnd {
		j.err = errSilent
	}
	r.atEnd, j.came = j.batch.AtEnd, r.clock.now()
	j.after, j.mark = r.source.Position(), r.source.Fingerprint()
	return true
}

// poll returns the next job that has been read, nil where there is none.
func (r *reader) poll() *job {
	if len(r.stale) > 0 {
		j := r.stale[0]
		r.stale = r.stale[1:]
		return j
	}
	select {
	case j := <-r.queue:
		return j
	default:
		return nil
	}
}

// hasRead reports whether there is a job that has been read.
func (r *reader) hasRead() bool { return len(r.queue) > 0 || len(r.stale) > 0 }

// silent is how long the source has been asked in vain; 0 where it is not being asked.
func (r *reader) silent() time.Duration {
	since := r.asking.Load()
	if since == notAsking || r.hasRead() {
		return 0
	}
	return r.clock.elapsed() - time.Duration(since)
}

// grow adds a job: all others hold events that wait for their time. So there are at most
// jobsAhead more than Options.Waiting, each with the bytes of its batch.
func (r *reader) grow() {
	r.total++
	r.free <- &job{source: r.number}
}

// recycle gives the memory of a job that was taken to its end back for reading; of
// jobs that grow added, only as many as there is room for.
func (r *reader) recycle(j *job) {
	r.out--
	select {
	case r.free <- j:
	default:
		r.total--
	}
}
