package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/sinks"
)

// writing is the rows of a Deliver on their way.
type writing struct {
	rows    []sinks.Row
	lanes   []*lane
	done    []bool // rows that are written
	refused int    // the first row that the topic refuses; len(rows): none
	why     error
	trace   func(alert []byte) string // traceparent of an alert; empty: none
}

// lane is what goes to one partition, one batch at a time, so that order is kept.
type lane struct {
	partition int32
	rows      []int  // indexes of rows that are to be written
	batch     []byte // of the first count of them; nil: none yet
	count     int
	size      int // of that batch before compression
}

// sort puts rows that are not written yet into lanes.
func (s *Sink) sort(ctx context.Context, rows []sinks.Row) *writing {
	w := &writing{rows: rows, done: make([]bool, len(rows)), refused: len(rows)}
	w.trace = func(alert []byte) string { return sinks.AlertTrace(ctx, alert) }
	of := make([]*lane, len(s.leaders))
	for i, r := range rows {
		if s.ahead[r.Number] {
			w.done[i] = true
			continue
		}
		h := headOf(r.Alert)
		n := partitionOf(h.partitionKey(), len(of))
		if of[n] == nil {
			of[n] = &lane{partition: int32(n)}
			w.lanes = append(w.lanes, of[n])
		}
		of[n].rows = append(of[n].rows, i)
	}
	return w
}

// deliver writes rows without a transaction.
func (s *Sink) deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	w := s.sort(ctx, rows)
	if err = s.anewUnlessAgain(ctx, w); err == nil {
		err = s.writeAnyhow(ctx, w)
	}
	if taken = w.refused; err != nil {
		s.keepDoubt(w)
		taken = 0
	}
	s.keepAhead(w, taken)
	return taken, cmp.Or(err, w.why)
}

// writeAnyhow is write, by a new producer where the broker has forgotten this one, or has lost
// records: what is in doubt then may come twice.
func (s *Sink) writeAnyhow(ctx context.Context, w *writing) error {
	for {
		err := s.write(ctx, w)
		if !isBroken(err) {
			return err
		}
		s.o.Log.Warn("the producer begins anew; alerts under way may come twice", slog.String("sink", s.o.Name), slog.Any("err", err))
		if err := s.identify(ctx); err != nil {
			return err
		}
		w.recut()
	}
}

// keepDoubt notes the batches of which no answer was heard.
func (s *Sink) keepDoubt(w *writing) {
	for _, l := range w.lanes {
		if l.batch != nil {
			s.doubt[l.partition] = w.numbers(l.rows[:l.count])
		}
	}
}

// numbers are those of some of the rows.
func (w *writing) numbers(rows []int) (all []uint64) {
	for _, i := range rows {
		all = append(all, w.rows[i].Number)
	}
	return all
}

// anewUnlessAgain begins a new producer where batches are in doubt and their rows are not what
// comes next, for the dispatcher has given them up: with their numbers the broker would take
// as many others for a repeat, and lose them.
func (s *Sink) anewUnlessAgain(ctx context.Context, w *writing) error {
	for partition, rows := range s.doubt {
		if !w.beginsWith(partition, rows) {
			return s.identify(ctx)
		}
	}
	return nil
}

// beginsWith tells whether rows are the first that are to go to a partition.
func (w *writing) beginsWith(partition int32, rows []uint64) bool {
	for _, l := range w.lanes {
		if l.partition == partition && len(l.rows) >= len(rows) {
			return slices.Equal(w.numbers(l.rows[:len(rows)]), rows)
		}
	}
	return false
}

// keepAhead notes what is written of the rows behind those taken, which are handed over again:
// the broker knows a repeat by its number, and would take one with another for new.
func (s *Sink) keepAhead(w *writing, taken int) {
	clear(s.ahead)
	for i, r := range w.rows[taken:] {
		if w.done[taken+i] {
			s.ahead[r.Number] = true
		}
	}
}

// recut forgets batches, which bear an identity and a number.
func (w *writing) recut() {
	for _, l := range w.lanes {
		l.batch = nil
	}
}

// write writes all rows before the first that the topic refuses.
func (s *Sink) write(ctx context.Context, w *writing) error {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		qs, err := s.compose(w)
		if err != nil {
			return err
		}
		before := w.left()
		if before == 0 {
			return nil
		}
		if err := s.exchange(ctx, qs, w); err != nil {
			return err
		}
		if w.left() < before {
			pause = retryFirst / 2
			s.calm()
			continue
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
		s.lookAgain(ctx)
	}
}

// lookAgain looks for leaders; that nobody answers is known already.
func (s *Sink) lookAgain(ctx context.Context) {
	if err := s.once(ctx, s.refresh); err != nil {
		s.trouble(s.o.access().Explain(err))
	}
}

