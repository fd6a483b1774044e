package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/syntax"
	"github.com/cepheus-cep/cepheus/state"
)

// keyTexts are keys that drawn events may have in a rule.
func keyTexts(keys []plan.Key) [][]string {
	out := [][]string{nil}
	for _, k := range keys {
		var texts []string
		switch k.Type.Kind {
		case event.Bool:
			texts = []string{"true", "false"}
		case event.String:
			texts = []string{"u", "v", "p", "q", "pq", "z", ""}
		default:
			texts = []string{"-1", "0", "1", "2", "3", "4", "5", "6"}
		}
		var more [][]string
		for _, before := range out {
			for _, t := range texts {
				more = append(more, append(append([]string(nil), before...), t))
			}
		}
		out = more
	}
	return out
}

// looked is what an engine knows of every key that drawn events may have, by rule and key.
func looked(t tester, e *engine.Engine, set *plan.Set) map[string]*engine.KeyView {
	all := map[string]*engine.KeyView{}
	look := func(rule string, key []string) {
		v, err := e.Look(rule, key)
		if err != nil {
			t.Fatalf("%s %v: %v", rule, key, err)
		}
		if v.Known {
			all[rule+" "+strings.Join(key, " ")] = v
		}
	}
	for _, r := range set.Rules {
		for _, key := range keyTexts(r.Keys) {
			look(r.Name, key)
		}
	}
	for _, p := range set.Projections {
		for _, key := range keyTexts([]plan.Key{{Type: p.KeyType}}) {
			look("table "+p.Name, key)
		}
	}
	return all
}

func asJSON(t tester, views map[string]*engine.KeyView) map[string]string {
	out := map[string]string{}
	for name, v := range views {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = string(b)
	}
	return out
}

// TestLooksDoNotDependOnHowTheEngineRuns: what is shown of a key is the same whatever the
// shards, the epochs and the store, whether the key is in memory or not, and, of patterns,
// whichever machine runs them: watched ones all go run by run.
func TestLooksDoNotDependOnHowTheEngineRuns(t *testing.T) {
	known := 0
	repeat(t, 4, func(t *rapid.T) { known += sameLooks(t) })
	if known < 50 {
		t.Errorf("%d keys were known", known)
	}
}

func sameLooks(t *rapid.T) int {
	m := &maker{t: t}
	h := &history{rules: m.ruleSet()}
	h.streams = m.streams(h.mostEvents())
	set := compile(t, h.rules)
	run := func(o Options) (out map[string]string) {
		o.Look = func(e *engine.Engine) { out = asJSON(t, looked(t, e, set)) }
		h.run(t, h.rules, o)
		return out
	}
	plain := run(Options{})
	others := []Options{
		{Shards: 1 + m.n(4), RoundEvents: 1 + m.n(5), EpochEvents: 1 + m.n(9)},
		{Store: durable{state.NewMemory()}, Cache: 1, EpochEvents: 1 + m.n(9), Stops: m.stops()},
		{See: func(*machine.Sight) {}},
	}
	for _, o := range others {
		if diff := cmp.Diff(plain, run(o)); diff != "" {
			t.Fatalf("%s\n%+v\n(-plain +so):\n%s", situation(h.rules, h.streams), o, diff)
		}
	}
	return len(plain)
}

// TestLooksAgreeWithReference: as many runs are open as the reference has, and a window has
// as many events.
func TestLooksAgreeWithReference(t *testing.T) {
	compared := 0
	repeat(t, 4, func(t *rapid.T) { compared += agreeOnLooks(t) })
	if compared < 10 {
		t.Errorf("%d keys were compared", compared)
	}
}

func agreeOnLooks(t *rapid.T) (compared int) {
	defer skipTooMany(t)
	m := &maker{t: t}
	h := &history{rules: m.ruleSet()}
	h.streams = m.streams(h.mostEvents())
	set := compile(t, h.rules)
	var views map[string]*engine.KeyView
	h.run(t, h.rules, Options{Look: func(e *engine.Engine) { views = looked(t, e, set) }})
	ev := evaluated(h.rules, h.streams, false)
	for _, r := range ev.rules {
		p, ok := r.judge.(*patternJudge)
		if !ok || r.decl.Match.Select == syntax.SelectAll || hasGaps(ruleNamed(set, r.decl.Name.Text).Pattern.Root) {
			continue
		}
		want := map[string]int{}
		for _, k := range p.keys {
			for _, run := range k.runs {
				if !p.over(run, ev.known) {
					want[keyText(r.decl.Name.Text, k.key)]++
				}
			}
		}
		got := map[string]int{}
		for name, v := range views {
			if v.Rule == r.decl.Name.Text && v.RunsOpen > 0 {
				got[name] = v.RunsOpen
			}
		}
		compared += len(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n(-reference +engine) %s:\n%s", situation(h.rules, h.streams), r.decl.Name.Text, diff)
		}
	}
	return compared
}

// hasGaps reports whether some link has an upper bound: runs that have missed it are open in
// the reference until their next event.
func hasGaps(n *plan.Node) bool {
	return slices.ContainsFunc(n.Links, func(l plan.Link) bool { return l.MaxGap > 0 }) || slices.ContainsFunc(n.Kids, hasGaps)
}

func ruleNamed(set *plan.Set, name string) *plan.Rule {
	return set.Rules[slices.IndexFunc(set.Rules, func(r *plan.Rule) bool { return r.Name == name })]
}

func keyText(rule string, key []any) string {
	var parts []string
	for _, k := range key {
		parts = append(parts, fmt.Sprint(k))
	}
	return rule + " " + strings.Join(parts, " ")
}
