package measure

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
	"github.com/cepheus-cep/cepheus/event"
)

// feed is a source that gives a loaded stream as fast as it is asked, batch by batch and
// without copying. After fill events it calls full once.
type feed struct {
	s     *stream
	next  int // batch
	given int // events
	fill  int
	full  func()
}

// Partition implements engine.Source.
func (f *feed) Partition() event.Partition { return event.Partition{Source: "loaded"} }

// Resume implements engine.Source; a loaded stream begins anew in each run.
func (f *feed) Resume(context.Context, int64, []byte) error { return errNoResume }

var errNoResume = errors.New("a loaded stream cannot be resumed")

// Next implements engine.Source.
func (f *feed) Next(_ context.Context, into *event.Batch) error {
	if f.next == len(f.s.batches) {
		return io.EOF
	}
	if f.given >= f.fill && f.full != nil {
		f.full()
		f.full = nil
	}
	b := &f.s.batches[f.next]
	into.Text, into.Records, into.Decoded, into.Common = b.text, b.records, b.decoded, b.common
	f.next++
	f.given += len(b.records)
	return nil
}

// Position implements engine.Source.
func (f *feed) Position() int64 { return int64(f.given) }

// Fingerprint implements engine.Source.
func (f *feed) Fingerprint() []byte { return nil }

// paced is a source that gives event i of a loaded stream not before start + i/rate, and
// as soon as it is asked after that.
type paced struct {
	feed
	rate  float64 // events a nanosecond
	total int     // events to give
	start time.Time
	in    int // of the batch at hand: events given
}

// maxPaced bounds one batch: what has come since the last one may be much.
const maxPaced = batchRecords

// Next implements engine.Source.
func (p *paced) Next(ctx context.Context, into *event.Batch) error {
	if p.start.IsZero() {
		p.start = time.Now()
	}
	if p.given >= p.total {
		return io.EOF
	}
	if wait := time.Until(p.arrival(p.given)); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.give(into, int(float64(time.Since(p.start))*p.rate)+1)
	return nil
}

// give hands on the events before number due that are in the batch at hand.
func (p *paced) give(into *event.Batch, due int) {
	b := &p.s.batches[p.next]
	n := min(len(b.records)-p.in, max(1, min(due, p.total)-p.given), maxPaced)
	to := p.in + n
	into.Text, into.Records = b.text, b.records[p.in:to:to]
	if b.decoded != nil {
		into.Decoded, into.Common = b.decoded[p.in:to:to], b.common.Among(p.in, to)
	}
	p.given += n
	if p.in = to; p.in == len(b.records) {
		p.next, p.in = p.next+1, 0
	}
}

// arrival is when event i comes.
func (p *paced) arrival(i int) time.Time {
	return p.start.Add(time.Duration(float64(i) / p.rate))
}

// eachCard is a source of payments by so many cards, one of each and then one more,
// rendered as they are asked for. Between the two it calls full.
type eachCard struct {
	payment gen.Payment
	cards   int
	given   int
	full    func()
	line    []byte
}

// Partition implements engine.Source.
func (e *eachCard) Partition() event.Partition { return event.Partition{Source: "cards"} }

// Resume implements engine.Source.
func (e *eachCard) Resume(context.Context, int64, []byte) error { return errNoResume }

// Next implements engine.Source.
func (e *eachCard) Next(_ context.Context, into *event.Batch) error {
	if e.given == e.cards {
		e.full()
	}
	for range batchRecords {
		if e.given == 2*e.cards {
			return io.EOF
		}
		e.payment.Card = e.given % e.cards
		e.payment.TS++
		e.line = e.payment.Append(e.line[:0])
		into.Add(0, int64(e.given), 0, e.line[:len(e.line)-1])
		if e.given++; e.given == e.cards {
			return nil
		}
	}
	return nil
}

// Position implements engine.Source.
func (e *eachCard) Position() int64 { return int64(e.given) }

// Fingerprint implements engine.Source.
func (e *eachCard) Fingerprint() []byte { return nil }