// left counts the rows that are to be written.
func (w *writing) left() (n int) {
	for _, l := range w.lanes {
		n += len(l.rows)
	}
	return n
}

// compose makes a request for each leader.
func (s *Sink) compose(w *writing) (qs map[int32]*produce, err error) {
	qs = map[int32]*produce{}
	for _, l := range w.lanes {
		leader := s.leaders[l.partition]
		if len(l.rows) > 0 && leader < 0 {
			s.trouble(fmt.Errorf("partition %d: %w", l.partition, kafka.LeaderNotAvailable))
		}
		if len(l.rows) == 0 || leader < 0 {
			continue
		}
		if l.batch == nil {
			if err := s.cut(w, l); err != nil {
				return nil, err
			}
		}
		if qs[leader] == nil {
			qs[leader] = s.produceTo(nil)
		}
		qs[leader].parts = append(qs[leader].parts, part{partition: l.partition, batch: l.batch})
	}
	return qs, nil
}

func (s *Sink) produceTo(parts []part) *produce {
	return &produce{version: s.versions.produce, transactional: s.transactionalID(), timeout: int32(s.o.Timeout.Milliseconds() / 2), topic: s.o.Topic, parts: parts}
}

func (s *Sink) transactionalID() string {
	if s.o.Transactional {
		return s.o.TransactionalID
	}
	return ""
}

// cut makes a lane's next batch. It is never reused: a request that we no longer wait for may
// still be under way.
func (s *Sink) cut(w *writing, l *lane) (err error) {
	var alerts [][]byte
	l.size = 0
	for _, i := range l.rows {
		a := w.rows[i].Alert
		if len(alerts) > 0 && l.size+len(a) > s.limit {
			break
		}
		alerts, l.size = append(alerts, a), l.size+len(a)
	}
	l.count = len(alerts)
	b := batchOf{producer: s.producer, sequence: s.sequences[l.partition], transactional: s.o.Transactional, codec: s.codec, now: s.o.Now(), trace: w.trace}
	l.batch, err = b.encode(alerts)
	return err
}

// exchange sends all requests at once and takes the answers.
func (s *Sink) exchange(ctx context.Context, qs map[int32]*produce, w *writing) error {
	var all sync.WaitGroup
	errs := map[int32]*error{}
	for leader, q := range qs {
		err := new(error)
		errs[leader] = err
		all.Go(func() {
			*err = s.once(ctx, func(ctx context.Context) error { return s.send(ctx, leader, q) })
		})
	}
	all.Wait()
	var failed error
	for leader, q := range qs {
		if err := *errs[leader]; err != nil {
			s.trouble(s.o.access().Explain(err))
			continue
		}
		failed = errors.Join(failed, s.settle(q, w))
	}
	return failed
}

// settle takes the answers of one leader.
func (s *Sink) settle(q *produce, w *writing) (failed error) {
	for i := range q.parts {
		p := &q.parts[i]
		for _, l := range w.lanes {
			if l.partition == p.partition && p.answered {
				failed = errors.Join(failed, s.settlePart(p.code, l, w))
			}
		}
	}
	return failed
}

func (s *Sink) settlePart(code int16, l *lane, w *writing) error {
	switch {
	case code == 0 || kafka.Error(code) == kafka.DuplicateSequenceNumber:
		s.wrote(l, w)
		return nil
	case tooLarge(code) && l.count > 1:
		s.limit, l.batch = min(s.limit, l.size/2), nil
		return nil
	case tooLarge(code):
		w.refuse(l, kafka.Error(code), s.o.Topic)
		return nil
	case passes(code):
		s.trouble(fmt.Errorf("partition %d: %w", l.partition, kafka.Error(code)))
		return nil
	}
	return s.o.codeError(code)
}

func (s *Sink) wrote(l *lane, w *writing) {
	for _, i := range l.rows[:l.count] {
		w.done[i] = true
	}
	// Numbers go round at 2³¹.
	s.sequences[l.partition] = int32((int64(s.sequences[l.partition]) + int64(l.count)) & math.MaxInt32)
	l.rows, l.batch = l.rows[l.count:], nil
	delete(s.doubt, l.partition)
}

// refuse notes that the topic does not take a lane's next row, and lets go what is behind it,
// but for batches that may be there already.
func (w *writing) refuse(of *lane, why error, topic string) {
	i := of.rows[0]
	of.rows, of.batch = nil, nil
	if i > w.refused {
		return
	}
	w.refused = i
	w.why = &sinks.RejectedError{Err: fmt.Errorf("topic %s: alert of %d bytes: %w", topic, len(w.rows[i].Alert), why)}
	for _, l := range w.lanes {
		n := 0
		for n < len(l.rows) && (l.rows[n] < i || l.batch != nil && n < l.count) {
			n++
		}
		l.rows = l.rows[:n]
	}
}
