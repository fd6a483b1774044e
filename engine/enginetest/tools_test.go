package enginetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/backtest"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// TestToolsAgreeWithReference says that what tools run gives what the reference gives:
// replay the alerts of the whole set, by rule; test and explain, which cut the set down to
// some rules and what feeds them, those of these rules.
func TestToolsAgreeWithReference(t *testing.T) { repeat(t, 2, toolsAgree) }

func toolsAgree(t *rapid.T) {
	defer skipTooMany(t)
	m := &maker{t: t}
	h := &history{rules: m.ruleSet(), final: true}
	h.streams = m.streams(h.mostEvents())
	set := compile(t, h.rules)
	all, tally := h.tried(t, set)

	var got, want []string
	count := map[string]uint64{}
	for _, a := range all {
		got = append(got, canonical(t, a, "id", "version", "severity", "title", "tags"))
	}
	for _, a := range evaluate(h.rules, h.streams, true) {
		want = append(want, canonical(t, a.json()))
		count[a.rule]++
	}
	if diff := cmp.Diff(want, likeNumbers(want, got)); diff != "" {
		t.Fatalf("%s\n(-reference +replay):\n%s", situation(h.rules, h.streams), diff)
	}
	for _, r := range set.Rules {
		if got := tally.Rule(r.Name).Alerts; got != count[r.Name] {
			t.Fatalf("%s\n%d alerts of %s are counted, want %d", situation(h.rules, h.streams), got, r.Name, count[r.Name])
		}
		h.aloneTheSame(t, set, r.Name, all)
	}
}

// aloneTheSame asks that a rule with what feeds it gives what it gives among all.
func (h *history) aloneTheSame(t *rapid.T, set *plan.Set, name string, all []string) {
	alone, _ := h.tried(t, trial.FeedersOf(set).Only(set, []string{name}, nil))
	if diff := cmp.Diff(alertsOf(name, all), alertsOf(name, alone)); diff != "" {
		t.Fatalf("%s\nrule %s (-among all +alone):\n%s", situation(h.rules, h.streams), name, diff)
	}
}

// alertsOf are the alerts of a rule.
func alertsOf(name string, alerts []string) (out []string) {
	for _, a := range alerts {
		if strings.Contains(a, `,"rule":"`+name+`","version":`) {
			out = append(out, a)
		}
	}
	return out
}

// tried runs a set as tools do, over the streams to their end.
func (h *history) tried(t *rapid.T, set *plan.Set) (alerts []string, tally *backtest.Tally) {
	tally = backtest.New()
	o := engine.Options{Set: set, Final: true, Steps: []engine.IdleStep{}}
	for _, s := range h.streams {
		o.Inputs = append(o.Inputs, engine.Input{Source: &memory{stream: s, size: 100, left: -1}})
	}
	_, err := trial.Run(t.Context(), o, func(a *event.Alert) {
		alerts = append(alerts, string(a.AppendJSON(nil)))
		tally.Add(a)
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, situation(h.rules, h.streams))
	}
	return alerts, tally
}
