package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// laneKey names a lane: a broker, and, with Options.EachPartition, the only partition that
// is fetched there.
type laneKey struct {
	broker int32
	only   *Source
}

// lane fetches from one broker, one request after the other.
type lane struct {
	c *Client
	laneKey
	wake chan struct{}
	turn int // which partition is asked for first: only the first may get a batch longer than asked for
}

// shortWait is how long a fetch may be held while some partition of the broker has no
// room: when it has room again, it must not wait for the others.
const shortWait = 10 * time.Millisecond

func (l *lane) run() {
	for l.c.context.Err() == nil {
		if f := l.compose(); f != nil {
			l.fetch(f)
			continue
		}
		select {
		case <-l.wake:
		case <-l.c.context.Done():
		}
	}
}

// compose makes a request for all partitions that want more; nil: none does.
func (l *lane) compose() *fetchExchange {
	f := &fetchExchange{version: l.c.versions.fetch, wait: int32(l.c.o.Wait / time.Millisecond), size: wire.MaxResponse} // the partitions' sizes bound it
	led := l.led()
	l.turn++
	for i := range led {
		s := led[(i+l.turn)%len(led)]
		a, full, known := s.ask(l.broker)
		if full {
			f.wait = min(f.wait, int32(shortWait/time.Millisecond))
		}
		if a.source == nil {
			continue
		}
		if !known {
			f.wait = 0 // whether it stands at its end is to be known at once
		}
		f.asks = append(f.asks, a)
	}
	if len(f.asks) == 0 {
		return nil
	}
	return f
}

func (l *lane) led() []*Source {
	if l.only != nil {
		return []*Source{l.only}
	}
	return l.c.Sources()
}

// fetch sends the request and hands on what comes. Until it does, nobody knows whether the
// partitions still stand at their ends.
func (l *lane) fetch(f *fetchExchange) {
	wait := time.Duration(f.wait) * time.Millisecond
	ctx, cancel := context.WithTimeout(l.c.context, wait+l.c.o.Timeout)
	defer cancel()
	doubt := time.AfterFunc(wait+l.c.o.Wait, func() {
		for i := range f.asks {
			f.asks[i].source.doubt()
		}
	})
	err := l.c.send(ctx, l.broker, f)
	doubt.Stop()
	if l.c.context.Err() != nil {
		return
	}
	if err == nil && f.code != 0 {
		err = kafka.Error(f.code)
	}
	if err != nil {
		l.lose(f, err)
		return
	}
	l.deliver(ctx, f)
}

// lose gives up the partitions until keep has found their leaders.
func (l *lane) lose(f *fetchExchange, err error) {
	if e := l.c.o.access().Explain(err); wire.Fatal(e) {
		err = e // the words are better; a login that is refused now may be taken later
	}
	for i := range f.asks {
		f.asks[i].source.lose(err)
	}
	l.c.trouble()
}

func (l *lane) deliver(ctx context.Context, f *fetchExchange) {
	answered := make(map[*Source]bool, len(f.gives))
	for i := range f.gives {
		g := &f.gives[i]
		answered[g.ask.source] = true
		l.take(ctx, g)
	}
	for i := range f.asks {
		if s := f.asks[i].source; !answered[s] {
			s.lose(wire.ErrProtocol)
			l.c.trouble()
		}
	}
}

func (l *lane) take(ctx context.Context, g *give) {
	s := g.ask.source
	switch code := kafka.Error(g.code); code {
	case 0:
		if l.prove(ctx, s) {
			s.took(g)
		}
	case kafka.OffsetOutOfRange:
		l.outOfRange(ctx, g)
	case kafka.TopicAuthorizationFailed:
		s.fail(l.c.o.topicError(s.topic, g.code))
	default:
		s.lose(code)
		l.c.trouble()
	}
}

// outOfRange finds out what the log has and follows the policy, which is never silent.
func (l *lane) outOfRange(ctx context.Context, g *give) {
	s := g.ask.source
	first, err := l.offset(ctx, s, earliest)
	if err == nil {
		var end int64
		if end, err = l.offset(ctx, s, latest); err == nil {
			s.outOfRange(g.ask, first, end)
			return
		}
	}
	s.lose(err)
	l.c.trouble()
}

func (l *lane) offset(ctx context.Context, s *Source, time int64) (int64, error) {
	q := &listExchange{version: l.c.versions.list, topic: s.topic, partition: s.number, time: time}
	if err := l.c.send(ctx, l.broker, q); err != nil {
		return 0, err
	}
	if q.code != 0 {
		return 0, kafka.Error(q.code)
	}
	return q.offset, nil
}

// errNoLeader is of a partition that no broker leads.
var errNoLeader = errors.New("no broker leads the partition")

func (s *Source) attrs() slog.Attr {
	return slog.Group("", slog.String("topic", s.topic), slog.Int("partition", int(s.number)))
}
