package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// Client reads partitions of one cluster. Its methods may be called from any goroutine.
type Client struct {
	o        Options
	cluster  *wire.Cluster
	versions versions
	pattern  *regexp.Regexp

	cancel   context.CancelFunc
	running  sync.WaitGroup
	context  context.Context //nolint:containedctx // ends what Open has started
	troubled chan struct{}   // a leader is to be looked for
	grown    chan struct{}

	mu      sync.Mutex
	sources []*Source // in order of topic and number; replaced, never changed
	brokers []int32   // that the cluster has
	lanes   map[laneKey]*lane

	// Of the goroutine that asks for topics.
	turn   int // of the brokers, where one does not answer
	silent bool
}

// versions are what both sides know.
type versions struct{ fetch, list, metadata int16 }

// Open connects to the brokers and finds the partitions. It tries for StartTimeout where
// brokers do not answer, and not again where a setting is wrong: see [SettingError].
// Nothing is fetched before a source's first Next. Close must follow.
func Open(ctx context.Context, o Options) (*Client, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.running.Go(c.keep)
	return c, nil
}

// Probe does what Open does and closes what it has opened.
func Probe(ctx context.Context, o Options) error {
	c, err := Open(ctx, o)
	if err != nil {
		return err
	}
	return c.Close()
}

func newClient(o Options) (*Client, error) {
	cluster, err := wire.Connect(o.access())
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, cluster: cluster, troubled: make(chan struct{}, 1), grown: make(chan struct{}, 1), lanes: map[laneKey]*lane{}}
	c.pattern, _ = o.pattern() // validated
	c.context, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends fetching and waits until it has ended. Next must not be waiting, or its
// context be done.
func (c *Client) Close() error {
	c.cancel()
	c.cluster.Close()
	c.running.Wait()
	return nil
}

// start tries the brokers until they answer or it makes no sense.
func (c *Client) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.StartTimeout)
	defer cancel()
	var last error
	for {
		err := c.tryStart(ctx)
		if err == nil {
			return nil
		}
		if err = c.o.access().Explain(err); wire.Fatal(err) {
			return err
		}
		if last != nil && (ctx.Err() != nil || wire.CutShort(err)) {
			err = last // the attempt that time has cut short says nothing
		}
		last = err
		select {
		case <-time.After(retryFirst):
		case <-ctx.Done():
			return &StartError{c.o.StartTimeout, err}
		}
	}
}

func (c *Client) tryStart(ctx context.Context) error {
	if c.versions.fetch == 0 { // else an attempt before has, and what it began is running
		if err := c.negotiate(ctx); err != nil {
			return err
		}
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return err
	}
	if err := c.checkTopics(m); err != nil {
		return err
	}
	c.update(m)
	return c.checkRights(ctx)
}

// negotiate agrees on versions. The login has succeeded where it does.
func (c *Client) negotiate(ctx context.Context) error {
	known, err := c.cluster.Versions(ctx)
	if err != nil {
		return err
	}
	fetch := min(known[apiFetch].Max, maxFetch)
	c.versions.list = min(known[apiListOffsets].Max, maxListOffsets)
	c.versions.metadata = min(known[wire.APIMetadata].Max, wire.MaxMetadata)
	if fetch < 4 || c.versions.list < 1 || c.versions.metadata < 4 {
		return wire.Mend("brokers", "the brokers are older than Kafka 0.11", nil)
	}
	if c.versions.metadata < 10 {
		fetch = min(fetch, 12) // without ids of topics
		c.o.Log.Warn("the brokers tell no ids of topics: one that is deleted and made again is known by the last record read alone", slog.String("source", c.o.Name))
	}
	c.versions.fetch = fetch
	return nil
}

// checkTopics looks for what is wrong with the topics asked for.
func (c *Client) checkTopics(m *wire.Metadata) error {
	found := 0
	for i := range m.Found {
		t := &m.Found[i]
		if !c.wants(t) {
			continue
		}
		found++
		if err := c.o.topicError(t.Name, t.Code); err != nil {
			return err
		}
		if t.Code != 0 || len(t.Parts) == 0 {
			return fmt.Errorf("topic %s: %w", t.Name, kafka.Error(t.Code))
		}
	}
	if found == 0 {
		return wire.Mend("topics", "no topic matches "+c.o.Pattern, nil)
	}
	return nil
}

// checkRights finds topics that we may describe and not read. It asks for an offset that
// no log has, so nothing is sent.
func (c *Client) checkRights(ctx context.Context) error {
	for _, s := range c.Sources() {
		if s.number != 0 || s.leads() < 0 {
			continue
		}
		f := &fetchExchange{version: c.versions.fetch, size: 1, asks: []ask{{source: s, offset: math.MaxInt64, size: 1}}}
		if err := c.send(ctx, s.leads(), f); err != nil {
			return err
		}
		for _, g := range f.gives {
			if g.code == int16(kafka.TopicAuthorizationFailed) {
				return c.o.topicError(s.topic, g.code)
			}
		}
	}
	return nil
}

// wants reports whether a topic is one of those to be read.
func (c *Client) wants(t *wire.Topic) bool {
	if slices.Contains(c.o.Topics, t.Name) {
		return true
	}
	return c.pattern != nil && !t.Internal && !strings.HasPrefix(t.Name, "__") && c.pattern.MatchString(t.Name)
}

