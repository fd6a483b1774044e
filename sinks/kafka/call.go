package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// How long to wait before something is tried again.
const (
	retryFirst = 5 * time.Millisecond
	retryMost  = 500 * time.Millisecond
)

// coordinator is the broker that is responsible for a key.
type coordinator struct {
	key  string
	kind int8
	node int32
	sure bool // node was found, and has not been doubted since
}

// brokers are those that a request may go to which any can answer.
type brokers struct {
	sync.Mutex
	ids  []int32
	turn int
}

func (b *brokers) are(list []wire.Broker) {
	b.Lock()
	defer b.Unlock()
	b.ids = b.ids[:0]
	for _, l := range list {
		b.ids = append(b.ids, l.ID)
	}
}

// one is one of those named at the start, or, after some that did not answer, of those that
// they named.
func (b *brokers) one() int32 {
	b.Lock()
	defer b.Unlock()
	if i := b.turn % (len(b.ids) + 1); i > 0 {
		return b.ids[i-1]
	}
	return -1
}

func (b *brokers) next() {
	b.Lock()
	defer b.Unlock()
	b.turn++
}

// toAny exchanges a request with any broker that answers.
func (s *Sink) toAny(ctx context.Context, q wire.Request) error {
	err := s.send(ctx, s.known.one(), q)
	if err != nil {
		s.known.next()
	}
	return err
}

// ask exchanges a request with a coordinator until there is an answer that counts.
func (s *Sink) ask(ctx context.Context, to *coordinator, make func() exchange) error {
	return s.again(ctx, func(ctx context.Context) error { return s.askOnce(ctx, to, make()) })
}

func (s *Sink) askOnce(ctx context.Context, to *coordinator, q exchange) error {
	if err := s.find(ctx, to); err != nil {
		return err
	}
	err := s.send(ctx, to.node, q)
	if to.sure = err == nil && !moved(q.failed()); err != nil {
		return err
	}
	return s.o.codeError(q.failed())
}

func (s *Sink) find(ctx context.Context, c *coordinator) error {
	if c.sure {
		return nil
	}
	q := &findCoordinator{key: c.key, kind: c.kind}
	if err := s.toAny(ctx, q); err != nil {
		return err
	}
	c.node, c.sure = q.node, q.code == 0
	return s.o.codeError(q.code)
}

// again does something until it succeeds, waiting does not help, or ctx ends.
func (s *Sink) again(ctx context.Context, do func(ctx context.Context) error) error {
	var before error
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := s.once(ctx, do)
		if err == nil {
			s.calm()
			return nil
		}
		err, last := s.judge(err)
		if last {
			return err
		}
		if before != nil && (ctx.Err() != nil || wire.CutShort(err)) {
			err = before // the attempt that time has cut short says nothing
		}
		if rest(ctx, pause) != nil {
			return err
		}
		s.trouble(err)
		before = err
	}
}

// once is an attempt with a time of its own.
func (s *Sink) once(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return do(ctx)
}

// judge explains an error and tells whether to try again makes no sense. While the sink
// opens, a setting that cannot work is told at once; later a login that is refused now may
// be taken again.
func (s *Sink) judge(err error) (explained error, last bool) {
	var code kafka.Error
	switch {
	case errors.As(err, new(*wire.SettingError)), isBroken(err):
		return err, true
	case errors.As(err, &code) && code != kafka.SASLAuthenticationFailed && code != kafka.UnsupportedSASLMechanism:
		return err, !passes(int16(code))
	}
	err = s.o.access().Explain(err)
	return err, s.opening && wire.Fatal(err)
}

func rest(ctx context.Context, pause time.Duration) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// patience is how long something may be tried again before it is said.
const patience = time.Second

// trouble says once that the sink waits.
func (s *Sink) trouble(err error) {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	s.waiting.why = err
	switch now := s.o.Now(); {
	case s.waiting.since.IsZero():
		s.waiting.since = now
	case !s.waiting.said && now.Sub(s.waiting.since) > patience:
		s.waiting.said = true
		s.o.Log.Warn("alerts wait for Kafka", slog.String("sink", s.o.Name), slog.String("topic", s.o.Topic), slog.Any("err", err))
	}
}

// calm says that it goes on.
func (s *Sink) calm() {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if s.waiting.said {
		s.o.Log.Info("alerts go to Kafka again", slog.String("sink", s.o.Name), slog.String("topic", s.o.Topic))
	}
	s.waiting.since, s.waiting.said, s.waiting.why = time.Time{}, false, nil
}

// lastTrouble is why the sink waits; nil: it does not.
func (s *Sink) lastTrouble() error {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	return s.waiting.why
}
