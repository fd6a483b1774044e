package tester

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// Failure is one thing that is not as a test expects.
type Failure struct {
	Span     source.Span // of the expectation; of the test where none names the alert
	Rule     string
	Expected string
	Actual   []string
	Miss     []string // what came nearest, in lines

	missing bool // an alert did not come
}

// judge compares what came with what a test expects.
func judge(t *plan.Test, came []*event.Alert) []Failure {
	var out []Failure
	of := map[string][]*event.Alert{}
	for _, a := range came {
		of[a.Rule] = append(of[a.Rule], a)
	}
	for _, name := range named(t) {
		out = append(out, judgeRule(t, name, of[name])...)
	}
	return out
}

// judgeRule judges the alerts of one rule.
func judgeRule(t *plan.Test, name string, came []*event.Alert) (out []Failure) {
	var alerts, counts []*plan.Expect
	for i := range t.Expects {
		switch x := &t.Expects[i]; {
		case x.Rule != name:
		case x.Kind == plan.ExpectAlert:
			alerts = append(alerts, x)
		default:
			counts = append(counts, x)
		}
	}
	m := assign(alerts, came)
	for i, x := range alerts {
		if m.alert[i] < 0 {
			out = append(out, Failure{Span: x.Span, Rule: name, Expected: wanted(x), Actual: m.near(x, came), missing: true})
		}
	}
	for _, x := range counts {
		if x.N != len(came) {
			out = append(out, Failure{Span: x.Span, Rule: name, Expected: wantedCount(x), Actual: shown(came), missing: x.N > len(came)})
		}
	}
	if len(counts) == 0 && inHeader(t, name) && len(out) == 0 {
		if others := m.untaken(came); len(others) > 0 {
			out = append(out, Failure{Span: t.Span, Rule: name, Expected: "no other alert of " + name, Actual: shown(others)})
		}
	}
	return out
}

func inHeader(t *plan.Test, name string) bool {
	for _, r := range t.Rules {
		if r == name {
			return true
		}
	}
	return false
}

// matching pairs expectations with alerts, each at most once.
type matching struct {
	alert  []int // by expectation, -1: none
	expect []int // by alert
}

// assign finds a pairing of as many as can be: by paths that set earlier pairs apart again.
func assign(alerts []*plan.Expect, came []*event.Alert) *matching {
	m := &matching{alert: filled(len(alerts)), expect: filled(len(came))}
	fits := make([][]bool, len(alerts))
	for i, x := range alerts {
		for _, a := range came {
			fits[i] = append(fits[i], len(differences(x, a)) == 0)
		}
	}
	for i := range alerts {
		m.pair(i, fits, make([]bool, len(came)))
	}
	return m
}

func filled(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = -1
	}
	return out
}

func (m *matching) pair(i int, fits [][]bool, tried []bool) bool {
	for j := range tried {
		if !fits[i][j] || tried[j] {
			continue
		}
		tried[j] = true
		if m.expect[j] < 0 || m.pair(m.expect[j], fits, tried) {
			m.alert[i], m.expect[j] = j, i
			return true
		}
	}
	return false
}

// near shows the alerts that no expectation took, with how they differ from one.
func (m *matching) near(x *plan.Expect, came []*event.Alert) []string {
	return some(m.untaken(came), func(a *event.Alert) string { return show(a) + "; " + strings.Join(differences(x, a), "; ") })
}

// untaken are the alerts that no expectation took.
func (m *matching) untaken(came []*event.Alert) (out []*event.Alert) {
	for j, a := range came {
		if m.expect[j] < 0 {
			out = append(out, a)
		}
	}
	return out
}

func shown(came []*event.Alert) []string { return some(came, show) }

// mostShown is how many alerts a failure shows: a rule can give thousands.
const mostShown = 10

// some shows alerts, and says how many more there are.
func some(came []*event.Alert, line func(*event.Alert) string) (out []string) {
	for _, a := range came[:min(mostShown, len(came))] {
		out = append(out, line(a))
	}
	if more := len(came) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("… and %d more", more))
	}
	return out
}

