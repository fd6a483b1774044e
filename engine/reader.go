package engine

import (
	"context"
	"fmt"
	"time"
)

// reader reads one source, ahead of the epochs by a bounded number of jobs.
type reader struct {
	number int
	source Source
	base   int32 // global number of the source's partition
	free   chan *job
	queue  chan *job // read, in order; perhaps still being decoded
	at     *job      // being taken into epochs
	total  int       // jobs there are
	out    int       // jobs taken to their end whose events are not all through an epoch
}

// jobsAhead is how many batches of a source may be read and not yet be through an
// epoch: one being read, one being decoded, one being taken, and some slack.
const jobsAhead = 6

func newReader(number int, source Source, base int32) *reader {
	r := &reader{number: number, source: source, base: base, free: make(chan *job, jobsAhead), queue: make(chan *job, jobsAhead)}
	for range jobsAhead {
		r.grow()
	}
	return r
}

// run reads until the source ends or fails or ctx is done, handing each job to a worker.
func (r *reader) run(ctx context.Context, work chan<- *job) error {
	defer close(r.queue)
	for {
		var j *job
		select {
		case j = <-r.free:
		case <-ctx.Done():
			return nil
		}
		j.reset()
		j.err = r.source.Next(ctx, &j.batch)
		if ctx.Err() != nil {
			return nil
		}
		j.after, j.mark = r.source.Position(), r.source.Fingerprint()
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
		if j.err != nil {
			return nil // the coordinator meets it in its place
		}
	}
}

// wait returns the next job; nil if none comes within a time (negative: for ever).
func (r *reader) wait(ctx context.Context, patience time.Duration) (*job, error) {
	select {
	case j, ok := <-r.queue:
		return r.got(ctx, j, ok)
	default:
	}
	if patience == 0 {
		return nil, nil
	}
	var timeout <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case j, ok := <-r.queue:
		return r.got(ctx, j, ok)
	case <-timeout:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *reader) got(ctx context.Context, j *job, ok bool) (*job, error) {
	if !ok {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("read %s: reading has stopped", r.source.Partition().Source)
	}
	return j, nil
}

// grow adds a job: all others hold events that wait for their time.
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
