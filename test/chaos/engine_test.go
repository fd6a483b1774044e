package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/sinks"
	sinkkafka "github.com/cepheus-cep/cepheus/sinks/kafka"
	sourcekafka "github.com/cepheus-cep/cepheus/sources/kafka"
	"github.com/cepheus-cep/cepheus/state"
)

// job is what an engine process is told to do.
type job struct {
	Brokers      []string
	Topic        string
	Exact, Plain string // topics of alerts
	State        string
	Until        map[string]int64 // it ends when all of these partitions are read up to there; nil: never
}

// jobVariable hands a job to a process.
const jobVariable = "CEPHEUS_CHAOS_JOB"

// TestMain is the engine where there is a job.
func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(jobVariable)
	if !ok {
		os.Exit(m.Run())
	}
	var j job
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// run is the way from topic to topics, as the command goes it.
func (j *job) run(ctx context.Context) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := state.OpenBadger(j.State, state.Options{Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return err
	}
	client, err := sourcekafka.Open(ctx, sourcekafka.Options{Brokers: j.Brokers, Topics: []string{j.Topic}, StartTimeout: time.Minute, Log: log})
	if err != nil {
		return err
	}
	defer client.Close()
	targets, closeSinks, err := j.sinks(ctx, store, outbox, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSinks()) }()
	d, err := sinks.NewDispatcher(outbox, targets, sinks.Options{Log: log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	e, err := j.engine(ctx, client, store, outbox, d, stop)
	if err != nil {
		return err
	}
	delivered := make(chan error, 1)
	go func() { delivered <- d.Run(context.WithoutCancel(ctx)) }()
	fmt.Println("running")
	if j.hasArrived(ctx, store) { // the process before this one was killed when it had read all
		stop()
	}
	err = e.Run(ctx)
	d.Drain()
	if err = errors.Join(err, <-delivered); err != nil {
		return err
	}
	var last state.Batch
	outbox.Acknowledge(&last, d.Acks())
	return store.Commit(context.WithoutCancel(ctx), &last)
}

func (j *job) sinks(ctx context.Context, store *state.Badger, outbox *state.Outbox, log *slog.Logger) (targets []sinks.Target, closeAll func() error, err error) {
	name, err := state.Identity(ctx, store, strconv.FormatInt(time.Now().UnixNano(), 36))
	if err != nil {
		return nil, nil, err
	}
	var all []io.Closer
	closeAll = func() (err error) {
		for _, c := range all {
			err = errors.Join(err, c.Close())
		}
		return err
	}
	for _, topic := range []string{j.Exact, j.Plain} {
		o := sinkkafka.Options{Name: topic, Brokers: j.Brokers, Topic: topic, State: name, LastRow: outbox.Last(), StartTimeout: time.Minute, Log: log}
		if topic == j.Exact {
			o.Transactional, o.TransactionalID = true, "chaos-"+topic
		}
		s, err := sinkkafka.Open(ctx, o)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		all = append(all, s)
		targets = append(targets, sinks.Target{Name: topic, Sink: s})
	}
	return targets, closeAll, nil
}

func (j *job) engine(ctx context.Context, client *sourcekafka.Client, store *state.Badger, outbox *state.Outbox, d *sinks.Dispatcher, stop func()) (*engine.Engine, error) {
	files, messages := source.Read([]string{filepath.Join("..", "..", "engine", "crashtest", "testdata")})
	if messages.HasErrors() {
		return nil, messages
	}
	set, messages := lang.CompileWith(files, lookup.New(lookup.Options{}).Read)
	if messages.HasErrors() {
		return nil, messages
	}
	o := engine.Options{
		Set: set, Store: store, Outbox: outbox, CommitEvery: 100 * time.Millisecond,
		Steps:     []engine.IdleStep{}, // nothing is ever idle
		Dead:      func([]engine.Dead) error { return nil },
		Delivered: d.Acks,
		Committed: func(ctx context.Context, last uint64) error {
			if j.hasArrived(ctx, store) {
				stop()
			}
			return d.Committed(ctx, last)
		},
	}
	for _, s := range client.Sources() {
		o.Inputs = append(o.Inputs, engine.Input{Source: s, Decode: event.Options{}})
	}
	return engine.New(ctx, o)
}

// hasArrived reports whether all is read.
func (j *job) hasArrived(ctx context.Context, store *state.Badger) bool {
	if j.Until == nil {
		return false
	}
	at, err := engine.StoredPositions(ctx, store)
	if err != nil {
		return false
	}
	left := len(j.Until)
	for _, p := range at {
		number := p.Name[strings.LastIndexByte(p.Name, '/')+1:]
		if until, known := j.Until[number]; known && p.Offset >= until {
			left--
		}
	}
	return left == 0
}
