package check_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

func TestPlans(t *testing.T) {
	for name, tc := range map[string]struct{ rule, want string }{
		"a filter with everything": {`rule r "A title" { severity high tags x, y label owner "team" runbook "https://example.org"
			mode shadow from a where n > 3 by k emit { n: n  k: k } suppress 1h by s to ops, mail }`, `
rule r severity=3 mode=1
  head "A title" [x y] [{owner team}] "https://example.org" [ops mail]
  key k string
  input a where (> n 3) key k
    emit n: n int
    emit k: k string
    suppress by s
  once=false suppress=3600000000000 stratum=0
`},
		"a filter over two types": {`rule r { from a, c where other == nil or s == "x" by k emit { o: other } }`, `
rule r severity=2 mode=0
  key k string
  input a where (or (== other nil) (== s "x")) key k
    emit o: other string
  input c where (or (== other nil) (== s "x")) key k
    emit o: other string
`},
		"a sliding window": {`rule r { from a where n > 0 by k window sliding 10m
			having count() >= 5 and sum(n) > 2_000 once emit { c: count(), t: sum(n), d: distinct(s), m: count(n > 2) } }`, `
rule r severity=2 mode=0
  key k string
  window  {Kind:0 Size:600000000000 Every:0 Max:0 Count:0 Zone:} early=false
  agg0 count int window=0 step=0 of nil param=0
  agg1 sum int window=0 step=0 of int param=0
  agg2 distinct int window=0 step=0 of string param=0
  agg3 count int window=0 step=0 of nil param=0
  input a where (> n 0) key k
    having (and (>= @agg0 5) (> @agg1 2000))
    emit c: @agg0 int
    emit t: @agg1 int
    emit d: @agg2 int
    emit m: @agg3 int
    arg0
    arg1 value n
    arg2 value s
    arg3 cond (> n 2)
  once=true suppress=0 stratum=0
`},
		"two windows over two types": {`rule r { from a, b by k window w sliding 1m window v last 100
			having avg(w.n) > 5 * avg(v.n) }`, `
rule r severity=2 mode=0
  key k string
  window w {Kind:0 Size:60000000000 Every:0 Max:0 Count:0 Zone:} early=false
  window v {Kind:1 Size:0 Every:0 Max:0 Count:100 Zone:} early=false
  agg0 avg float? window=0 step=0 of int param=0
  agg1 avg float? window=1 step=0 of int param=0
  input a key k
    having (> @agg0 (* 5.0 @agg1))
    arg0 value n
    arg1 value n
  input b key k
    having (> @agg0 (* 5.0 @agg1))
    arg0 value n
    arg1 value n
`},
		"windows of an end": {`
			rule t { from a, b by k window tumbling 7d in "Europe/Berlin" early
				having sum(n) > 3 once emit { k: k, s: window.start, n: last(n) } suppress 1h by k }
			rule h { from a window hopping 1h every 5m }
			rule s { from a window session 5m max 1h }
			rule b { from a window batch 5 }`, `
rule b severity=2 mode=0
  window  {Kind:5 Size:0 Every:0 Max:0 Count:5 Zone:} early=false
  input a
rule h severity=2 mode=0
  window  {Kind:3 Size:3600000000000 Every:300000000000 Max:0 Count:0 Zone:} early=false
  input a
rule s severity=2 mode=0
  window  {Kind:4 Size:300000000000 Every:0 Max:3600000000000 Count:0 Zone:} early=false
  input a
rule t severity=2 mode=0
  key k string
  window  {Kind:2 Size:604800000000000 Every:0 Max:0 Count:0 Zone:Europe/Berlin} early=true
  agg0 sum int window=0 step=0 of int param=0
  agg1 last int? window=0 step=0 of int param=0
  input a key k
    arg0 value n
    arg1 value n
  input b key k
    arg0 value n
    arg1 value n
  having (> @agg0 3)
  emit k: @key0 string
  emit s: @window.start time
  emit n: @agg1 int?
  suppress by @key0
  once=true suppress=3600000000000 stratum=0
`},
		"lets, a function and a list": {`let low = 5 list bad = ["x", "y"] fn big(e a, m float) = e.n > m
			rule r { from a where s in bad and odd and n > low and big(a, 3) let odd = n % 2 == 1 }`, `
rule r severity=2 mode=0
  input a where (and (and (and (in s ["x" "y"]) (== (% n 2) 1)) (> n 5)) (> (to float n) 3.0))
`},
		"a sequence with repetition": {`rule r { by k match small: a[n < 5]{3,} -> big: b[n > 20 * avg(small.n)] within 10m
			emit { c: count(small)  text: "${k}: ${big.n}" } suppress 1h }`, `
rule r severity=2 mode=0
  key k string
  agg0 avg float? window=0 step=0 of int value n param=0
  agg1 count int window=0 step=0 of nil param=0
  input a key k
  input b key k
  match select=0 limit=0 within=600000000000 types=[a b]
  ($0{3,-1} -> $1)
  $0 small: a if (< n 5) key k repeats
  $1 big: b if (> (to float n) (* 20.0 @agg0)) key k
  emit c: @agg1 int
  emit text: (text @key0 ": " $1.n) string
  once=false suppress=3600000000000 stratum=0
`},
		"gaps, next and groups": {`rule r { match a ->[10s..1m] (b => (c -> d)) within 10m }`, `
rule r severity=2 mode=0
  input a
  input b
  input c
  input d
  match select=0 limit=0 within=600000000000 types=[a b c d]
  ($0 ->[10000000000..60000000000] $1 => $2 -> $3)
  $0 a: a
  $1 b: b
  $2 c: c
  $3 d: d
`},
		"negations": {`rule r { match !z: a ->[5s] w: a -> !(b | c) -> d -> !y: a for 5m within 1h }`, `
rule r severity=2 mode=0
  input a
  input b
  input c
  input d
  match select=0 limit=0 within=3600000000000 types=[a b c d]
  (!$0 ->[0..5000000000] $1 -> !or0( $2 $3 ) -> $4 -> !$5 for 300000000000)
  $0 z: a
  $1 w: a
  $2 b: b
  $3 c: c
  $4 d: d
  $5 y: a
`},
		"own keys, from and until": {`rule r { from a, c where k != "" by k match a => d by owner within 1m until b[n > 3] }`, `
rule r severity=2 mode=0
  key k string
  input a where (!= k "") key k
  input b key k
  input c where (!= k "") key k
  input d
  match select=0 limit=0 within=60000000000 types=[a c d]
  ($0 => $1)
  $0 a: a key k
  $1 d: d key owner
  until b: b if (> n 3) key k
`},
		"all the events of a step": {`rule r { match y: a+ strict -> b[n > y[1].n] -> c? -> d within 1m }`, `
rule r severity=2 mode=0
  input a
  input b
  input c
  input d
  match select=0 limit=0 within=60000000000 types=[a b c d]
  ($0{1,-1}strict -> $1 -> $2{0,1} -> $3)
  $0 y: a repeats keepall
  $1 b: b if (> n $0[1].n)
  $2 c: c
  $3 d: d
`},
		"last and every": {`rule r { match last a -> b within 5m } rule q { match every a -> b within 5m }`, `
rule q severity=2 mode=0
  input a
  input b
  match select=2 limit=0 within=300000000000 types=[a b]
  ($0 -> $1)
  $0 a: a
  $1 b: b
rule r severity=2 mode=0
  input a
  input b
  match select=1 limit=0 within=300000000000 types=[a b]
  ($0 -> $1)
  $0 a: a
  $1 b: b
`},
	} {
		t.Run(name, func(t *testing.T) {
			got := "\n" + dump(wantPlan(t, tc.rule))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\ngot:%s\n-want +got:\n%s", tc.rule, got, diff)
			}
		})
	}
}

