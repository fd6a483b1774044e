package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/bits"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	sinkfile "github.com/cepheus-cep/cepheus/sinks/file"
	sinkkafka "github.com/cepheus-cep/cepheus/sinks/kafka"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
	"github.com/cepheus-cep/cepheus/sinks/webhook"
	"github.com/cepheus-cep/cepheus/state"
)

// sinkFlag is what one --sink names.
type sinkFlag struct {
	given string // as shown: without what may be secret
	name  string // that the state knows it by
	path  string // of a file
	url   *url.URL
	full  string // the URL

	sink *config.Sink // of the configuration; nil: of a flag
}

// told is what messages call the sink.
func (s sinkFlag) told() string {
	if s.sink != nil {
		return "sink " + s.name
	}
	return "--sink " + s.given
}

// readSink reads the value of --sink. The name of a file is its path from the root, so that
// it does not depend on where a run is started; that of a URL is without what is secret.
func readSink(given string) (sinkFlag, error) {
	switch scheme, _, ok := strings.Cut(given, "://"); {
	case given == stdoutSink:
		return sinkFlag{given: given, name: stdoutSink}, nil
	case ok, strings.HasPrefix(given, "http:"), strings.HasPrefix(given, "https:"):
		u, err := webhook.Parse(given)
		if err != nil {
			return sinkFlag{}, fmt.Errorf("--sink %s://…: %w", strings.TrimRight(strings.SplitN(scheme, ":", 2)[0], "/"), err)
		}
		return sinkFlag{given: webhook.Name(u), name: webhook.Name(u), url: u, full: given}, nil
	case given == "-":
		return sinkFlag{}, errors.New("--sink -: standard output is --sink stdout; a file of that name is ./-")
	}
	path, err := filepath.Abs(given)
	return sinkFlag{given: given, name: path, path: path}, err
}

// readSinks reads all of --sink, or else the sinks of the configuration: standard output
// where there is none.
func (v runVerb) readSinks() (all []sinkFlag, err error) {
	named, err := v.namedSinks()
	if err != nil {
		return nil, err
	}
	for _, s := range named {
		for _, other := range all {
			if s.name == other.name || s.path != "" && (s.path == other.path || sameFile(s.path, other.path)) {
				return nil, fmt.Errorf("%s and %s are one: its alerts would come twice", other.told(), s.told())
			}
		}
		if err := v.fileForAlerts(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.told(), err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		all = []sinkFlag{{given: stdoutSink, name: stdoutSink}}
	}
	return all, nil
}

// fileForAlerts refuses a file that alerts could not be appended to, or that is for others.
func (v runVerb) fileForAlerts(s sinkFlag) error {
	if s.path == "" {
		return nil
	}
	if dead, err := filepath.Abs(v.DeadLetters); err == nil && (dead == s.path || sameFile(dead, s.path)) {
		return errors.New("is the file that dead letters are written to; name another for them with " + v.deadLettersKey())
	}
	if err := writable(s.path); err != nil {
		return fmt.Errorf("%w; name a file that can be written, in a folder that is there", err)
	}
	return nil
}

func sameFile(a, b string) bool {
	is, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && is.Mode().IsRegular() && os.SameFile(is, other)
}

// openSinks opens all, or none. They are the caller's to close.
func (p *pipeline) openSinks(kinds config.World) (targets []sinks.Target, err error) {
	for _, s := range p.sinks {
		target, err := p.openSink(s, kinds)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", s.told(), err), closeSinks(targets))
		}
		target.Name = s.name
		targets = append(targets, target)
	}
	return targets, nil
}

// webhookTimeout is how long a receiver has to answer.
const webhookTimeout = 10 * time.Second

// openSink opens a sink. A run by flags has someone before it: a receiver that does not know
// us ends it.
func (p *pipeline) openSink(s sinkFlag, kinds config.World) (t sinks.Target, err error) {
	t.StopOnFault = true
	switch {
	case s.sink != nil:
		return s.sink.Target(p.world.ctx, kinds, s.name)
	case s.path != "":
		t.Sink, err = sinkfile.Open(s.path)
	case s.url != nil:
		t.Timeout = webhookTimeout
		t.Sink, err = webhook.New(s.full, webhook.Options{Now: p.world.now})
	default:
		t.Sink = stdout.New(p.world.stdout)
	}
	return t, err
}

// kindsOf is what sinks see of the process, and of the state whose alerts they are handed.
func (p *pipeline) kindsOf(store stateStore, outbox *state.Outbox) config.World {
	w := p.world.kinds()
	if p.verb.State != "" {
		w.State = func(ctx context.Context) (string, uint64, error) {
			name, err := state.Identity(ctx, store, rand.Text())
			return name, outbox.Last(), err
		}
	}
	return w
}

