package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/internal/wire"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sinks"
	sinkkafka "github.com/cepheus-cep/cepheus/sinks/kafka"
	sourcekafka "github.com/cepheus-cep/cepheus/sources/kafka"
	"github.com/cepheus-cep/cepheus/state"
)

// Bounds of bench --kafka.
const (
	kafkaEvents = 1_000_000
	kafkaCards  = 10_000
	kafkaPace   = 10_000 // events a second while latency is measured
	kafkaPaced  = 3 * time.Second
	kafkaMarked = 100             // one event in so many makes an alert
	kafkaMost   = 2 * time.Minute // for one measurement
)

// kafkaIntervals are those that the curve is over.
var kafkaIntervals = [...]time.Duration{10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second}

const kafkaRules = `event payment (time: time) { card string  amount float  time time  sent int? }
rule busy { from payment by card window sliding 1m having count() > 1000000 }
rule marked { from payment where sent != nil by card emit { sent: sent } }
`

// kafkaBench is a measurement with what is to be removed after it.
type kafkaBench struct {
	w       *world
	ctx     context.Context //nolint:containedctx // of the verb
	cluster *wire.Cluster
	brokers []string
	events  int
	every   []time.Duration // commit intervals
	paced   time.Duration   // how long latency is measured
	set     *plan.Set
	profile string // folder for CPU profiles; empty: none
	dir     string
	topics  []string
}

// kafka measures over topics of its own.
func (v benchVerb) kafka(w *world) error {
	b := &kafkaBench{w: w, ctx: w.ctx, brokers: strings.Split(v.Kafka, ","), events: kafkaEvents, every: kafkaIntervals[:], paced: kafkaPaced, profile: v.Profile}
	if v.Events > 0 {
		b.events = v.Events
	}
	if v.Profile != "" {
		if err := os.MkdirAll(v.Profile, 0o750); err != nil {
			return usage(err)
		}
	}
	return b.run()
}

