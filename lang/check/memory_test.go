package check_test

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

const memoryRule = `
event e (time: t) { t time  k string  l string  n int }
table seen by k from e { n: count() }
rule r {
    severity low
    from e where n > 1
    by k
    window sliding 1m
    having count() > 2
    emit { n: count(), s: sum(n) }
    suppress 1m
}
rule p {
    by k
    match a: e[n > 1] -> b: e[n > a.n]
    within 1h
    emit { a: a.n }
}
rule all { by k  match all a: e[n > 1] -> b: e[n > 2]  within 1h  having matches() > 2 }
rule rise { from e  by k  window sliding 1m  having count() > 2  once }
`

// TestMemoryChanges names, for a change of text, what of which rule is remembered
// otherwise.
func TestMemoryChanges(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"severity low", `severity high  tags x  label l "m"  runbook "u"`, ""},
		{"mode", "mode", ""},
		{"severity low", "mode shadow", ""},
		{"severity low", "mode off", "r: mode"},
		{"emit { n: count(), s: sum(n) }", "emit { count: count(), s: sum(n) + 1 }", ""},
		{"emit { n: count(), s: sum(n) }", "emit { n: count() }", "r: aggregates"},
		{"having count() > 2\n    emit", "having count() > 3\n    emit", ""},
		{"suppress 1m", "suppress 2m by n", ""},
		{"suppress 1m", "suppress 1m  to ops", ""},
		{"where n > 1", "where n > 2", "r: events"},
		{"by k\n    window", "by l\n    window", "r: key"},
		{"by k\n    window", "by k as name\n    window", ""},
		{"sliding 1m\n", "sliding 2m\n", "r: windows"},
		{"emit { a: a.n }", "emit { sum: a.n + b.n }  having b.n > 3", ""},
		{"b: e[n > a.n]", "b: e[n >= a.n]", "p: pattern"},
		{"b: e[n > a.n]\n    within 1h", "b: e[n > a.n]\n    within 2h", "p: pattern"},
		{"having matches() > 2", "having matches() > 3", "all: pattern"},
		{"having count() > 2  once", "having count() > 3  once", "rise: windows"},
		{"having count() > 2  once", "having count() > 2", "rise: windows"},
		{"{ n: count() }\nrule r", "{ count: count() }\nrule r", ""},
		{"by k from e {", "by l from e {", "seen: key"},
		{"by k from e {", "by k from e keep 1h {", "seen: keep"},
		{"n int }", "n float }", "r: events aggregates; p: pattern; all: pattern"},
		{"n int }", "n int  more int }", ""},
	} {
		was, is := compileMemory(t, memoryRule), compileMemory(t, strings.Replace(memoryRule, c.was, c.is, 1))
		var changes []string
		for _, name := range []string{"r", "p", "all", "rise", "seen"} {
			if parts := plan.MemoryChanges(was[name], is[name]); len(parts) > 0 {
				changes = append(changes, name+": "+strings.Join(parts, " "))
			}
		}
		if got := strings.Join(changes, "; "); got != c.want {
			t.Errorf("%s\n=> %s\n%q, want %q", c.was, c.is, got, c.want)
		}
	}
}

// compileMemory returns what each rule and projection of a text remembers, by name.
func compileMemory(t *testing.T, text string) map[string]string {
	t.Helper()
	set, errs := compile(t, text)
	if errs.HasErrors() {
		t.Fatalf("%v\n%s", errs, text)
	}
	all := map[string]string{}
	for _, r := range set.Rules {
		all[r.Name] = r.Memory
	}
	for _, p := range set.Projections {
		all[p.Name] = p.Memory
	}
	return all
}

const stepsHead = "event e (time: t) { t time  k string  n int }\nevent f (time: t) { t time  k string  n int }\n"

// TestKeptSteps: which runs can go on where a rule changes: y of those that wait at a
// step that is the same and have noted what they must, n of others there.
func TestKeptSteps(t *testing.T) {
	const rule = "by k  match a: e[n > 1] -> b: e[n > 2] -> c: f[n > a.n]  within 1h  emit { a: a.n }"
	for _, c := range []struct{ was, is, want string }{
		{"", "", "yyy"},
		{"n > a.n", "n > b.n", "yy"},
		{"c: f[n > a.n]", "c: e", "yy"},
		{"b: e[n > 2]", "b: e[n > 3]", "y"},
		{"b: e[n > 2]", "b: f[n > 2]", "y"},
		{"a: e[n > 1]", "a: e[n > 2]", ""},
		{"1h", "2h", ""},
		{"by k", "by n", ""},
		{"match", "match every", ""},
		{"match", "match all", ""},
		{"within", "until f  within", ""},
		{" -> c", " -> !f -> c", "yn"},
		{" -> c", " => c", "yn"},
		{" -> c", " ->[3m] c", "yy"},
		{" -> c: f[n > a.n]", "", "yy"},
		{" -> c", " -> d: f -> c", "yy"},
		{" -> b: e[n > 2]", " -> b: e[n > 2]+", "y"},
		{"emit { a: a.n }", "emit { a: a.k }", "yyy"},
		{"by k  match", "from e, f where n > 0  by k  match", ""},
	} {
		was, is := compileSteps(t, rule), compileSteps(t, strings.Replace(rule, c.was, c.is, 1))
		got := ""
		for _, keeps := range plan.KeptSteps(was, is) {
			got += map[bool]string{true: "y", false: "n"}[keeps]
		}
		if got != c.want {
			t.Errorf("%s => %s: %q, want %q", c.was, c.is, got, c.want)
		}
	}
}

func compileSteps(t *testing.T, rule string) string {
	t.Helper()
	set, errs := compile(t, stepsHead+"rule r { "+rule+" }")
	if errs.HasErrors() {
		t.Fatalf("%v\n%s", errs, rule)
	}
	return set.Rules[0].Steps
}
