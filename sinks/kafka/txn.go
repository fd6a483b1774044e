package kafka

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// positionPartition is the partition of the topic for which the group's offset is the
// position. It has nothing to do with that partition's records.
const positionPartition = 0

// position is the last row that is delivered, of which state directory it is, and which
// opening of a sink has written it.
type position struct {
	row            uint64
	state, opening string
}

// The metadata of the offset: what tells it from one that is not ours, and what lies between.
const (
	positionMark = "cepheus state "
	openingMark  = " opening "
)

func (p position) metadata() string { return positionMark + p.state + openingMark + p.opening }

// readMetadata takes what it cannot read for the name of another state.
func (p *position) readMetadata(text string) {
	p.state, p.opening, _ = strings.Cut(strings.TrimPrefix(text, positionMark), openingMark)
}

// takeOver becomes the only producer of the transactional id.
func (s *Sink) takeOver(ctx context.Context) error {
	err := s.tryTakeOver(ctx)
	if isBroken(err) { // another process has begun at the same time
		return s.fenced()
	}
	return err
}

// tryTakeOver looks first whether the position is ours, so that a process on another state
// does no harm.
func (s *Sink) tryTakeOver(ctx context.Context) error {
	at, err := s.look(ctx)
	if err != nil {
		return err
	}
	if err := s.adopt(at, false); err != nil {
		return err
	}
	if err := s.initialise(ctx, nobody); err != nil {
		return err
	}
	if s.producer.epoch > 0 {
		s.o.Log.Info("transactional id taken over; a process that still uses it will end", slog.String("sink", s.o.Name), slog.String("transactional_id", s.o.TransactionalID))
	}
	if at, err = s.readPosition(ctx, true); err != nil {
		return err
	}
	if err := s.adopt(at, true); err != nil {
		return err
	}
	return s.claim(ctx)
}

// undecided is how long a transaction of somebody else may be under way until it is taken for
// one that a dead process has left. What is committed shows a little later than its process
// hears of it: who looked at once would not see that the position is another's.
const undecided = time.Second

// look reads the position before anything is changed.
func (s *Sink) look(ctx context.Context) (position, error) {
	soon, cancel := context.WithTimeout(ctx, undecided)
	defer cancel()
	at, err := s.readPosition(soon, true)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return s.readPosition(ctx, false)
	}
	return at, err
}

// initialise gets an identity, the next one where the sink has one. Transactions of the one
// before are decided when it returns.
func (s *Sink) initialise(ctx context.Context, was identity) error {
	var q *initProducer
	err := s.ask(ctx, &s.transactions, func() exchange {
		q = &initProducer{version: s.versions.init, transactional: s.o.TransactionalID, timeout: int32(s.o.TransactionTimeout.Milliseconds()), was: was}
		return q
	})
	if err != nil {
		return err
	}
	s.become(q.is)
	return nil
}

// readPosition reads how far the brokers say that alerts are delivered. A stable position
// includes all that is decided.
func (s *Sink) readPosition(ctx context.Context, stable bool) (position, error) {
	var q *fetchOffset
	err := s.ask(ctx, &s.group, func() exchange {
		q = &fetchOffset{group: s.o.TransactionalID, topic: s.o.Topic, stable: stable}
		return q
	})
	if err != nil || q.offset < 0 {
		return position{state: s.o.State}, err
	}
	at := position{row: uint64(q.offset)}
	at.readMetadata(q.metadata)
	return at, nil
}

// adopt takes a position over that was found at the start, if it may be; it is final where all
// transactions of others are decided.
func (s *Sink) adopt(at position, final bool) error {
	err := s.ours(at)
	if err == nil {
		s.position.row = at.row
		return nil
	}
	if !s.o.Adopt {
		return err
	}
	if s.position.row = 0; final {
		s.o.Log.Warn("position of another state is passed by", slog.String("sink", s.o.Name), slog.String("transactional_id", s.o.TransactionalID), slog.String("state", at.state), slog.Uint64("row", at.row))
	}
	return nil
}

// ours reports, by a [StateError], that a position is not one of this state.
func (s *Sink) ours(at position) error {
	if at.state == s.o.State && at.row <= s.o.LastRow {
		return nil
	}
	return &StateError{TransactionalID: s.o.TransactionalID, Was: at.state, Is: s.o.State, Row: at.row, Last: s.o.LastRow}
}

// claim writes the position before there is an alert, so that others see whose it is.
func (s *Sink) claim(ctx context.Context) error {
	s.begun = true
	if err := s.putPosition(ctx, s.position.row); err != nil {
		return err
	}
	return s.end(ctx, true)
}

