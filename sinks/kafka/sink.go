package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"

	"github.com/cepheus-cep/cepheus/internal/wire"
	"github.com/cepheus-cep/cepheus/sinks"
)

// Sink writes alerts to a topic. It is one producer.
type Sink struct {
	o        Options
	cluster  *wire.Cluster
	send     func(ctx context.Context, broker int32, q wire.Request) error // of cluster; tests lose answers
	codec    compress.Compression
	versions versions
	opening  bool

	transactions, group coordinator

	known     brokers
	leaders   []int32 // of the partitions; negative: none
	producer  identity
	sequences []int32            // of the partitions' next records
	limit     int                // of a batch before compression: what the topic takes
	ahead     map[uint64]bool    // rows of the last Deliver that are written and were not taken
	doubt     map[int32][]uint64 // by partition, rows sent last whose answer was not heard
	position  position
	begun     bool // a transaction may be open, or what became of it is not known

	waiting struct {
		sync.Mutex
		since time.Time // zero: nothing waits
		said  bool
		why   error // the last
	}

	step func(name string) error // of tests: an error ends what is done there, as a crash would
}

// versions are what both sides know.
type versions struct{ metadata, produce, init int16 }

var (
	_ sinks.Sink       = (*Sink)(nil)
	_ sinks.Positioner = (*Sink)(nil)
)

// Open connects to the brokers, looks for the topic and becomes its producer. It tries for
// StartTimeout where brokers do not answer, and not again where a setting is wrong: see
// [wire.SettingError]. With Transactional, who used the transactional id before is shut out,
// unless the error is a [StateError].
func Open(ctx context.Context, o Options) (*Sink, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s, err := newSink(o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.cluster.Close()
		return nil, err
	}
	s.opening = false
	return s, nil
}

func newSink(o Options) (*Sink, error) {
	cluster, err := wire.Connect(o.access())
	if err != nil {
		return nil, err
	}
	s := &Sink{o: o, cluster: cluster, send: cluster.Send, opening: true, producer: nobody, limit: o.BatchBytes, ahead: map[uint64]bool{}, doubt: map[int32][]uint64{}}
	s.codec, _ = o.codec() // validated
	s.transactions = coordinator{key: o.TransactionalID, kind: ofTransaction}
	s.group = coordinator{key: o.TransactionalID, kind: ofGroup}
	s.position = position{state: o.State, opening: rand.Text()}
	s.step = func(string) error { return nil }
	return s, nil
}

func (s *Sink) start(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	err := s.connect(within)
	if err == nil && s.o.Transactional {
		err = s.takeOver(within)
	} else if err == nil {
		err = s.identify(within)
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = &StartError{Tried: s.o.StartTimeout, Err: err}
	}
	return err
}

// connect agrees on versions, and finds the topic.
func (s *Sink) connect(ctx context.Context) error {
	if err := s.again(ctx, s.negotiate); err != nil {
		return err
	}
	if err := s.again(ctx, s.findTopic); err != nil {
		return err
	}
	return s.again(ctx, s.checkRight)
}

func (s *Sink) negotiate(ctx context.Context) error {
	known, err := s.cluster.Versions(ctx)
	if err != nil {
		return err
	}
	s.versions = versions{
		metadata: min(known[wire.APIMetadata].Max, wire.MaxMetadata),
		produce:  min(known[apiProduce].Max, maxProduce),
		init:     min(known[apiInitProducerID].Max, maxInitProducerID),
	}
	switch {
	case s.versions.produce < 3 || s.versions.init < 1:
		return wire.Mend("brokers", "the brokers are older than Kafka 1.0", nil)
	case s.o.Transactional && known[apiOffsetFetch].Max < onlyOffsetFetch:
		return wire.Mend("transactional", "the brokers are older than Kafka 2.5", nil)
	case s.codec == compress.Zstd && s.versions.produce < 7:
		return wire.Mend("compression", "the brokers do not take zstd", nil)
	}
	return nil
}

// findTopic is for the start, when the topic must be there.
func (s *Sink) findTopic(ctx context.Context) error {
	err := s.refresh(ctx)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return wire.Mend("topic", fmt.Sprintf("topic %q does not exist", s.o.Topic), nil)
	}
	if err == nil && slices.Min(s.leaders) < 0 {
		err = fmt.Errorf("topic %s: %w", s.o.Topic, kafka.LeaderNotAvailable)
	}
	return err
}

