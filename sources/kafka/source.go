package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/internal/wire"
)

// Source is one partition. Its methods are for one goroutine at a time, but Stats.
type Source struct {
	c      *Client
	topic  string
	number int32
	id     wire.TopicID
	from   Start
	counts counts
	limit  atomic.Int64 // of bytes that wait

	// Of the caller of Next.
	next    int64 // offset behind what was handed on; -1: not known yet
	begun   bool
	told    bool  // that there is nothing more for now
	chunk   chunk // being handed on
	suspect int64 // offset of a batch that was damaged once; -1: none

	ready  chan struct{} // something of the following has changed
	leader atomic.Int32  // -1: to be looked for

	mu       sync.Mutex
	lane     *lane
	queue    []chunk
	held     int      // bytes in queue
	free     [][]byte // memory for what is fetched next
	fetched  int64    // where fetching goes on
	era      int      // of fetched: what was asked for in an earlier one is dropped
	active   bool     // Next has been called
	asked    bool     // a fetch is on its way
	full     bool     // there was no room
	known    bool     // where the log ends is known of the last answer
	atEnd    bool     // fetched is that end, by an answer that is not too old
	failing  bool     // said in the log
	mark     landmark // where brokers tell no ids
	doubtful bool     // the log may be another: the landmark is looked at first
	err      error    // for good
}

// chunk is what one answer held of a partition.
type chunk struct {
	records  []byte // whole batches alone
	left     []byte // what of them is not handed on yet
	from     int64  // the offset asked for
	verdicts verdicts
}

func newSource(c *Client, t *wire.Topic, number int32) *Source {
	s := &Source{c: c, topic: t.Name, number: number, id: t.ID, from: c.o.Start, next: -1, suspect: -1, mark: landmark{offset: -1}, ready: make(chan struct{}, 1)}
	s.leader.Store(-1)
	return s
}

func compareSources(a, b *Source) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.number, b.number))
}

// Partition names the source, the topic and the partition's number.
func (s *Source) Partition() event.Partition {
	return event.Partition{Source: s.c.o.Name, Topic: s.topic, Number: s.number}
}

// Position is the offset behind the records handed on: that of the next one, or of what
// is passed by before it. Before the first Next it is where Resume has set it, or -1.
func (s *Source) Position() int64 { return s.next }

// Fingerprint is the topic's id, by which one that is deleted and made again is known; where
// the brokers give none, the last record's place and time stamp.
func (s *Source) Fingerprint() []byte {
	if !s.hasID() {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mark.fingerprint()
	}
	return append([]byte{fingerprintVersion}, s.id[:]...)
}

// Resume makes the first Next begin at offset. A fingerprint of another topic is a
// *ReplacedError.
func (s *Source) Resume(_ context.Context, offset int64, fingerprint []byte) error {
	if s.begun || offset < 0 {
		return fmt.Errorf("resume %s at offset %d: after the first record, or before the first offset", s.Partition().AppendName(nil), offset)
	}
	s.next = offset
	mark, isMark := landmarkOf(fingerprint)
	if isMark && !s.hasID() {
		s.mark, s.doubtful = mark, true // the lane does not look before begin
	}
	if isMark || len(fingerprint) == 0 || !s.hasID() {
		return nil
	}
	if len(fingerprint) != 1+len(s.id) || fingerprint[0] != fingerprintVersion {
		return fmt.Errorf("the stored fingerprint of %s is of another release (%d bytes); start with a fresh state directory", s.Partition().AppendName(nil), len(fingerprint))
	}
	if was := wire.TopicID(fingerprint[1:]); was != s.id {
		return s.replaced(was, s.id)
	}
	return nil
}

func (s *Source) replaced(was, is wire.TopicID) error {
	return &ReplacedError{Partition: s.Partition(), Offset: s.next, By: "its id", Was: was.String(), Is: is.String()}
}

// Next appends the records of one answer of the broker. It sets AtEnd where the partition
// stands at the end of its log: no record is there, not even of an undecided transaction,
// by an answer that is not older than twice Options.Wait; where that is not known any more
// it says so once, by neither a record nor AtEnd. It waits while brokers are away, for as
// long as that takes; errors are for good.
func (s *Source) Next(ctx context.Context, into *event.Batch) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	before := len(into.Records)
	into.Stamped = true
	defer func() { s.counts.next.Store(s.next) }()
	for {
		s.counts.next.Store(s.next)
		found, err := s.await(ctx)
		if err != nil {
			return err
		}
		switch found {
		case isAtEnd:
			s.told, into.AtEnd = true, true
			return nil
		case isInDoubt:
			s.told = false
			return nil
		}
		if err := s.handOn(into); err != nil {
			return err
		}
		if len(into.Records) > before {
			s.told = s.drained()
			into.AtEnd = s.told
			return nil
		}
	}
}

