package enginetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// TestAWarmedRuleIsOneThatWasThere: a rule that comes while the engine runs and is warmed by all
// that was read before alerts from there on as one that ran from the begin; it has not sent the
// alerts of before, and all other rules alert as if nothing had happened.
func TestAWarmedRuleIsOneThatWasThere(t *testing.T) { repeat(t, 4, warmIsThere) }

func warmIsThere(t *rapid.T) {
	h := drawHistory(t)
	whole := versionOf(h.rules)
	m := &maker{t: t, kinds: kinds}
	m.table = strings.Contains(whole.head, "table tab")
	name := whole.names[m.n(len(whole.names))]
	if strings.Contains(whole.rules[name], "mode shadow") {
		t.Skip("it sends nothing")
	}
	if strings.Contains(whole.rules[name], "meta.") {
		t.Skip("of events that wait the engine has not kept what no rule has read")
	}
	before := &version{head: whole.head, rules: whole.rules}
	for _, other := range whole.names {
		if other != name {
			before.names = append(before.names, other)
		}
	}
	if m.chance(30) { // a rule of its name was there, which remembered something else
		before.names, before.rules = whole.names, map[string]string{}
		for other, rule := range whole.rules {
			before.rules[other] = rule
		}
		before.rules[name] = m.rule(name)
	}
	warm := &Warm{Ahead: m.n(3)}
	if m.chance(50) {
		warm.Only = onlyWithMakers
	}
	warm.First = len(h.streams) > 1 && m.chance(20)
	o := Options{Final: h.final, Swaps: []Swap{{Epoch: 1 + m.n(8), Set: compile(t, h.rules), Warm: warm}}}
	m.drawRun(&o)
	o.EpochEvents = []int{1, 2, 5}[m.n(3)]
	res, err := Run(t.Context(), compileChecked(t, before.text()), h.streams, o)
	skipNotWarmed(t, err)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(h.rules, h.streams))
	}
	if len(res.Reports) == 0 {
		t.Skip("the streams ended before")
	}
	for _, other := range before.names {
		if other == name || makesD(whole.rules[name]) && readsD(whole.rules[other]) {
			continue
		}
		if diff := cmp.Diff(ofRule(h.alerts, other), ofRule(res.Alerts, other)); diff != "" {
			t.Fatalf("%s\nfinal: %v, %+v, %+v\n%s beside %s at %v (-without +warmed):\n%s", situation(h.rules, h.streams), h.final, o, *warm, other, name, res.Reports[0].At, diff)
		}
	}
	r := ruleChange(res.Reports[0], name)
	if r.Fate == engine.Kept || r.Fate == engine.Unchanged {
		t.Skip("it goes on with what it remembered")
	}
	if warm.First {
		return // it knows a part: that this is well is all that can be said
	}
	checkWarmed(t, h, name, res, r, warm, o)
}

// skipNotWarmed skips what could not be warmed.
func skipNotWarmed(t *rapid.T, err error) {
	if err != nil && (strings.Contains(err.Error(), engine.ErrNotThere.Error()) || strings.Contains(err.Error(), engine.ErrNothingToWarm.Error())) {
		t.Skip(err)
	}
}

func checkWarmed(t *rapid.T, h *history, name string, res Result, r engine.RuleChange, warm *Warm, o Options) {
	want := ofRule(h.alerts, name)
	if warm.Alerts > uint64(len(want)) {
		t.Fatalf("%s\n%s: %d alerts of the past, and %d at all", situation(h.rules, h.streams), name, warm.Alerts, len(want))
	}
	want = want[warm.Alerts:]
	got := ofRule(res.Alerts, name)
	if r.Fate != engine.Added { // what it alerted as it was before
		got = got[max(0, len(got)-len(want)):]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s\nfinal: %v, %+v, %+v\n%s at %v, %+v (-there +warmed):\n%s", situation(h.rules, h.streams), h.final, o, *warm, name, res.Reports[0].At, r, diff)
	}
}

func ruleChange(r engine.Report, name string) engine.RuleChange {
	return r.Rules[slices.IndexFunc(r.Rules, func(c engine.RuleChange) bool { return c.Name == name })]
}

// onlyWithMakers keeps rules, and all that make events.
func onlyWithMakers(set *plan.Set, names []string) *plan.Set {
	out := *set
	out.Rules = slices.DeleteFunc(slices.Clone(set.Rules), func(r *plan.Rule) bool {
		return !slices.Contains(names, r.Name) && len(r.DerivedAt(0)) == 0
	})
	return &out
}