// deliverAtOnce delivers rows in one transaction. Where the attempt before was cut short, that
// one is decided first: what it wrote would else be there twice.
func (s *Sink) deliverAtOnce(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	last := rows[len(rows)-1].Number
	for {
		if s.begun {
			if err := s.resume(ctx); err != nil {
				return 0, err
			}
			if taken := s.committed(rows); taken > 0 {
				return taken, nil // the answer was not heard
			}
		}
		w := s.sort(ctx, rows)
		if err := s.transaction(ctx, w, last); err == nil {
			return s.refusedIn(ctx, w)
		} else if !isBroken(err) {
			return 0, err
		} else {
			s.trouble(err)
		}
		if err := rest(ctx, retryFirst); err != nil {
			return 0, err
		}
	}
}

// committed counts the rows up to the position.
func (s *Sink) committed(rows []sinks.Row) (n int) {
	for n < len(rows) && rows[n].Number <= s.position.row {
		n++
	}
	return n
}

// refusedIn delivers what stands before a row that was refused: the transaction with it has
// been undone.
func (s *Sink) refusedIn(ctx context.Context, w *writing) (taken int, err error) {
	if w.why == nil {
		return len(w.rows), nil
	}
	if w.refused == 0 {
		return 0, w.why
	}
	if taken, err = s.deliverAtOnce(ctx, w.rows[:w.refused]); err != nil {
		return taken, err
	}
	return taken, w.why
}

// transaction writes rows and the position and commits them as one; where a row is refused
// it undoes them.
func (s *Sink) transaction(ctx context.Context, w *writing, last uint64) error {
	if err := s.step("begin"); err != nil {
		return err
	}
	s.begun = true
	if err := s.announce(ctx, w); err != nil {
		return err
	}
	if err := s.step("announced"); err != nil {
		return err
	}
	if err := s.writeAndPut(ctx, w, last); err != nil {
		return err
	}
	if err := s.step("written"); err != nil {
		return err
	}
	if err := s.end(ctx, w.why == nil); err != nil {
		return err
	}
	if w.why == nil {
		s.position.row = last
	}
	return s.step("ended")
}

// announce tells the coordinator which partitions will be written to.
func (s *Sink) announce(ctx context.Context, w *writing) error {
	var partitions []int32
	for _, l := range w.lanes {
		partitions = append(partitions, l.partition)
	}
	return s.ask(ctx, &s.transactions, func() exchange {
		return &addPartitions{inTxn: s.inTxn(), topic: s.o.Topic, partitions: partitions}
	})
}

func (s *Sink) inTxn() inTxn {
	return inTxn{transactional: s.o.TransactionalID, producer: s.producer}
}

// writeAndPut writes rows and puts the position beside, at the same time: neither needs the
// other.
func (s *Sink) writeAndPut(ctx context.Context, w *writing, last uint64) error {
	var both sync.WaitGroup
	var writing, putting error
	both.Go(func() { writing = s.writeAll(ctx, w) })
	both.Go(func() { putting = s.putPosition(ctx, last) })
	both.Wait()
	return errors.Join(writing, putting)
}

// writeAll is write, but ends at the first row that is refused: the transaction comes to
// nothing.
func (s *Sink) writeAll(ctx context.Context, w *writing) error {
	if err := s.write(ctx, w); err != nil {
		return err
	}
	return s.step("records written")
}

// putPosition makes the position part of the transaction.
func (s *Sink) putPosition(ctx context.Context, row uint64) error {
	err := s.ask(ctx, &s.transactions, func() exchange {
		return &addOffsets{inTxn: s.inTxn(), group: s.o.TransactionalID}
	})
	if err != nil {
		return err
	}
	if err := s.step("group announced"); err != nil {
		return err
	}
	err = s.ask(ctx, &s.group, func() exchange {
		return &commitOffset{inTxn: s.inTxn(), group: s.o.TransactionalID, topic: s.o.Topic, offset: int64(row), metadata: s.position.metadata()}
	})
	if err != nil {
		return err
	}
	return s.step("position put")
}

// end commits the transaction or undoes it. Asked again, the coordinator says the same.
func (s *Sink) end(ctx context.Context, commit bool) error {
	err := s.ask(ctx, &s.transactions, func() exchange { return &endTxn{inTxn: s.inTxn(), commit: commit} })
	if err == nil {
		s.begun = false
	}
	return err
}

// resume gets the next identity after a transaction that broke, and learns from the position
// what has become of it. Where another process was there in between, the brokers refuse; some
// that stand for Kafka do not, and the position tells.
func (s *Sink) resume(ctx context.Context) error {
	err := s.initialise(ctx, s.producer)
	if isBroken(err) {
		return s.fenced()
	}
	if err != nil {
		return err
	}
	at, err := s.readPosition(ctx, true)
	if err != nil {
		return err
	}
	if at.state != s.position.state || at.opening != s.position.opening {
		return s.fenced()
	}
	s.position, s.begun = at, false
	return nil
}

func (s *Sink) fenced() error {
	return &FencedError{TransactionalID: s.o.TransactionalID, Topic: s.o.Topic}
}
