package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/examples"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sinks"
	sinkkafka "github.com/cepheus-cep/cepheus/sinks/kafka"
	"github.com/cepheus-cep/cepheus/sources/kafka"
	"github.com/cepheus-cep/cepheus/state"
)

// Options of a demo. Out must be there; the other zero values are good.
type Options struct {
	Brokers    []string // default: one within this process
	Topic      string   // of the events; default "cepheus-demo-payments"
	AlertTopic string   // default "cepheus-demo-alerts"
	Partitions int      // of Topic, where it is made; default 4

	Rate   int           // events a second; default 2,000
	Every  time.Duration // between two attacks; default 1 s
	Speed  float64       // seconds of event time in one of the clock; default 60
	For    time.Duration // how long it goes on; default: until ctx ends
	Seed   uint64        // of what is drawn
	Colour bool

	Out  io.Writer // alerts, and the summary
	Live io.Writer // a terminal for the live line; nil: there is none
	Now  func() time.Time
	Log  *slog.Logger
}

func (o *Options) validate() error {
	if o.Rate < 0 || o.Every < 0 || o.Speed < 0 || o.For < 0 || o.Partitions < 0 {
		return errors.New("rate, attacks, speed, time and partitions: none may be negative")
	}
	o.Topic, o.AlertTopic = cmp.Or(o.Topic, "cepheus-demo-payments"), cmp.Or(o.AlertTopic, "cepheus-demo-alerts")
	o.Partitions, o.Rate, o.Every, o.Speed = cmp.Or(o.Partitions, 4), cmp.Or(o.Rate, 2000), cmp.Or(o.Every, time.Second), cmp.Or(o.Speed, 60)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// ruleSet compiles the rules of the examples.
func ruleSet() (*plan.Set, error) {
	var files []*source.File
	names, err := fs.Glob(examples.Payments, "payments/*.cep")
	for _, name := range names {
		text, failed := examples.Payments.ReadFile(name)
		err = errors.Join(err, failed)
		files = append(files, &source.File{Name: name, Text: string(text)})
	}
	if err != nil {
		return nil, err
	}
	set, messages := lang.Compile(files)
	if messages.HasErrors() {
		return nil, errors.New(messages.Error())
	}
	return set, nil
}

// Run shows the demo until ctx ends or its time is over, and then what came of it.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	set, err := ruleSet()
	if err != nil {
		return err
	}
	brokers, where := o.Brokers, fmt.Sprint("at ", o.Brokers)
	if len(brokers) == 0 {
		own, stop, err := ownBroker()
		if err != nil {
			return err
		}
		defer stop()
		brokers, where = own, "in this process"
	}
	b, err := dial(ctx, &o, brokers)
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintf(o.Out, "Payments go to topic %s of a broker %s; alerts come here and to topic %s.\n", o.Topic, where, o.AlertTopic)
	fmt.Fprintf(o.Out, "%d events a second, an attack each %s, event time %gx as fast as the clock.\n\n", o.Rate, o.Every, o.Speed)
	s := newShow(o, b)
	return errors.Join(s.run(ctx, set, brokers), s.summary())
}

// show is a demo that goes on.
type show struct {
	o      Options
	broker *broker
	screen *screen
	bank   *bank // of the goroutine that generates, until that has ended
	start  time.Time

	written   atomic.Int64 // events
	taken     atomic.Int64 // records that the engine has been through
	found     atomic.Int64 // alerts
	watermark atomic.Int64
	lasted    time.Duration
}

func newShow(o Options, b *broker) *show {
	s := &show{o: o, broker: b, start: o.Now()}
	cards := max(1000, int(6000*float64(o.Rate)/o.Speed))
	s.bank = newBank(s.start.Truncate(time.Second), cards, o.Seed)
	s.watermark.Store(math.MinInt64)
	base := s.bank.now
	s.screen = &screen{o: &s.o, tally: newTally(), clock: func(event time.Time) time.Time {
		return s.start.Add(time.Duration(float64(event.Sub(base)) / s.o.Speed))
	}}
	return s
}