// differences says how an alert is not the one expected.
func differences(x *plan.Expect, a *event.Alert) (out []string) {
	if x.At >= 0 && a.Time != Zero+x.At {
		out = append(out, fmt.Sprintf("it came at %s, not at %s", offset(a.Time), offset(Zero+x.At)))
	}
	for _, f := range x.Fields {
		want, got := constant(f.Expr), field(a, f.Name)
		if !same(want, got) {
			out = append(out, fmt.Sprintf("%s is %s, not %s", f.Name, plan.ReadableValue(got), plan.ReadableValue(want)))
		}
	}
	return out
}

// constant evaluates a value of a test. What files hold is no constant: it is nil.
func constant(e *plan.Expr) event.Value {
	if readsFile(e) {
		return event.Value{}
	}
	return eval.Compiler{Event: -1}.Value(e)(&eval.Frame{World: &eval.World{}})
}

func readsFile(e *plan.Expr) bool {
	return e.Op == plan.OpInFile || e.Op == plan.OpRow || e.Op == plan.OpRead || slices.ContainsFunc(e.Args, readsFile)
}

// field is a field of an alert, or a part of its key.
func field(a *event.Alert, name string) event.Value {
	for _, list := range [][]event.Named{a.Fields, a.Key} {
		for _, n := range list {
			if n.Name == name {
				return n.Value
			}
		}
	}
	return event.Value{}
}

// tolerance is how far apart floats that count as the same may be, in parts of the greater.
const tolerance = 1e-9

// same reports whether a value is the one expected: numbers by their worth, times and
// addresses also as the text they are written as.
func same(want, got event.Value) bool {
	x, okX := want.Number()
	y, okY := got.Number()
	switch {
	case okX && okY:
		return math.Abs(x-y) <= tolerance*math.Max(math.Abs(x), math.Abs(y)) && (want.Kind != event.Int || got.Kind != event.Int || want.N == got.N)
	case want.Kind == event.String && got.Kind == event.Time:
		ns, err := event.ParseTime(want.S)
		return err == nil && ns == got.Int()
	case want.Kind == event.String && got.Kind == event.Duration:
		ns, err := event.ParseDuration(want.S)
		return err == nil && ns == got.Int()
	case want.C != nil && got.C != nil && len(want.Elems()) == len(got.Elems()):
		return sameParts(want, got)
	}
	return string(event.AppendJSON(nil, want)) == string(event.AppendJSON(nil, got))
}

func sameParts(want, got event.Value) bool {
	for i, x := range want.Elems() {
		if want.Kind == event.Record && (i >= len(got.C.Names) || want.C.Names[i] != got.C.Names[i]) || !same(x, got.Elems()[i]) {
			return false
		}
	}
	return want.Kind == got.Kind
}

// wanted writes an expectation.
func wanted(x *plan.Expect) string {
	text := x.Rule
	if x.At >= 0 {
		text += " at " + offset(Zero+x.At)
	}
	var parts []string
	for _, f := range x.Fields {
		parts = append(parts, f.Name+": "+plan.ReadableValue(constant(f.Expr)))
	}
	if len(parts) > 0 {
		text += " { " + strings.Join(parts, ", ") + " }"
	}
	return text
}

func wantedCount(x *plan.Expect) string {
	if x.N == 0 {
		return "no " + x.Rule
	}
	return fmt.Sprintf("%d %s", x.N, x.Rule)
}

// show writes an alert as a test would expect it.
func show(a *event.Alert) string {
	var parts []string
	for _, list := range [][]event.Named{a.Key, a.Fields} {
		for _, n := range list {
			parts = append(parts, n.Name+": "+plan.ReadableValue(n.Value))
		}
	}
	text := a.Rule + " at " + offset(a.Time)
	if len(parts) > 0 {
		text += " { " + strings.Join(parts, ", ") + " }"
	}
	return text
}
