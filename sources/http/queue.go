package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

// Options of a Queue. The zero value is good.
type Options struct {
	Name    string           // of the partition; default "http"
	Records int              // that may wait; default 100,000
	Bytes   int64            // of them; default 64 MiB
	Now     func() time.Time // wall clock, which is the time of records; default time.Now
}

// FullError says that there is no room for so much now.
type FullError struct {
	Records int   // that wait
	Bytes   int64 // of them
	Early   bool  // the engine does not read yet
}

// Error says so.
func (e *FullError) Error() string {
	if e.Early {
		return "the engine has not begun to read; send again later"
	}
	return fmt.Sprintf("the queue is full: %d events, %d bytes wait for the engine; send again later", e.Records, e.Bytes)
}

// RetryAfter is when to try again.
func (*FullError) RetryAfter() time.Duration { return time.Second }

// ErrTooMany says that a push is larger than the queue.
var ErrTooMany = errors.New("that is more than the queue can ever hold: send fewer events at once")

// ErrEnded says that no more events are taken: the engine is stopping, or has stopped.
var ErrEnded = errors.New("no more events are taken: the run is ending")

// Queue is a source. Make one with New.
type Queue struct {
	o Options

	mu      sync.Mutex
	waiting []record
	bytes   int64         // of waiting
	next    int64         // position of the next record that is pushed
	read    int64         // position of the next record that is read
	durable int64         // all before it is committed
	fresh   chan struct{} // closed when there is more to read, or the queue has ended
	commits chan struct{} // closed when durable grows, or the queue has ended
	begun   bool          // the engine reads, and has said where from
	ended   bool          // nothing more is taken
	closed  bool          // nothing more is committed
	atEnd   bool          // the last Next said that there is nothing
}

type record struct {
	text    []byte
	headers []byte // in the form of event.RecordMeta
	time    int64
}

// New makes an empty queue.
func New(o Options) *Queue {
	if o.Name == "" {
		o.Name = "http"
	}
	if o.Records == 0 {
		o.Records = 100_000
	}
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Queue{o: o, fresh: make(chan struct{}), commits: make(chan struct{})}
}

// Push queues all records or, with an error, none, and returns the position after the last.
// The records are the queue's from then on. The error is a [*FullError], [ErrTooMany] or
// [ErrEnded].
func (q *Queue) Push(records [][]byte) (end int64, err error) { return q.PushWith(records, nil) }

// PushWith is Push with headers beside each of the records, in the form of event.RecordMeta.
func (q *Queue) PushWith(records [][]byte, headers []byte) (end int64, err error) {
	size := int64(0)
	for _, r := range records {
		size += int64(len(r))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.room(len(records), size); err != nil {
		return q.next, err
	}
	now := q.o.Now().UnixNano()
	for _, r := range records {
		q.waiting = append(q.waiting, record{r, headers, now})
	}
	q.bytes += size
	q.next += int64(len(records))
	if len(records) > 0 {
		close(q.fresh)
		q.fresh = make(chan struct{})
	}
	return q.next, nil
}

func (q *Queue) room(records int, size int64) error {
	switch {
	case q.ended:
		return ErrEnded
	case !q.begun: // positions are not known before
		return &FullError{Early: true}
	case records > q.o.Records || size > q.o.Bytes:
		return ErrTooMany
	case len(q.waiting)+records > q.o.Records || q.bytes+size > q.o.Bytes:
		return &FullError{Records: len(q.waiting), Bytes: q.bytes}
	}
	return nil
}

// Waiting is how much is queued that the engine has not read.
func (q *Queue) Waiting() (records int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.bytes
}

// Durable says that all before a position is committed.
func (q *Queue) Durable(position int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if position > q.durable {
		q.durable = position
		close(q.commits)
		q.commits = make(chan struct{})
	}
}

// Wait returns nil when all before end is committed, ErrEnded where that cannot come any
// more, or the error of ctx.
func (q *Queue) Wait(ctx context.Context, end int64) error {
	for {
		q.mu.Lock()
		done, closed, commits := q.durable >= end, q.closed, q.commits
		q.mu.Unlock()
		switch {
		case done:
			return nil
		case closed:
			return ErrEnded
		}
		select {
		case <-commits:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// End ends the queue: nothing more is taken, what waits is read, then comes io.EOF.
func (q *Queue) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended = true
		close(q.fresh)
		q.fresh = make(chan struct{})
	}
}

// Close ends the queue, and those who wait for commits. It is called when the engine has
// ended.
func (q *Queue) Close() error {
	q.End()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.commits)
	q.commits = make(chan struct{})
	return nil
}

// Partition is that of all its records.
func (q *Queue) Partition() event.Partition { return event.Partition{Source: q.o.Name} }

// Resume goes on counting from the stored position.
func (q *Queue) Resume(_ context.Context, offset int64, _ []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next, q.read, q.durable = offset, offset, offset
	return nil
}

// nextMost is how many records a Next returns at most.
const nextMost = 4096

// Next appends what waits, or waits for it.
func (q *Queue) Next(ctx context.Context, into *event.Batch) error {
	for {
		q.mu.Lock()
		q.begun = true
		taken, ended, fresh := q.take(into), q.ended, q.fresh
		say := taken == 0 && !ended && !q.atEnd
		q.atEnd = len(q.waiting) == 0
		q.mu.Unlock()
		switch {
		case taken > 0:
			return nil
		case ended:
			return io.EOF
		case say: // once: the partition may be idle from now on
			into.AtEnd = true
			return nil
		}
		select {
		case <-fresh:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take moves records into a batch.
func (q *Queue) take(into *event.Batch) int {
	n := min(len(q.waiting), nextMost)
	for i, r := range q.waiting[:n] {
		into.Add(0, q.read+int64(i), r.time, r.text)
		if r.headers != nil {
			into.AddMeta(nil, r.headers)
		}
		q.bytes -= int64(len(r.text))
		q.waiting[i] = record{}
	}
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
		into.AtEnd = n > 0
	}
	q.read += int64(n)
	return n
}

// Position is where reading goes on.
func (q *Queue) Position() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.read
}

// Fingerprint is nil: nothing is kept of what was read.
func (*Queue) Fingerprint() []byte { return nil }