// begin finds where to start, at the first call, and has the partition fetched.
func (s *Source) begin(ctx context.Context) error {
	if s.begun {
		return nil
	}
	if s.next < 0 {
		if err := s.findStart(ctx); err != nil {
			return err
		}
	}
	s.begun = true
	s.mu.Lock()
	s.fetched, s.active = s.next, true
	s.mu.Unlock()
	s.wakeLane()
	return nil
}

// findStart asks for the offset that Start means until the leader answers.
func (s *Source) findStart(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, s.c.o.StartTimeout)
	defer cancel()
	for {
		err := s.tryStart(deadline)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if s.failure() != nil {
			return s.failure()
		}
		select {
		case <-time.After(retryFirst):
		case <-deadline.Done():
			return fmt.Errorf("find the start of %s: %w", s.Partition().AppendName(nil), err)
		}
	}
}

func (s *Source) tryStart(ctx context.Context) error {
	leader := s.leads()
	if leader < 0 {
		return errNoLeader
	}
	q := s.startQuery()
	err := s.c.send(ctx, leader, q)
	if err == nil && q.code == 0 && q.offset < 0 { // no record is that new
		q.time = latest
		err = s.c.send(ctx, leader, q)
	}
	if err == nil && q.code != 0 {
		err = kafka.Error(q.code)
	}
	if err != nil {
		s.lose(err)
		s.c.trouble()
		return err
	}
	s.next = q.offset
	return nil
}

func (s *Source) startQuery() *listExchange {
	q := &listExchange{version: s.c.versions.list, topic: s.topic, partition: s.number, committed: true, time: earliest}
	switch {
	case !s.from.At.IsZero():
		q.time = s.from.At.UnixMilli()
	case s.from.From == Latest:
		q.time = latest
	}
	return q
}

// finding is what await has found.
type finding int

const (
	isRecords finding = iota // in chunk
	isAtEnd
	isInDoubt // it had been told that it stands at its end
)

// await waits for a chunk, or for something to tell.
func (s *Source) await(ctx context.Context) (finding, error) {
	for {
		if found, ok, err := s.look(); ok || err != nil {
			return found, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-s.c.context.Done():
			return 0, errClosed
		}
	}
}

var errClosed = errors.New("kafka: the client is closed")

// look takes the next chunk where none is at hand.
func (s *Source) look() (found finding, ok bool, err error) {
	if len(s.chunk.left) > 0 {
		return isRecords, true, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		s.chunk = s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		s.next = s.chunk.from // elsewhere, where the offset was out of range
		s.held -= len(s.chunk.records)
		if s.full {
			s.full = false
			signal(s.lane.wake)
		}
		return isRecords, true, nil
	}
	switch {
	case s.err != nil:
		return 0, false, s.err
	case s.atEnd && !s.told:
		return isAtEnd, true, nil
	case !s.atEnd && s.told:
		return isInDoubt, true, nil
	}
	return 0, false, nil
}

// drained reports whether there is nothing more for now.
func (s *Source) drained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.chunk.left) == 0 && len(s.queue) == 0 && s.atEnd
}

// giveBack takes memory for what is fetched next.
func (s *Source) giveBack(memory []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cap(memory) > 0 && cap(memory) <= 4*s.c.o.FetchBytes && len(s.free) < 4 {
		s.free = append(s.free, memory[:0])
	}
}

// rewind drops all that was fetched and has it fetched again from next on.
func (s *Source) rewind() {
	s.mu.Lock()
	s.era++
	s.chunk, s.queue, s.held, s.fetched, s.atEnd, s.known = chunk{}, nil, 0, s.next, false, false
	s.mu.Unlock()
	s.wakeLane()
}

// leads is the broker that leads the partition, negative while none is known.
func (s *Source) leads() int32 { return s.leader.Load() }

// lost reports whether a leader is to be looked for.
func (s *Source) lost() bool { return s.leads() < 0 && s.failure() == nil }

func (s *Source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ledBy hands the partition to the lane of its leader.
func (s *Source) ledBy(broker int32, l *lane) {
	s.mu.Lock()
	s.lane = l
	s.mu.Unlock()
	s.leader.Store(broker)
	signal(l.wake)
}

func (s *Source) wakeLane() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lane != nil {
		signal(s.lane.wake)
	}
}