func TestSchemas(t *testing.T) {
	set := wantPlan(t, `
		event e (time: at(ms), id: id, lateness: 5s, late: drop) { at int  id string  ip ip?  tags [string]  dev { os string? } }
		rule r { from e where dev.os == "x" and ip == "10.0.0.1" }
	`)
	i := len(set.Types) - 1
	s := set.Types[i].Schema
	got := []any{s.Name, s.TimeField, s.TimeUnit, s.IDField, s.Lateness, s.Late, s.Type().String()}
	want := []any{"e", "at", event.Milli, "id", int64(5e9), event.LateDrop, "{ at int id string ip ip? tags [string] dev { os string? } }"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema, -want +got:\n%s", diff)
	}
	if set.Types[i].Layout.Schema != &set.Types[i].Schema {
		t.Error("the layout is of another schema")
	}
	var paths [][]string
	for _, slot := range set.Types[i].Layout.Slots {
		paths = append(paths, slot.Path)
	}
	if diff := cmp.Diff([][]string{{"ip"}, {"dev", "os"}}, paths); diff != "" {
		t.Errorf("slots, -want +got:\n%s", diff)
	}
}

// TestVersions says which changes of a text change the version of rule r.
func TestVersions(t *testing.T) {
	const base = `rule r "T" { severity high from a where n > 3 by k window sliding 5m having count() > 3 emit { n: n } }`
	const pattern = `rule r { by k match x: a[n > 3]{2,} -> b within 5m emit { n: count(x) } }`
	for name, tc := range map[string]struct {
		before, after string
		same          bool
	}{
		"layout and comments":  {base, "// hello\nrule r \"T\" {\n severity high from a where (n>3)\n by k window sliding 300s having count()>3\n emit { n:n, } }", true},
		"other rules":          {base, base + ` rule q { from a where x > 1.0 and s == "a" } rule s { from a }`, true},
		"a let's name":         {`rule r { from a where q let q = n > 3 }`, `rule r { from a where p let p = n > 3 }`, true},
		"the default severity": {`rule r { from a }`, `rule r { severity medium mode live from a }`, true},
		"the condition":        {base, `rule r "T" { severity high from a where n > 4 by k window sliding 5m having count() > 3 emit { n: n } }`, false},
		"the window":           {base, `rule r "T" { severity high from a where n > 3 by k window sliding 6m having count() > 3 emit { n: n } }`, false},
		"the severity":         {base, `rule r "T" { severity low from a where n > 3 by k window sliding 5m having count() > 3 emit { n: n } }`, false},
		"an emit's name":       {base, `rule r "T" { severity high from a where n > 3 by k window sliding 5m having count() > 3 emit { m: n } }`, false},
		"the key":              {base, `rule r "T" { severity high from a where n > 3 by s as k window sliding 5m having count() > 3 emit { n: n } }`, false},
		"a constant":           {`let c1 = 3 rule r { from a where n > c1 }`, `let c1 = 4 rule r { from a where n > c1 }`, false},
		"a list":               {`list l = ["a"] rule r { from a where s in l }`, `list l = ["b"] rule r { from a where s in l }`, false},
		"a regular expression": {`rule r { from a where s matches "x+" }`, `rule r { from a where s matches "x*" }`, false},
		"a list predicate":     {`rule r { from a where any([n, 2], # > 3) }`, `rule r { from a where any([n, 2], # > 4) }`, false},
		"the repetition":       {pattern, `rule r { by k match x: a[n > 3]{3,} -> b within 5m emit { n: count(x) } }`, false},
		"the link":             {pattern, `rule r { by k match x: a[n > 3]{2,} => b within 5m emit { n: count(x) } }`, false},
		"a gap":                {pattern, `rule r { by k match x: a[n > 3]{2,} ->[1m] b within 5m emit { n: count(x) } }`, false},
		"a step's condition":   {pattern, `rule r { by k match x: a[n > 4]{2,} -> b within 5m emit { n: count(x) } }`, false},
		"a step's key":         {pattern, `rule r { by k match x: a[n > 3]{2,} -> b by s within 5m emit { n: count(x) } }`, false},
		"the selection":        {pattern, `rule r { by k match every x: a[n > 3]{2,} -> b within 5m emit { n: count(x) } }`, false},
		"until":                {pattern, `rule r { by k match x: a[n > 3]{2,} -> b within 5m until c emit { n: count(x) } }`, false},
		"suppress":             {pattern, pattern[:len(pattern)-1] + `suppress 1h }`, false},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := versionOf(t, tc.before), versionOf(t, tc.after)
			if (before == after) != tc.same {
				t.Errorf("%s\n%s\nversions %s and %s, want same: %v", tc.before, tc.after, before, after, tc.same)
			}
			if len(before) != 16 {
				t.Errorf("version %q has not 16 digits", before)
			}
		})
	}
}

