package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/backtest"
)

type replayVerb struct {
	inputFlags
	Against []string `name:"against" type:"given" placeholder:"PATH" sep:"none" help:"The rules as they were: tell which alerts appear, vanish and move."`
	Cost    bool     `name:"cost" help:"Also measure what each rule costs, alone, over the first records."`
	Top     int      `name:"top" default:"10" placeholder:"N" help:"Name so many keys, and so many changed alerts."`
	JSON    bool     `name:"json" help:"Print one JSON object in place of tables."`
	HTML    string   `name:"html" type:"given" placeholder:"FILE" help:"Also write a page with charts, in one file."`

	again bool // it reads the events a second time: what was not taken of them is told
}

// Run runs the rules over past events and sums up what they give. Nothing is delivered.
func (v replayVerb) Run(w *world) error {
	set, err := v.compiled(w)
	if err != nil {
		return err
	}
	if v.HTML != "" {
		if err := writable(v.HTML); err != nil {
			return usage(fmt.Errorf("--html %s: %w", v.HTML, err))
		}
	}
	if v.Cost && slices.Contains(v.Input, "-") || len(v.Against) > 0 && slices.Contains(v.Input, "-") {
		return usage(errors.New("standard input can be read once; --against and --cost read events again: name a file"))
	}
	r := &replayed{top: v.Top}
	if r.tally, r.stats, r.took, err = v.over(w, set); err != nil {
		return err
	}
	r.count(set)
	if len(v.Against) > 0 {
		if err := v.against(w, r); err != nil {
			return err
		}
	}
	if v.Cost {
		if r.costs, err = v.costs(w, set); err != nil {
			return err
		}
	}
	return v.give(w, r)
}

func (v replayVerb) give(w *world, r *replayed) error {
	if v.HTML != "" {
		if err := r.writeHTML(v.HTML); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	if v.JSON {
		enc := json.NewEncoder(w.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r.json())
	}
	to := bufio.NewWriter(w.stdout)
	r.print(to, columns(w.stdout))
	return to.Flush()
}

// columns is the width of a terminal; 80 of anything else.
func columns(f *os.File) int {
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		return n
	}
	return 80
}

// over runs a rule set over the inputs.
func (v replayVerb) over(w *world, set *plan.Set) (*backtest.Tally, *engine.Stats, time.Duration, error) {
	inputs, err := v.open(w)
	if err != nil {
		return nil, nil, 0, usage(err)
	}
	tally := backtest.New()
	tally.Keep = len(v.Against) > 0
	began := w.now()
	stats, err := runOver(w, set, inputs, nil, tally.Add)
	err = errors.Join(err, inputs.close())
	if !v.again {
		inputs.tellRefused(w)
	}
	if err == nil && w.ctx.Err() != nil {
		err = errors.New("stopped by a signal")
	}
	return tally, stats, w.now().Sub(began), err
}

// against runs the rules as they were, too.
func (v replayVerb) against(w *world, r *replayed) error {
	other := v
	other.Rules, other.again = v.Against, true
	set, err := other.compiled(w)
	if err != nil {
		return err
	}
	before, _, _, err := other.over(w, set)
	if err != nil {
		return err
	}
	r.before, r.change = before, backtest.Compare(before, r.tally)
	return nil
}

// costRecords is how many records of each input the cost of rules is measured over.
const costRecords = 100_000

// ruleCost is what a rule costs beside reading and decoding.
type ruleCost struct {
	Rule  string  `json:"rule"`
	Nanos float64 `json:"ns_per_event"`
}

// costs runs each rule alone, on one shard, and takes off what it takes without any.
func (v replayVerb) costs(w *world, set *plan.Set) ([]ruleCost, error) {
	none := *set
	none.Rules, none.Projections = nil, nil
	base, err := v.timed(w, &none)
	if err != nil {
		return nil, err
	}
	var out []ruleCost
	for _, rule := range set.Rules {
		alone := *set
		alone.Rules = []*plan.Rule{rule}
		took, err := v.timed(w, &alone)
		if err != nil {
			return nil, err
		}
		out = append(out, ruleCost{rule.Name, max(0, took-base)})
	}
	slices.SortStableFunc(out, func(a, b ruleCost) int { return int(b.Nanos - a.Nanos) })
	return out, nil
}

// How often a rule is timed: until that many runs, and that much time, at most so often.
const (
	timedRuns = 3
	timedFor  = 150 * time.Millisecond
	timedMost = 40
)

// timed is the least of a few runs over the first records, in nanoseconds an event.
func (v replayVerb) timed(w *world, set *plan.Set) (best float64, err error) {
	start := w.now()
	for n := 0; n < timedMost && (n < timedRuns || w.now().Sub(start) < timedFor); n++ {
		inputs, err := v.open(w)
		if err != nil {
			return 0, err
		}
		o := options(w, set)
		o.Shards = 1
		for _, in := range inputs.parts {
			o.Inputs = append(o.Inputs, engine.Input{Source: &firstOf{in.Source, costRecords}, Decode: in.Decode})
		}
		began := w.now()
		stats, err := runTrial(w, o, func(*event.Alert) {})
		took := float64(w.now().Sub(began))
		if err = errors.Join(err, inputs.close()); err != nil {
			return 0, err
		}
		if took /= float64(max(1, stats.Records)); n == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// firstOf is the first records of a source.
type firstOf struct {
	engine.Source
	left int
}

// Next reads on, to the end of a batch that has enough.
func (f *firstOf) Next(ctx context.Context, into *event.Batch) error {
	if f.left <= 0 {
		return io.EOF
	}
	err := f.Source.Next(ctx, into)
	f.left -= len(into.Records)
	return err
}
