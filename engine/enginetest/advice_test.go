package enginetest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestAdviceOfConditionsIsTrue says that a condition of which `check` warns that it always
// holds, or never does, is so for the reference, whatever is nil.
func TestAdviceOfConditionsIsTrue(t *testing.T) {
	warned := 0
	repeat(t, 4, func(t *rapid.T) { warned += btoi(trueAdvice(t)) })
	if warned < 20 {
		t.Errorf("%d conditions were warned of", warned)
	}
}

// trueAdvice reports whether there was any advice.
func trueAdvice(t *rapid.T) bool {
	m := &maker{t: t}
	rules := m.declarations() + constants + "rule r { from a where (" + m.constantly(3) + ") or 1 > 2 }\n"
	set, _ := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
	if set == nil {
		compile(t, rules)
	}
	text := lang.Advice([]*source.File{{Name: "rules.cep", Text: rules}}, set).Error()
	streams := m.streams(40)
	passed, came := len(evaluate(rules, streams, true)), len(evaluate(strings.Replace(rules, "where", "where true or", 1), streams, true))
	if strings.Contains(text, "W103") && passed > 0 || strings.Contains(text, "W104") && passed < came {
		t.Fatalf("%s\n%d of %d events pass; warned of:\n%s", situation(rules, streams), passed, came, text)
	}
	return strings.Contains(text, "W10")
}

// constantly draws a condition of which parts hold always or never, so deep.
func (m *maker) constantly(deep int) string {
	kind := m.n(10)
	switch {
	case deep == 0 && kind < 6:
		return "(" + m.condition(&scope{fields: true}) + ")"
	case deep == 0:
		return m.one("true", "false", "(1 > 2)", "(2 >= 2)", "(x == x)", "(y != y)", "(y < y)", "(f or not f)", "(x > 2 and x < 1)", "(s == 'p' and s == 'q')", "(x <= x)")
	case kind < 3:
		return "(" + m.constantly(deep-1) + " or " + m.constantly(deep-1) + ")"
	case kind < 6:
		return "(" + m.constantly(deep-1) + " and " + m.constantly(deep-1) + ")"
	case kind < 8:
		return "not (" + m.constantly(deep-1) + ")"
	case kind < 9:
		return "(" + m.constantly(deep-1) + " ? " + m.constantly(deep-1) + " : " + m.constantly(deep-1) + ")"
	}
	return m.constantly(deep - 1)
}