func versionOf(t *testing.T, text string) string {
	t.Helper()
	for _, r := range wantPlan(t, text).Rules {
		if r.Name == "r" {
			return r.Version
		}
	}
	t.Fatalf("no rule r in %s", text)
	return ""
}

// TestTypeChangeChangesVersion: a field that a rule reads and that changes its type
// changes the rule; one that it does not read, does not.
func TestTypeChangeChangesVersion(t *testing.T) {
	const rule = ` rule r { from e where x > 3 }`
	base := versionOf(t, `event e { x int  y int }`+rule)
	if versionOf(t, `event e { x float  y int }`+rule) == base {
		t.Error("the type of a field that the rule reads does not change its version")
	}
	if versionOf(t, `event e { x int  y string z bool }`+rule) != base {
		t.Error("a field that the rule does not read changes its version")
	}
}

// TestOrderOfFiles: the plan is the same whatever the order of files and rules.
func TestOrderOfFiles(t *testing.T) {
	one, two := `rule r { from a where n > 3 and s == "x" }`, `rule q { from a where s == "y" and x > 1 }`
	first, errs := compile(t, one, two)
	second, more := compile(t, two, one)
	if errs.HasErrors() || more.HasErrors() {
		t.Fatal(errs, more)
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Native" }, cmp.Ignore())
	if diff := cmp.Diff(first, second, ignore); diff != "" {
		t.Errorf("-first +second:\n%s", diff)
	}
	if first.Rules[0].Name != "q" || first.Version == (&plan.Set{}).Version {
		t.Errorf("rules %v, version %q", first.Rules[0].Name, first.Version)
	}
}

// TestBrokenDeclarations: what rests on a declaration that did not parse is not
// judged, and there is no set.
func TestBrokenDeclarations(t *testing.T) {
	f, errs := syntax.Parse(&source.File{Name: "p.cep", Text: `
		event e { x int  y nonsense }
		rule r { from e where y > 3 }
		rule q { from e having frequency 3 }
		rule s { match e1: e -> e2: e[z > low] within 5m }
		rule u { from e where }
		event o { n int }
		rule v { from o where n > low }
		let low = 3 +
	`})
	if !errs.HasErrors() {
		t.Fatal("it parses")
	}
	set, more := check.Check([]*syntax.File{f})
	if set != nil || more.HasErrors() {
		t.Errorf("set %v, messages %v", set, more)
	}
}

// TestBrokenRules: of a rule that did not parse only that is told which the missing
// part cannot be the reason of.
func TestBrokenRules(t *testing.T) {
	f, _ := syntax.Parse(&source.File{Name: "p.cep", Text: `event e { x int }
		rule r { from e where x > "5" and odd and count() > 1  lett odd = true }
		rule s { match !e -> y: e[odd]  wihtin 5m }
		rule t { match e -> f  wihtin 5m }
		rule u { frm e  where x > 1  having count() > 2 }`})
	_, errs := check.Check([]*syntax.File{f})
	var got []string
	for _, e := range errs {
		got = append(got, e.Error())
	}
	want := []string{
		"p.cep:2:25: R205: cannot compare an int and a string; write 5 without quotes",
		"p.cep:2:45: R208: count cannot be used here: where looks at one event",
		"p.cep:3:18: R404: a negation at the start needs a gap; write ->[D] after it: no such event in the D before the first step",
		`p.cep:3:29: R203: unknown field "odd" of e`,
		`p.cep:4:23: R102: unknown event type "f"; declare it: event f { … }`,
		"p.cep:5:32: R301: a filter cannot have having; put the condition after where",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