// ask returns what to ask a broker for; no source in it: nothing. full says that only
// room is missing; known, that it is known where the log ends.
func (s *Source) ask(broker int32) (a ask, full, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leads() != broker || !s.active || s.asked || s.err != nil {
		return a, false, false
	}
	limit := int(s.limit.Load())
	size := min(s.c.o.FetchBytes, limit)
	if s.held > 0 && s.held+size > limit {
		s.full = true
		return a, true, false
	}
	s.asked = true
	a = ask{source: s, offset: s.fetched, size: int32(size), era: s.era}
	if n := len(s.free); n > 0 {
		a.memory, s.free = s.free[n-1], s.free[:n-1]
	}
	return a, false, s.known
}

// took takes what a fetch has brought.
func (s *Source) took(g *give) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = false
	if s.recovered(); g.ask.era != s.era {
		return
	}
	whole, next, err := wholeFrames(g.records)
	if err != nil {
		s.err = fmt.Errorf("read %s after offset %d: %w", s.Partition().AppendName(nil), s.fetched, err)
	}
	if whole > 0 {
		sortAborted(g.aborted)
		records := g.records[:whole]
		s.queue = append(s.queue, chunk{records: records, left: records, from: g.ask.offset, verdicts: verdicts{coming: g.aborted}})
		s.held += whole
		s.fetched = max(s.fetched, next)
	} else if cap(g.records) > 0 && len(s.free) < 4 {
		s.free = append(s.free, g.records[:0])
	}
	s.known, s.atEnd = true, s.fetched >= g.end
	s.counts.end.Store(g.end)
	s.counts.bytes.Add(uint64(whole))
	signal(s.ready)
}

// wholeFrames returns how many bytes of an answer are whole batches, and the offset
// behind them. What is wrong with the first of them is an error; with a later one it is
// met by the next fetch.
func wholeFrames(b []byte) (whole int, next int64, err error) {
	for rest := b; ; {
		f, behind, ok, err := nextFrame(rest)
		if !ok {
			if whole > 0 {
				err = nil
			}
			return whole, next, err
		}
		whole, next, rest = len(b)-len(behind), f.next, behind
	}
}

// recovered ends a failure.
func (s *Source) recovered() {
	if s.failing {
		s.failing = false
		s.c.o.Log.Info("partition is fetched again", s.attrs(), slog.Int64("offset", s.fetched))
	}
}

// lose notes that fetching has failed; the partition waits for a leader.
func (s *Source) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.atEnd, s.doubtful = false, false, !s.hasID()
	s.leader.Store(-1)
	s.counts.failures.Add(1)
	if !s.failing {
		s.failing = true
		s.c.o.Log.Warn("partition cannot be fetched", s.attrs(), slog.Int64("offset", s.fetched), slog.Any("err", err))
	}
	signal(s.ready)
}

// doubt notes that an answer is overdue.
func (s *Source) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.atEnd = false
	signal(s.ready)
}

// fail ends the source with an error, once what came before it is handed on.
func (s *Source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.atEnd = false, false
	if s.err == nil {
		s.err = err
	}
	signal(s.ready)
}

// outOfRange follows the policy where a log from first to end has not the offset.
func (s *Source) outOfRange(a *ask, first, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = false
	if a.era != s.era || a.offset >= first && a.offset <= end { // it was so for a moment, while leaders changed
		s.leader.Store(-1)
		s.c.trouble()
		return
	}
	s.counts.outOfRange.Add(1)
	goOn, ok := goOnAt(s.c.o.OutOfRange, a.offset, first, end)
	if !ok {
		s.atEnd = false
		s.err = &RangeError{Partition: s.Partition(), Offset: a.offset, Start: first, End: end}
		signal(s.ready)
		return
	}
	lost := max(goOn-a.offset, 0)
	s.counts.lost.Add(uint64(lost))
	s.c.o.Log.Error("offset is out of range: reading goes on elsewhere", s.attrs(), slog.Int64("offset", a.offset),
		slog.Int64("first", first), slog.Int64("end", end), slog.Int64("next", goOn), slog.Int64("lost", lost))
	s.fetched, s.known = goOn, false
}

// goOnAt is the offset to go on at; not ok: the run is to end.
func goOnAt(p Policy, offset, first, end int64) (int64, bool) {
	switch {
	case p == Latest:
		return end, true
	case p == Stop || offset > end:
		return 0, false
	}
	return max(first, offset), true
}
