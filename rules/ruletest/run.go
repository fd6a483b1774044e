package ruletest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/enginetest"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/state"
)

// Variant is a way to run a scenario. None of them may change its alerts.
type Variant struct {
	Name        string
	Shards      int
	EpochEvents int
	Restart     bool // on disk, with a stop in the middle and a second engine
}

// Variants are the ways in which every scenario must give the same alerts, the plainest
// first.
func Variants() []Variant {
	return []Variant{
		{Name: "one shard, one epoch", Shards: 1, EpochEvents: 1000},
		{Name: "one shard, an epoch an event", Shards: 1, EpochEvents: 1},
		{Name: "7 shards, one epoch", Shards: 7, EpochEvents: 1000},
		{Name: "7 shards, an epoch an event", Shards: 7, EpochEvents: 1},
		{Name: "on disk with a restart", Shards: 7, EpochEvents: 1000, Restart: true},
	}
}

// Outcome is what came of a run.
type Outcome struct {
	Messages source.Errors // of the compiler; where one is an error, nothing was run
	Alerts   []string      // as JSON, in order
	Dead     []engine.Dead
	Stats    engine.Stats // with a restart, of the second engine

	dir string // to be left out of messages
}

// Run compiles the rules and runs them over the events. dir is an empty folder for the
// run's files, such as the lists that rules name; the caller removes it. An error is a
// fault of the scenario or of the machine, not of the rules.
func (s *Scenario) Run(ctx context.Context, dir string, v Variant) (*Outcome, error) {
	out := &Outcome{dir: dir}
	set, err := s.compile(dir, out)
	if err != nil || set == nil {
		return out, err
	}
	streams, err := s.streams(set)
	if err != nil {
		return out, err
	}
	o := enginetest.Options{
		Shards: v.Shards, EpochEvents: v.EpochEvents, Final: s.Options.Final,
		Limits: s.Options.Limits, Decode: s.Options.Decode,
	}
	if !v.Restart {
		return out, out.take(enginetest.Run(ctx, set, streams, o))
	}
	store, err := state.OpenBadger(filepath.Join(dir, "state"), state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		return out, err
	}
	o.Store, o.Stops = store, []int{s.stop()}
	err = out.take(enginetest.Run(ctx, set, streams, o))
	return out, errors.Join(err, store.Close())
}

func (out *Outcome) take(res enginetest.Result, err error) error {
	out.Alerts, out.Dead, out.Stats = res.Alerts, res.Dead, res.Stats
	return err
}

// compile returns nil where the rules have errors.
func (s *Scenario) compile(dir string, out *Outcome) (*plan.Set, error) {
	for _, d := range s.data {
		if err := os.WriteFile(filepath.Join(dir, d.name), []byte(d.text), 0o600); err != nil {
			return nil, fmt.Errorf("write the data of a scenario: %w", err)
		}
	}
	var files []*source.File
	for _, r := range s.rules {
		files = append(files, &source.File{Name: filepath.Join(dir, r.name), Text: r.text})
	}
	if s.hasTicks() && !s.declares(tick) {
		files = append(files, &source.File{Name: filepath.Join(dir, "tick.cep"), Text: tickRules})
	}
	set, msgs := lang.CompileWith(files, lookup.New(lookup.Options{}).Read)
	out.Messages = msgs
	return set, nil
}

func (s *Scenario) declares(name string) bool {
	return slices.ContainsFunc(s.rules, func(r section) bool {
		return strings.Contains(r.text, "event "+name+" ")
	})
}

// stop is after how many records of each partition the first engine stops.
func (s *Scenario) stop() int {
	if s.Options.Stop > 0 {
		return s.Options.Stop
	}
	return s.Records() / 2
}

// Records is the number of records of the longest partition.
func (s *Scenario) Records() int {
	longest := 0
	for _, p := range s.partitions {
		longest = max(longest, len(p.lines))
	}
	return longest
}

// messages are the compiler's, each on one line, without the folder of the run. A second
// place stands behind the message: (PLACE: WHAT).
func (out *Outcome) messages(keep func(source.Error) bool) []string {
	lines := []string{}
	for _, m := range out.Messages {
		if !keep(m) {
			continue
		}
		line := m.Error()
		if m.Also.Known() {
			line += fmt.Sprintf(" (%s: %s)", m.Also, m.AlsoText)
		}
		lines = append(lines, strings.ReplaceAll(line, out.dir+string(filepath.Separator), ""))
	}
	return lines
}

// Count returns a total by name: records, events, late, late_dropped, undeclared,
// undecodable, mismatches; and of a rule, as RULE.NAME: alerts, suppressed, shadowed,
// nil_keys, errors, keys, dropped_runs, dropped_run_events, dropped_window_events. It
// returns false for other names.
func (out *Outcome) Count(name string) (uint64, bool) {
	st := &out.Stats
	if rule, what, ok := strings.Cut(name, "."); ok {
		i := slices.IndexFunc(st.Rules, func(r engine.RuleStats) bool { return r.Name == rule })
		if i < 0 {
			return 0, false
		}
		return ruleCount(&st.Rules[i], what)
	}
	switch name {
	case "records":
		return st.Records, true
	case "events":
		return st.Events, true
	case "late":
		return st.Late, true
	case "late_dropped":
		return st.LateDropped, true
	case "undeclared":
		return st.Undeclared, true
	case "undecodable":
		return st.Undecodable, true
	case "mismatches":
		n := uint64(0)
		for _, m := range st.Mismatches {
			n += m.N
		}
		return n, true
	}
	return 0, false
}

func ruleCount(r *engine.RuleStats, what string) (uint64, bool) {
	switch what {
	case "alerts":
		return r.Alerts, true
	case "suppressed":
		return r.Suppressed, true
	case "shadowed":
		return r.Shadowed, true
	case "nil_keys":
		return r.NilKeys, true
	case "errors":
		return r.Errors, true
	case "keys":
		return uint64(r.Keys), true
	case "dropped_runs":
		return r.Dropped.Runs, true
	case "dropped_run_events":
		return r.Dropped.RunEvents, true
	case "dropped_window_events":
		return r.Dropped.WindowEvents, true
	}
	return 0, false
}