// sinksNotOpened tells settings that are wrong, which are wrong usage, from brokers that are
// away and another process in our place, which are failures. A signal is a clean end.
func sinksNotOpened(w *world, err error) error {
	var (
		away   *sinkkafka.StartError
		fenced *sinkkafka.FencedError
		other  *sinkkafka.StateError
	)
	switch {
	case w.ctx.Err() != nil:
		fmt.Fprintln(w.stderr, "stopped by a signal before anything was read")
		return nil
	case errors.As(err, &away), errors.As(err, &fenced), errors.As(err, &other):
		return err
	}
	return usage(err)
}

func closeSinks(targets []sinks.Target) error {
	var errs []error
	for _, t := range targets {
		errs = append(errs, t.Sink.Close())
	}
	return errors.Join(errs...)
}

// enrol makes the sinks of this run those that the state knows. One that is left away and
// for which alerts wait is wrong usage, unless --drop-sink lets them go: once the others
// have them they are removed, and nothing would ever tell that it did not get them.
func (p *pipeline) enrol(ctx context.Context, store stateStore, outbox *state.Outbox) error {
	known, err := outbox.Sinks(ctx)
	if err != nil {
		return p.ofState(err)
	}
	var b state.Batch
	for _, name := range sortedKeys(known) {
		if p.hasSink(name) {
			continue
		}
		if err := p.mayGo(ctx, outbox, name, known[name]); err != nil {
			return err
		}
		outbox.Forget(&b, name)
	}
	for _, s := range p.sinks {
		if _, ok := known[s.name]; !ok {
			outbox.Enrol(&b, s.name)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	if err := store.Commit(ctx, &b); err != nil {
		return p.ofState(fmt.Errorf("note the sinks: %w", err))
	}
	return nil
}

func (p *pipeline) hasSink(name string) bool {
	return slices.ContainsFunc(p.sinks, func(s sinkFlag) bool { return s.name == name })
}

// mayGo refuses a sink left away for which alerts wait, but one that --drop-sink names.
func (p *pipeline) mayGo(ctx context.Context, outbox *state.Outbox, name string, delivered uint64) error {
	waiting := 0
	err := outbox.Rows(ctx, delivered, func(uint64, []byte) error { waiting++; return nil })
	switch {
	case err != nil:
		return p.ofState(err)
	case waiting == 0:
		return nil
	case !p.verb.drops(name):
		return usage(fmt.Errorf("state directory %s: %d alerts wait for sink %s, which is not there any more: give it again with --sink, or let them go with --drop-sink '%s'",
			p.verb.State, waiting, name, name))
	}
	fmt.Fprintf(p.world.stderr, "sink %s is dropped, and %d alerts that waited for it\n", name, waiting)
	return nil
}

// drops reports whether --drop-sink names a sink, by its name or as --sink did.
func (v runVerb) drops(name string) bool {
	return slices.ContainsFunc(v.DropSink, func(given string) bool {
		s, err := readSink(given)
		return given == name || err == nil && s.name == name
	})
}

func sortedKeys(m map[string]uint64) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// rejected keeps an alert that a receiver has refused for good; where there is no room for
// it the run ends, and the alert stays in the state.
func (p *pipeline) rejected(sink string, row sinks.Row, why error) error {
	dead, err := p.letters()
	if err != nil {
		return err
	}
	l := deadletter.Letter{
		Kind: deadletter.Undeliverable, Reason: "refused: " + why.Error(), Source: "sink " + sink, Offset: int64(row.Number),
		Time: p.world.now().UnixNano(), Record: row.Alert, Whole: true,
	}
	if err := dead.Keep(l); err != nil {
		return fmt.Errorf("%s: %w (the receiver: %w)", p.verb.DeadLetters, err, why)
	}
	if n := p.refusals.Add(1); bits.OnesCount64(uint64(n)) == 1 {
		p.log.Warn("alerts were refused for good; they are with the dead letters", "sink", sink, "alerts", n, "err", why)
	}
	return nil
}

// kindOf tells an event that came too late, or is too far ahead, from a record that is none.
func kindOf(reason string) deadletter.Kind {
	if strings.HasPrefix(reason, "late: ") || strings.HasPrefix(reason, "ahead: ") {
		return deadletter.Late
	}
	return deadletter.Undecodable
}

// tellWaiting says what a run that ended well leaves to the next one.
func (p *pipeline) tellWaiting(last uint64, acks map[string]uint64) {
	for _, name := range sortedKeys(acks) {
		if n := acks[name]; n < last {
			fmt.Fprintf(p.world.stderr, "%d alerts wait for sink %s: the next run over %s delivers them\n", last-n, name, p.verb.State)
		}
	}
}
