package tester

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// Zero is the time at which every test begins: 2026-01-01T00:00:00Z, a Thursday.
const Zero = 1767225600 * int64(1e9)

// clockType is the event type of what moves time. No rule file can refer to it by chance.
const clockType = "cepheus test clock"

const clockRules = "event `" + clockType + "` (time: at(ns)) { at int }\n"

// Suite is a rule set with its tests.
type Suite struct {
	Set     *plan.Set
	clock   string // a record that moves time, up to its number
	late    int64  // greatest lateness of the declared types
	feeders trial.Feeders
}

// Load compiles rule files with their tests. The suite is nil where a message is an error.
func Load(files []*source.File, data lang.Data) (*Suite, source.Errors) {
	all := append(slices.Clone(files), &source.File{Name: "cepheus test clock", Text: clockRules})
	set, messages := lang.CompileWith(all, data)
	if set == nil {
		return nil, messages
	}
	s := &Suite{Set: set, clock: `{"type":"` + clockType + `","at":`}
	for _, t := range set.Types {
		s.late = max(s.late, t.Schema.Lateness)
	}
	s.feeders = trial.FeedersOf(set)
	return s, messages
}

// named lists the rules of a test: those of its header, then those that it expects
// something of, each once.
func named(t *plan.Test) []string {
	names := slices.Clone(t.Rules)
	for _, x := range t.Expects {
		if !slices.Contains(names, x.Rule) {
			names = append(names, x.Rule)
		}
	}
	return names
}

// rulesOf is the set with the rules that a test needs: those named, live, and what feeds them.
func (s *Suite) rulesOf(t *plan.Test) *plan.Set {
	return s.feeders.Only(s.Set, named(t), func(r *plan.Rule) *plan.Rule {
		if r.Mode == plan.Live {
			return r
		}
		live := *r
		live.Mode = plan.Live
		return &live
	})
}

// rule finds a rule of a set.
func rule(set *plan.Set, name string) *plan.Rule {
	i := slices.IndexFunc(set.Rules, func(r *plan.Rule) bool { return r.Name == name })
	return set.Rules[i]
}

// Untested lists the rules that no test names, sorted.
func (s *Suite) Untested() []string {
	tested := map[string]bool{}
	for _, t := range s.Set.Tests {
		for _, name := range named(t) {
			tested[name] = true
		}
	}
	var out []string
	for _, r := range s.Set.Rules {
		if !tested[r.Name] {
			out = append(out, r.Name)
		}
	}
	return out
}

// offset writes a time as tests do.
func offset(ns int64) string {
	if ns < Zero {
		return "-" + string(event.AppendDuration(nil, Zero-ns))
	}
	return string(event.AppendDuration(nil, ns-Zero))
}