// send exchanges one request with a broker, or, negative, with any.
func (c *Client) send(ctx context.Context, broker int32, r wire.Request) error {
	return c.cluster.Send(ctx, broker, r)
}

// metadata asks one broker after the other, those named at the start first.
func (c *Client) metadata(ctx context.Context) (*wire.Metadata, error) {
	c.mu.Lock()
	order := append([]int32{-1}, c.brokers...)
	c.mu.Unlock()
	var err error
	for range order {
		m := &wire.Metadata{Version: c.versions.metadata}
		if c.pattern == nil {
			m.Topics = c.o.Topics
		}
		if err = c.sendSoon(ctx, order[c.turn%len(order)], m); err == nil || ctx.Err() != nil {
			return m, err
		}
		c.turn++ // stay with one that answers
	}
	return nil, err
}

func (c *Client) sendSoon(ctx context.Context, broker int32, r wire.Request) error {
	ctx, cancel := context.WithTimeout(ctx, min(c.o.Timeout, 3*time.Second))
	defer cancel()
	return c.send(ctx, broker, r)
}

// Sources returns what is read, in order of topic and number; each is one input of the
// engine.
func (c *Client) Sources() []*Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sources
}

// Grown tells that Sources has more than before: partitions or topics have appeared. They
// are read from their oldest record, whatever Options.Start says.
func (c *Client) Grown() <-chan struct{} { return c.grown }

// How long to wait before brokers are asked again that did not answer, or not well.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 500 * time.Millisecond
)

// keep looks for leaders when some partition has none, and for new topics at times.
func (c *Client) keep() {
	for pause := retryFirst; ; {
		calm := c.o.Refresh
		if c.anyLost() {
			calm = pause
		}
		select {
		case <-c.context.Done():
			return
		case <-time.After(calm):
		case <-c.troubled:
			if !c.rest(pause) {
				return
			}
			calm = 0
		}
		if pause = min(2*pause, retryMost); calm == c.o.Refresh {
			pause = retryFirst
		}
		c.refresh()
	}
}

// rest waits before the brokers are asked again.
func (c *Client) rest(pause time.Duration) bool {
	select {
	case <-c.context.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// refresh asks for topics and leaders; that nobody answers is said once.
func (c *Client) refresh() {
	m, err := c.metadata(c.context)
	if err == nil {
		c.silent = false
		c.update(m)
		return
	}
	if !c.silent && c.context.Err() == nil {
		c.silent = true
		c.o.Log.Warn("no broker answers", slog.String("source", c.o.Name), slog.Any("err", err))
	}
}

func (c *Client) anyLost() bool {
	return slices.ContainsFunc(c.Sources(), (*Source).lost)
}

// trouble makes keep look for leaders.
func (c *Client) trouble() { signal(c.troubled) }

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// update takes over what the brokers say of topics.
func (c *Client) update(m *wire.Metadata) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brokers = c.brokers[:0:0]
	for _, b := range m.Brokers {
		c.brokers = append(c.brokers, b.ID)
	}
	first := c.sources == nil
	sources := slices.Clone(c.sources)
	for i := range m.Found {
		t := &m.Found[i]
		if !c.wants(t) || t.Code != 0 {
			continue
		}
		for _, p := range t.Parts {
			sources = c.place(sources, t, p, !first)
		}
	}
	if len(sources) > len(c.sources) {
		slices.SortFunc(sources, compareSources)
		c.sources = sources
		c.share(first)
	}
}

// leastFetch is how much may be asked of a partition in any case, in bytes.
const leastFetch = 16 << 10

// share divides the memory, and tells of new partitions.
func (c *Client) share(first bool) {
	for _, s := range c.sources {
		s.limit.Store(int64(max(leastFetch, c.o.Prefetch/len(c.sources))))
	}
	if !first {
		signal(c.grown)
	}
}

// place gives a partition its leader; one not known yet becomes a source.
func (c *Client) place(sources []*Source, t *wire.Topic, p wire.Partition, late bool) []*Source {
	i := slices.IndexFunc(sources, func(s *Source) bool { return s.topic == t.Name && s.number == p.Number })
	if i < 0 {
		s := newSource(c, t, p.Number)
		if late {
			s.from = Start{From: Earliest}
			c.o.Log.Info("partition has appeared", slog.String("topic", t.Name), slog.Int("partition", int(p.Number)))
		}
		sources, i = append(sources, s), len(sources)
	}
	s := sources[i]
	if s.id != t.ID {
		s.fail(s.replaced(s.id, t.ID))
		return sources
	}
	if p.Leader >= 0 {
		s.ledBy(p.Leader, c.laneOf(s, p.Leader))
	}
	return sources
}

// laneOf returns the lane that fetches a partition from a broker; c.mu is held.
func (c *Client) laneOf(s *Source, broker int32) *lane {
	key := laneKey{broker: broker}
	if c.o.EachPartition {
		key.only = s
	}
	l := c.lanes[key]
	if l == nil {
		l = &lane{c: c, laneKey: key, wake: make(chan struct{}, 1)}
		c.lanes[key] = l
		c.running.Go(l.run)
	}
	return l
}