// run generates events and runs an engine over them. When the time is over the generator
// ends first, then, once it has read all, the engine.
func (s *show) run(ctx context.Context, set *plan.Set, brokers []string) error {
	client, err := kafka.Open(ctx, kafka.Options{
		Brokers: brokers, Topics: []string{s.o.Topic}, Start: kafka.Start{At: s.start.Add(-time.Second)}, Log: s.o.Log, Wait: 100 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	whole, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	all, whole := errgroup.WithContext(whole)
	all.Go(func() error { return s.analyse(whole, set, client, brokers) })
	all.Go(func() error {
		defer stop()
		return s.generate(ctx, whole)
	})
	return all.Wait()
}

// tick is how often events are written.
const tick = 10 * time.Millisecond

// generate writes events until ctx ends or the time is over, and waits until they are read.
func (s *show) generate(ctx, whole context.Context) error {
	base, ticker := s.bank.now, time.NewTicker(tick)
	defer ticker.Stop()
	var records []record
	everyday, attacks := 0, 0
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		case <-whole.Done():
			return nil // the engine has failed, and says why
		}
		gone := s.o.Now().Sub(s.start)
		if s.o.For > 0 && gone >= s.o.For {
			break
		}
		for ; attacks <= int(gone/s.o.Every); attacks++ {
			s.bank.plant()
		}
		n := int(gone.Seconds()*float64(s.o.Rate)) - everyday
		everyday += n
		records = s.bank.until(base.Add(time.Duration(float64(gone)*s.o.Speed)), n, records[:0])
		for i := range records {
			s.broker.send(whole, &records[i])
		}
		s.written.Add(int64(len(records)))
		if err := s.broker.lost(); err != nil {
			return err
		}
		s.live(gone)
	}
	s.lasted = s.o.Now().Sub(s.start)
	return s.untilRead(whole)
}

// patience is how long the engine has for what is still to be read in the end.
const patience = 5 * time.Second

func (s *show) untilRead(whole context.Context) error {
	ctx, cancel := context.WithTimeout(whole, patience)
	defer cancel()
	if err := s.broker.Flush(ctx); err != nil {
		return fmt.Errorf("write the last events: %w", err)
	}
	for s.taken.Load() < s.written.Load() {
		select {
		case <-time.After(tick):
		case <-ctx.Done():
			return nil // the summary tells
		}
	}
	return s.broker.lost()
}

// analyse runs the engine over the topic, and delivery beside it.
func (s *show) analyse(ctx context.Context, set *plan.Set, client *kafka.Client, brokers []string) error {
	store := state.NewMemory()
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return err
	}
	topic, err := sinkkafka.Open(ctx, sinkkafka.Options{Brokers: brokers, Topic: s.o.AlertTopic, Log: s.o.Log, Now: s.o.Now})
	if err != nil {
		return err
	}
	defer topic.Close()
	targets := []sinks.Target{{Name: "screen", Sink: s.screen}, {Name: "topic", Sink: topic}}
	d, err := sinks.NewDispatcher(outbox, targets, sinks.Options{Log: s.o.Log})
	if err != nil {
		return err
	}
	o := engine.Options{
		Set: set, Store: store, Outbox: outbox, Committed: d.Committed, Delivered: d.Acks, Progress: s.progress, Now: s.o.Now, Log: s.o.Log,
		Dead: func(letters []engine.Dead) error {
			return fmt.Errorf("record %d of %s: %s", letters[0].Offset, letters[0].Partition.AppendName(nil), letters[0].Reason)
		},
	}
	for _, in := range client.Sources() {
		o.Inputs = append(o.Inputs, engine.Input{Source: in})
	}
	e, err := engine.New(ctx, o)
	if err != nil {
		return err
	}
	delivering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	delivered := make(chan error, 1)
	go func() { delivered <- d.Run(delivering) }()
	err = e.Run(ctx)
	d.Drain()
	return errors.Join(err, <-delivered)
}

func (s *show) progress(st *engine.Stats) {
	s.taken.Store(int64(st.Records))
	s.found.Store(int64(st.Alerts))
	s.watermark.Store(st.Watermark)
}

// liveEvery is the least time between two states of the live line.
const liveEvery = 200 * time.Millisecond

func (s *show) live(gone time.Duration) {
	if s.o.Live == nil || gone < s.lasted+liveEvery {
		return
	}
	s.lasted = gone
	written, taken := s.written.Load(), s.taken.Load()
	s.screen.show(fmt.Sprintf("%s  %d events, %.0f a second  %d waiting  %d alerts", gone.Round(time.Second), taken, float64(taken)/gone.Seconds(), written-taken, s.found.Load()))
}

// summary says what came of the demo.
func (s *show) summary() error {
	s.screen.show("")
	taken, lasted := s.taken.Load(), s.lasted
	fmt.Fprintf(s.o.Out, "\n%d events in %s, %.0f a second; %d alerts\n", taken, lasted.Round(time.Millisecond), float64(taken)/max(lasted.Seconds(), 1e-3), s.found.Load())
	if left := s.written.Load() - taken; left > 0 {
		fmt.Fprintf(s.o.Out, "%d events were written and not read any more\n", left)
	}
	if p50, p99, ok := s.screen.quantiles(); ok {
		fmt.Fprintf(s.o.Out, "from an event to its alert here: %s in the median, %s at most in 99 of 100\n", p50.Round(time.Millisecond), p99.Round(time.Millisecond))
	}
	rows, others := s.screen.tally.against(s.bank.planted, time.Unix(0, s.watermark.Load()))
	t := tabwriter.NewWriter(s.o.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nattack\tplanted\tfound\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", r.rule, r.planted, r.found)
	}
	fmt.Fprintf(t, "none\t\t%d\t\n", others)
	return t.Flush()
}