// refresh looks for the leaders. The number of partitions is the one of the start, so that
// a key stays where it is.
func (s *Sink) refresh(ctx context.Context) error {
	m := &wire.Metadata{Version: s.versions.metadata, Topics: []string{s.o.Topic}}
	if err := s.toAny(ctx, m); err != nil {
		return err
	}
	s.known.are(m.Brokers)
	for i := range m.Found {
		if t := &m.Found[i]; t.Name == s.o.Topic {
			return s.ledBy(t)
		}
	}
	return kafka.UnknownTopicOrPartition
}

func (s *Sink) ledBy(t *wire.Topic) error {
	if err := s.o.codeError(t.Code); err != nil {
		return err
	}
	if s.leaders == nil {
		s.leaders, s.sequences = make([]int32, len(t.Parts)), make([]int32, len(t.Parts))
	}
	for i := range s.leaders {
		s.leaders[i] = -1
	}
	for _, p := range t.Parts {
		if int(p.Number) < len(s.leaders) {
			s.leaders[p.Number] = p.Leader
		}
	}
	if len(s.leaders) == 0 {
		return kafka.LeaderNotAvailable
	}
	return nil
}

// checkRight finds out whether we may write, by a request without a record: brokers look at
// rights first.
func (s *Sink) checkRight(ctx context.Context) error {
	q := s.produceTo([]part{{partition: 0}})
	if err := s.send(ctx, s.leaders[0], q); err != nil {
		return err
	}
	if kafka.Error(q.parts[0].code) == kafka.TopicAuthorizationFailed {
		return s.o.codeError(q.parts[0].code)
	}
	return nil
}

// identify makes the sink a producer without transactions.
func (s *Sink) identify(ctx context.Context) error {
	return s.again(ctx, func(ctx context.Context) error {
		q := &initProducer{version: s.versions.init, was: nobody}
		if err := s.toAny(ctx, q); err != nil {
			return err
		}
		if err := s.o.codeError(q.code); err != nil {
			return err
		}
		s.become(q.is)
		return nil
	})
}

// become takes an identity over: numbers of records begin anew.
func (s *Sink) become(is identity) {
	s.producer = is
	clear(s.sequences)
	clear(s.doubt)
}

// Position returns the last row that readers of the topic have, as the brokers said when the
// sink was opened; ok is false without Transactional.
func (s *Sink) Position() (row uint64, ok bool) {
	return s.position.row, s.o.Transactional
}

// Deliver writes rows, in one transaction where the sink has them, and returns when all
// replicas in sync have them. It tries for as long as ctx lets it.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	if s.o.Transactional {
		taken, err = s.deliverAtOnce(ctx, rows)
	} else {
		taken, err = s.deliver(ctx, rows)
	}
	return taken, s.meaning(ctx, err)
}

// meaning is what an error is to the dispatcher. That of an attempt which time has cut short
// is the last trouble before.
func (s *Sink) meaning(ctx context.Context, err error) error {
	var code kafka.Error
	switch {
	case err == nil, errors.As(err, new(*sinks.RejectedError)), errors.As(err, new(*FencedError)):
		return err
	case ctx.Err() != nil:
		return &sinks.RetryError{Err: cmp.Or(s.lastTrouble(), err)}
	case errors.As(err, new(*wire.SettingError)), errors.As(err, &code):
		return &sinks.FaultError{Err: err}
	}
	return err
}

// Flush has nothing to do: what Deliver took is with the replicas.
func (s *Sink) Flush(context.Context) error { return nil }

// farewell is how long Close may take to undo a transaction.
const farewell = time.Second

// Close undoes a transaction that is open, so that it holds no reader up, and ends the
// connections.
func (s *Sink) Close() error {
	if s.begun {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if err := s.end(ctx, false); err != nil {
			s.o.Log.Debug("the last transaction is left to the brokers", slog.String("sink", s.o.Name), slog.Any("err", err))
		}
	}
	s.cluster.Close()
	return nil
}
