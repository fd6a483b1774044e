package enginetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// TestAKeptRuleGoesOnAsWhatItIsNow: a change that does not touch what a rule remembers (its
// severity, its fields, its comments, whether it is in the shadow) drops nothing, and from
// there on the rule alerts as if it had always been so.
func TestAKeptRuleGoesOnAsWhatItIsNow(t *testing.T) { repeat(t, 3, keptGoesOn) }

// TestADroppedRuleIsOneThatComes: a change that drops what a rule remembers makes of it one that
// was not there before.
func TestADroppedRuleIsOneThatComes(t *testing.T) { repeat(t, 3, droppedComes) }

// retouched draws a change of a rule that does not touch what it remembers.
func retouched(m *maker, rule string) string {
	if strings.Contains(rule, "mode off") {
		return rule
	}
	switch m.n(4) {
	case 1:
		return toggled(rule)
	case 2:
		return strings.Replace(rule, "emit { ", "emit { more: 7  ", 1)
	case 3:
		return strings.Replace(rule, "{\n", "{\n    // whatever\n    tags other\n", 1)
	}
	return strings.Replace(rule, "{\n", "{\n    severity critical\n", 1)
}

// oneChange is a history in which one rule changes, as two versions of the whole set.
type oneChange struct {
	*history
	name    string
	was, is *version
	o       Options
}

func drawOneChange(t *rapid.T, change func(m *maker, rule string) string) *oneChange {
	h := drawHistory(t)
	m := &maker{t: t, kinds: kinds}
	was := versionOf(h.rules)
	m.table = strings.Contains(was.head, "table tab")
	c := &oneChange{history: h, was: was, is: versionOf(h.rules), name: was.names[m.n(len(was.names))]}
	if c.is.rules[c.name] = change(m, was.rules[c.name]); c.is.rules[c.name] == was.rules[c.name] {
		t.Skip("nothing changes")
	}
	m.drawRun(&c.o)
	c.o.Final = h.final
	c.o.Swaps = []Swap{{Epoch: 1 + m.n(8), Set: compileChecked(t, c.is.text())}}
	return c
}

// run runs a set that becomes the changed one.
func (c *oneChange) run(t *rapid.T, from string) Result {
	o := c.o
	o.Swaps = slices.Clone(o.Swaps)
	if o.Store != nil {
		o.Store = durable{state.NewMemory()}
	}
	res, err := Run(t.Context(), compileChecked(t, from), c.streams, o)
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, o, situation(from, c.streams))
	}
	if len(res.Reports) == 0 {
		t.Skip("the streams ended before")
	}
	return res
}

func keptGoesOn(t *rapid.T) {
	c := drawOneChange(t, retouched)
	res := c.run(t, c.rules)
	always, err := Run(t.Context(), c.o.Swaps[0].Set, c.streams, Options{Final: c.final})
	if err != nil {
		t.Fatal(err)
	}
	was, is, got := ofRule(c.alerts, c.name), ofRule(always.Alerts, c.name), ofRule(res.Alerts, c.name)
	fate := ruleChange(res.Reports[0], c.name).Fate
	if fate != engine.Kept && fate != engine.Unchanged || !isFirstThen(was, is, got) {
		t.Fatalf("%s\nfinal: %v, %+v\n%s%s is %v\nwas %s\nis  %s\ngot %s", situation(c.rules, c.streams), c.final, c.o, retold([]*version{c.is}, res.Reports), c.name, fate,
			strings.Join(was, "\n    "), strings.Join(is, "\n    "), strings.Join(got, "\n    "))
	}
}

// isFirstThen reports whether alerts are some of one list, and the rest of another; of a rule in
// the shadow there is none.
func isFirstThen(was, is, got []string) bool {
	n := max(len(was), len(is))
	for at := range n + 1 {
		if slices.Equal(got, slices.Concat(was[:min(at, len(was))], is[min(at, len(is)):])) {
			return true
		}
	}
	return false
}

func droppedComes(t *rapid.T) {
	c := drawOneChange(t, func(m *maker, rule string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(rule, "rule "), " ")
		return m.rule(name)
	})
	if rule := c.is.rules[c.name]; strings.Contains(rule, "suppress") || strings.Contains(rule, "meta.") {
		t.Skip("what suppress remembers stays with the name; of events that wait no key was kept that no rule read")
	}
	without := &version{head: c.was.head, rules: c.was.rules, names: slices.Clone(c.was.names)}
	without.names = slices.DeleteFunc(without.names, func(name string) bool { return name == c.name })
	changed := c.run(t, c.rules)
	if ruleChange(changed.Reports[0], c.name).Fate != engine.Dropped {
		t.Skip("it goes on with some of what it remembered")
	}
	came := c.run(t, without.text())
	if !cmp.Equal(changed.Reports[0].At, came.Reports[0].At) {
		t.Skip("the changes were not made at one place")
	}
	now := `"version":"` + versionIn(c, c.name) + `"`
	of := func(alerts []string) (out []string) {
		for _, a := range ofRule(alerts, c.name) {
			if strings.Contains(a, now) {
				out = append(out, a)
			}
		}
		return out
	}
	if diff := cmp.Diff(of(came.Alerts), of(changed.Alerts)); diff != "" {
		t.Fatalf("%s\nfinal: %v, %+v\n%s%s (-came +changed):\n%s", situation(c.rules, c.streams), c.final, c.o, retold([]*version{c.is}, changed.Reports), c.name, diff)
	}
}

// versionIn is the version of a rule in the set that comes.
func versionIn(c *oneChange, name string) string {
	for _, r := range c.o.Swaps[0].Set.Rules {
		if r.Name == name {
			return r.Version
		}
	}
	return ""
}