// run connects, measures, and removes what it has made.
func (b *kafkaBench) run() (err error) {
	access := &wire.Access{Brokers: b.brokers, Timeout: 10 * time.Second}
	if b.cluster, err = wire.Connect(access); err != nil {
		return usage(err)
	}
	defer b.cluster.Close()
	if b.dir, err = os.MkdirTemp("", "cepheus-bench-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.removeTopics(), os.RemoveAll(b.dir)) }()
	set, messages := lang.Compile([]*source.File{{Name: "bench.cep", Text: kafkaRules}})
	if messages.HasErrors() {
		return messages
	}
	b.set = set
	if err := b.measure(); err != nil {
		return access.Explain(err)
	}
	return nil
}

func (b *kafkaBench) measure() error {
	topic, err := b.topic("events")
	if err != nil {
		return err
	}
	if err := b.fill(topic); err != nil {
		return fmt.Errorf("write %d events: %w", b.events, err)
	}
	fmt.Fprintf(b.w.stdout, "%d JSON events of about 100 bytes, %d cards, one partition; a sliding threshold, state on disk; this process on one core\n\n", b.events, kafkaCards)
	bare, err := b.onOneCore("fetch", func(ctx context.Context) error { return b.fetch(ctx, topic) })
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	fmt.Fprintf(b.w.stdout, "%-16s %10s %13s %10s %9s %10s %10s\n", "", "events/s", "CPU ns/event", "by CPU/s", "of fetch", "p50", "p99")
	fmt.Fprintf(b.w.stdout, "%-16s %10.0f %13.0f %10.0f\n", "fetch alone", bare.rate(b.events), bare.cpuOf(b.events), 1e9/bare.cpuOf(b.events))
	for _, every := range b.every {
		if err := b.row(topic, every, bare); err != nil {
			return fmt.Errorf("commits every %s: %w", every, err)
		}
	}
	fmt.Fprintf(b.w.stdout, `
by CPU/s: events a second if this process had a core for itself. of fetch: that, over that of fetch alone.
p50, p99: from before a record is written to when its alert is read from a transactional topic,
%d events/s for %s, on all cores.
`, kafkaPace, b.paced)
	return nil
}

// row measures one commit interval.
func (b *kafkaBench) row(topic string, every time.Duration, bare cost) error {
	whole, err := b.onOneCore("commit-"+every.String(), func(ctx context.Context) error { return b.throughEngine(ctx, topic, every) })
	if err != nil {
		return err
	}
	late, err := b.latency(every)
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	fmt.Fprintf(b.w.stdout, "%-16s %10.0f %13.0f %10.0f %9.2f %10s %10s\n", "commit "+every.String(), whole.rate(b.events), whole.cpuOf(b.events), 1e9/whole.cpuOf(b.events), float64(bare.cpu)/float64(whole.cpu),
		quantile(late, 0.5).Round(100*time.Microsecond), quantile(late, 0.99).Round(100*time.Microsecond))
	return nil
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// cost is what something took, by the wall and of CPU.
type cost struct{ wall, cpu time.Duration }

func (c cost) rate(events int) float64  { return float64(events) / c.wall.Seconds() }
func (c cost) cpuOf(events int) float64 { return float64(c.cpu) / float64(events) }

// onOneCore does something within the time allowed.
func (b *kafkaBench) onOneCore(name string, do func(ctx context.Context) error) (c cost, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ctx, cancel := context.WithTimeout(b.ctx, kafkaMost)
	defer cancel()
	runtime.GC()
	stop, err := b.profiled(name)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	began, used := b.w.now(), cpuUsed()
	err = do(ctx)
	return cost{b.w.now().Sub(began), cpuUsed() - used}, err
}

// profiled begins a CPU profile, where they are wanted; stop ends it.
func (b *kafkaBench) profiled(name string) (stop func() error, err error) {
	if b.profile == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(filepath.Join(b.profile, "kafka-"+name+".cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

func cpuUsed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (b *kafkaBench) topic(what string) (string, error) {
	name := fmt.Sprintf("cepheus-bench-%s-%d", what, b.w.now().UnixNano())
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	if err := b.cluster.CreateTopic(ctx, name, 1); err != nil {
		return "", err
	}
	b.topics = append(b.topics, name)
	return name, nil
}

// removeTopics removes them also where a signal has ended the verb.
func (b *kafkaBench) removeTopics() (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 15*time.Second)
	defer cancel()
	for _, name := range b.topics {
		err = errors.Join(err, b.cluster.DeleteTopic(ctx, name))
	}
	return err
}

// writer writes records by the sink's producer.
func (b *kafkaBench) writer(topic string) (*sinkkafka.Sink, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		s, err := sinkkafka.Open(b.ctx, sinkkafka.Options{Brokers: b.brokers, Topic: topic, Compression: "none"})
		if err == nil || time.Now().After(deadline) || b.ctx.Err() != nil {
			return s, err
		}
		time.Sleep(50 * time.Millisecond) // the topic is new: not all brokers may know it
	}
}

func (b *kafkaBench) fill(topic string) (err error) {
	s, err := b.writer(topic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithTimeout(b.ctx, kafkaMost)
	defer cancel()
	var rows []sinks.Row
	for i := range b.events {
		rows = append(rows, sinks.Row{Number: uint64(i), Alert: kafkaEvent(i, time.UnixMilli(int64(i)), 0)})
		if len(rows) == 10_000 || i == b.events-1 {
			if _, err := s.Deliver(ctx, rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return nil
}

// kafkaEvent is a payment; a marked one has when it was sent.
func kafkaEvent(i int, at time.Time, sent int64) []byte {
	e := fmt.Appendf(nil, `{"type":"payment","card":"card-%06d","amount":%d.25,"country":"DE","time":"%s"`, i%kafkaCards, i%500, at.UTC().Format("2006-01-02T15:04:05.000Z"))
	if sent != 0 {
		e = fmt.Appendf(e, `,"sent":%d`, sent)
	}
	return append(e, '}')
}

func (b *kafkaBench) open(topic string) (*sourcekafka.Client, error) {
	return sourcekafka.Open(b.ctx, sourcekafka.Options{Brokers: b.brokers, Topics: []string{topic}})
}

// fetch reads the topic without an engine behind.
func (b *kafkaBench) fetch(ctx context.Context, topic string) error {
	c, err := b.open(topic)
	if err != nil {
		return err
	}
	defer c.Close()
	var batch event.Batch
	for n := 0; n < b.events; n += len(batch.Records) {
		batch.Reset()
		if err := c.Sources()[0].Next(ctx, &batch); err != nil {
			return err
		}
	}
	return nil
}

// stores opens a state folder of its own.
func (b *kafkaBench) stores() (*state.Badger, *state.Outbox, error) {
	dir, err := os.MkdirTemp(b.dir, "state-*")
	if err != nil {
		return nil, nil, err
	}
	store, err := state.OpenBadger(filepath.Join(dir, "s"), state.Options{})
	if err != nil {
		return nil, nil, err
	}
	outbox, err := state.OpenOutbox(b.ctx, store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, outbox, nil
}

// throughEngine reads the topic to its end with the rules behind.
func (b *kafkaBench) throughEngine(ctx context.Context, topic string, every time.Duration) (err error) {
	c, err := b.open(topic)
	if err != nil {
		return err
	}
	defer c.Close()
	store, outbox, err := b.stores()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	e, err := engine.New(ctx, engine.Options{
		Set: b.set, Store: store, Outbox: outbox, Shards: 1, CommitEvery: every, Inputs: []engine.Input{{Source: c.Sources()[0]}},
		Progress: func(s *engine.Stats) {
			if int(s.Records) >= b.events {
				stop()
			}
		},
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// latency runs the whole way from a topic to a transactional one while events come at a
// pace, and returns how long each marked event took, sorted.
func (b *kafkaBench) latency(every time.Duration) (late []time.Duration, err error) {
	from, err := b.topic("paced")
	if err != nil {
		return nil, err
	}
	to, err := b.topic("alerts")
	if err != nil {
		return nil, err
	}
	feed, err := b.writer(from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	probe, err := b.writer(to) // waits for the topic
	if err != nil {
		return nil, err
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(b.ctx, kafkaMost)
	defer stop()
	running := make(chan error, 1)
	go func() { running <- b.pipe(ctx, from, to, every) }()
	read, warm := make(chan error, 1), make(chan struct{})
	go func() { read <- b.readAlerts(ctx, to, warm, &late) }()
	err = b.feed(ctx, feed, warm, read, running)
	stop()
	return late, errors.Join(err, <-running)
}

// feed sends one event, when its alert has come those at a pace, and waits until their alerts
// are read. What ends the pipe before is left to be read again.
func (b *kafkaBench) feed(ctx context.Context, to *sinkkafka.Sink, warm <-chan struct{}, read <-chan error, running chan error) error {
	if _, err := to.Deliver(ctx, []sinks.Row{{Alert: kafkaEvent(0, b.w.now(), 1)}}); err != nil {
		return err
	}
	select {
	case <-warm:
	case err := <-running:
		running <- nil
		return err
	}
	if err := b.pace(ctx, to); err != nil {
		return err
	}
	select {
	case err := <-read:
		return err
	case err := <-running:
		running <- nil
		return err
	}
}

// pipe is the engine between two topics, until ctx ends.
func (b *kafkaBench) pipe(ctx context.Context, from, to string, every time.Duration) (err error) {
	c, err := b.open(from)
	if err != nil {
		return err
	}
	defer c.Close()
	store, outbox, err := b.stores()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := sinkkafka.Open(ctx, sinkkafka.Options{Brokers: b.brokers, Topic: to, Transactional: true, TransactionalID: to, State: to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d, err := sinks.NewDispatcher(outbox, []sinks.Target{{Name: to, Sink: s}}, sinks.Options{Log: nil})
	if err != nil {
		return err
	}
	e, err := engine.New(ctx, engine.Options{
		Set: b.set, Store: store, Outbox: outbox, CommitEvery: every, Inputs: []engine.Input{{Source: c.Sources()[0]}},
		Committed: d.Committed, Delivered: d.Acks,
	})
	if err != nil {
		return err
	}
	delivered := make(chan error, 1)
	go func() { delivered <- d.Run(context.WithoutCancel(ctx)) }()
	err = e.Run(ctx)
	d.Drain()
	return errors.Join(err, <-delivered)
}

func (b *kafkaBench) pacedEvents() int { return int(b.paced.Seconds() * kafkaPace) }

// pace writes events at their time, those of a millisecond or so at once.
func (b *kafkaBench) pace(ctx context.Context, to *sinkkafka.Sink) error {
	all := b.pacedEvents()
	began := b.w.now()
	for i := 0; i < all; {
		now := b.w.now()
		due := min(all, int(now.Sub(began).Seconds()*kafkaPace))
		var rows []sinks.Row
		for ; i < due; i++ {
			sent := int64(0)
			if i%kafkaMarked == 0 {
				sent = now.UnixNano()
			}
			rows = append(rows, sinks.Row{Number: uint64(i), Alert: kafkaEvent(i, now, sent)})
		}
		if len(rows) > 0 {
			if _, err := to.Deliver(ctx, rows); err != nil {
				return err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// readAlerts reads until all alerts have come. The first has had to wait for topics, groups and
// coordinators, which the brokers make when they are first wanted: it ends the warming up, and
// is not counted.
func (b *kafkaBench) readAlerts(ctx context.Context, topic string, warm chan<- struct{}, late *[]time.Duration) error {
	isWarm := sync.OnceFunc(func() { close(warm) })
	defer isWarm()
	c, err := b.open(topic)
	if err != nil {
		return err
	}
	defer c.Close()
	all := b.pacedEvents()/kafkaMarked + 1
	var batch event.Batch
	for len(*late) < all {
		batch.Reset()
		if err := c.Sources()[0].Next(ctx, &batch); err != nil {
			return fmt.Errorf("after %d of %d alerts: %w", len(*late), all, err)
		}
		now := b.w.now().UnixNano()
		for _, r := range batch.Records {
			sent, err := sentOf(batch.Text[r.Start:r.End])
			if err != nil {
				return err
			}
			*late = append(*late, time.Duration(now-sent))
			isWarm()
		}
	}
	*late = (*late)[1:]
	slices.Sort(*late)
	return nil
}

func sentOf(alert []byte) (int64, error) {
	var a struct{ Fields struct{ Sent int64 } }
	err := json.NewDecoder(bytes.NewReader(alert)).Decode(&a)
	return a.Fields.Sent, err
}
