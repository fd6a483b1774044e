package tester

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/story"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// Result is what came of a test.
type Result struct {
	Test     *plan.Test
	Failures []Failure // none: it passed
	Err      error     // it could not be run
	Took     time.Duration
	Covers   []*story.Cover // of the rules that it names, where they were asked for
}

// Passed reports whether all that was expected came, and nothing else.
func (r *Result) Passed() bool { return r.Err == nil && len(r.Failures) == 0 }

// Options of a run of tests.
type Options struct {
	Only  func(*plan.Test) bool // nil: all
	Cover bool
	Now   func() time.Time // for Result.Took
}

// Run runs the tests, side by side, and hands on each result in order of the tests.
func (s *Suite) Run(ctx context.Context, o Options, result func(*Result) error) error {
	var tests []*plan.Test
	for _, t := range s.Set.Tests {
		if o.Only == nil || o.Only(t) {
			tests = append(tests, t)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make([]chan *Result, len(tests))
	for i := range results {
		results[i] = make(chan *Result, 1)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tests) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				results[i] <- s.test(ctx, tests[i], o)
			}
		})
	}
	for i := range results {
		select {
		case r := <-results[i]:
			if err := result(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// test runs one test, and once more, watched, where there is something to tell.
func (s *Suite) test(ctx context.Context, t *plan.Test, o Options) *Result {
	began := o.Now()
	r := &Result{Test: t}
	set := s.rulesOf(t)
	came, _, err := s.alerts(ctx, set, t, nil)
	if r.Failures = judge(t, came); err == nil && (o.Cover || len(r.Failures) > 0) {
		err = s.watch(ctx, r, set)
	}
	if r.Err = err; !o.Cover {
		r.Covers = nil
	}
	r.Took = o.Now().Sub(began)
	return r
}

func (s *Suite) alerts(ctx context.Context, set *plan.Set, t *plan.Test, watch func(*machine.Sight)) (came []*event.Alert, stats *engine.Stats, err error) {
	source := s.records(t)
	stats, err = trial.Run(ctx, engine.Options{
		Set: set, Inputs: []engine.Input{{Source: source}}, Shards: 1, Steps: []engine.IdleStep{}, Watch: watch,
	}, func(a *event.Alert) { came = append(came, trial.Clone(a)) })
	return came, stats, err
}

// watch runs the test again and notes what came near, and what conditions were.
func (s *Suite) watch(ctx context.Context, r *Result, set *plan.Set) error {
	tellers := map[string]*story.Teller{}
	var names []string
	for _, name := range named(r.Test) {
		tellers[name] = story.New(rule(set, name), story.Options{Types: set.Types, Time: offset, MostLines: -1})
		names = append(names, name)
	}
	_, stats, err := s.alerts(ctx, set, r.Test, func(sight *machine.Sight) {
		if t := tellers[sight.Rule.Name]; t != nil {
			t.See(sight)
		}
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		r.Covers = append(r.Covers, tellers[name].Cover())
	}
	for i := range r.Failures {
		if f := &r.Failures[i]; f.missing {
			f.Miss = missed(tellers[f.Rule], stats, f.Rule)
		}
	}
	return nil
}

// missed tells what came near an alert that did not come.
func missed(t *story.Teller, stats *engine.Stats, name string) []string {
	var out []string
	for _, r := range stats.Rules {
		if r.Name != name {
			continue
		}
		if r.Suppressed > 0 {
			out = append(out, fmt.Sprintf("suppress kept %d of its %d alerts back", r.Suppressed, r.Suppressed+r.Alerts))
		}
		if r.Errors > 0 {
			out = append(out, fmt.Sprintf("%d evaluations failed, the last: %s", r.Errors, r.LastError))
		}
		if r.NilKeys > 0 {
			out = append(out, fmt.Sprintf("%d events passed the rule by: their key is nil", r.NilKeys))
		}
	}
	return append(out, t.Miss()...)
}

// records writes the events of a test as records, with those that move time.
func (s *Suite) records(t *plan.Test) *trial.Records {
	out, last := &trial.Records{Name: "test"}, int64(0)
	add := func(at int64, text, key, headers []byte) {
		out.Texts, out.Times = append(out.Texts, text), append(out.Times, Zero+at)
		out.Keys, out.Headers = append(out.Keys, key), append(out.Headers, headers)
	}
	for i := range t.Events {
		ev := &t.Events[i]
		last = max(last, ev.At)
		if ev.Type < 0 {
			add(ev.At, s.tick(ev.At), nil, nil)
			continue
		}
		key, headers := beside(ev)
		add(ev.At, s.record(ev, Zero, i), key, headers)
	}
	if len(t.Events) > 0 {
		add(last, s.tick(last), nil, nil)
	}
	return out
}

// beside are the key and the headers of an event's record.
func beside(ev *plan.TestEvent) (key, headers []byte) {
	if ev.Key != nil {
		key = []byte(constant(ev.Key).S)
	}
	for _, h := range ev.Headers {
		headers = event.AppendHeader(headers, h.Name, []byte(constant(h.Expr).S))
	}
	return key, headers
}

// tick is a record that brings the watermark to an offset.
func (s *Suite) tick(at int64) []byte {
	return append(strconv.AppendInt([]byte(s.clock), Zero+at+s.late, 10), '}')
}

// record writes an event. A time or an id that the test does not give is filled in.
func (s *Suite) record(ev *plan.TestEvent, zero int64, number int) []byte {
	schema := &s.Set.Types[ev.Type].Schema
	b := event.AppendJSON([]byte(`{"type":`), event.OfString(schema.Name))
	written := map[string]bool{}
	for _, f := range ev.Fields {
		written[f.Name] = true
		b = appendMember(b, f.Name, inUnit(schema, f.Name, constant(f.Expr)))
	}
	if f := schema.TimeField; f != "" && !written[f] {
		b = appendMember(b, f, inUnit(schema, f, event.OfKind(event.Time, zero+ev.At)))
	}
	if f := schema.IDField; f != "" && !written[f] {
		b = appendMember(b, f, identity(schema, number))
	}
	return append(b, '}')
}

func appendMember(b []byte, name string, v event.Value) []byte {
	b = event.AppendJSON(append(b, ','), event.OfString(name))
	return event.AppendJSON(append(b, ':'), v)
}

// inUnit writes the event's time as its type declares it: a number where it has a unit.
func inUnit(schema *event.Schema, name string, v event.Value) event.Value {
	if name == schema.TimeField && schema.TimeUnit != event.UnitNone && v.Kind == event.Time {
		return event.OfInt(v.Int() / int64(schema.TimeUnit))
	}
	return v
}

// identity is an id of its own for an event of a test.
func identity(schema *event.Schema, number int) event.Value {
	record := schema.Type()
	if f := record.Field(schema.IDField); f != nil && f.Type.Kind == event.Int {
		return event.OfInt(int64(number) + 1)
	}
	return event.OfString("event " + strconv.Itoa(number+1))
}

// Sample writes the events of all tests one after the other, each test beginning a while
// after the one before, as records with ids of their own: something to try rules on.
func (s *Suite) Sample() (records [][]byte) {
	const pause = int64(36 * time.Hour)
	zero, number := Zero, 0
	for _, t := range s.Set.Tests {
		last := int64(0)
		for i := range t.Events {
			ev := &t.Events[i]
			if last = max(last, ev.At); ev.Type >= 0 {
				records = append(records, s.record(ev, zero, number))
				number++
			}
		}
		zero += last + pause
	}
	return records
}
