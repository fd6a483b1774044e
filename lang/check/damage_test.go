package check_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang/check"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// wantOfBroken compares what is said of a text that does not parse, beside what the
// parser says of it.
func wantOfBroken(t *testing.T, text string, want ...string) {
	t.Helper()
	events, _ := syntax.Parse(&source.File{Name: "events.cep", Text: prelude})
	f, errs := syntax.Parse(&source.File{Name: "p.cep", Text: text})
	if !errs.HasErrors() {
		t.Fatalf("it parses: %s", text)
	}
	set, more := check.Check([]*syntax.File{events, f})
	var got []string
	for _, e := range more {
		got = append(got, strings.TrimPrefix(e.Error(), "p.cep:"))
	}
	if diff := cmp.Diff(want, got); diff != "" || set != nil {
		t.Errorf("set %v, messages beside %v of\n%s\n(-want +got):\n%s", set, errs, text, diff)
	}
}

// TestFaultsOfSyntaxHideNoOthers: of a rule whose clause is malformed, missing or
// unknown, the other clauses are judged.
func TestFaultsOfSyntaxHideNoOthers(t *testing.T) {
	nn := func(at string) string { return at + `: R203: unknown field "nn" of a` }
	for name, tc := range map[string]struct {
		rule string
		want []string
	}{
		"a wrong word":                    {`severity hgh  from a where nn > 3`, []string{nn("1:37")}},
		"an unknown clause":               {"from a where nn > 3\ncolour red\n", []string{nn("1:23")}},
		"an unknown clause before others": {"colour red\nfrom a where nn > 3\n by q", []string{nn("2:14"), `3:5: R305: events of type a have no field "q" to be the key`}},
		"a clause that stands twice":      {`from a where nn > 3  suppress 1m  suppress 2m`, []string{nn("1:23")}},
		"a malformed emit":                {`from a where nn > 3  emit { x: n + }`, []string{nn("1:23")}},
		"another field of emit":           {`from a emit { x: n +, y: nn }`, []string{nn("1:35")}},
		"a malformed where":               {`from a where n >  emit { y: nn }`, nil},
		"a malformed where, on its line":  {"from a where n >\nemit { y: nn }", []string{nn("2:11")}},
		"a malformed window":              {"from a where nn > 3\nwindow sliding 5\nhaving cnt() > 2", []string{nn("1:23")}},
		"a malformed let of another name": {"let big = n >\nfrom a where big and nn > 3", []string{nn("2:22")}},
		"fields of steps":                 {"match p: a -> b[n > p.nn] within 5m\nseverity hgh", []string{`1:32: R203: unknown field "nn" of a`}},
		"a malformed having":              {"from a window last 3\nhaving count() >\nemit { x: nn }", []string{nn("3:11")}},
	} {
		t.Run(name, func(t *testing.T) { wantOfBroken(t, "rule r { "+tc.rule+" }", tc.want...) })
	}
}

// TestFaultsOfSyntaxGiveNoFalseAlarms: what a lost part may be the reason of is not
// told.
func TestFaultsOfSyntaxGiveNoFalseAlarms(t *testing.T) {
	for name, rule := range map[string]string{
		"from is unknown":              `frm a where n > 3 by k`,
		"from is malformed":            `from , a  by k  emit { n: n }`,
		"from may be the unknown one":  `read a`,
		"by is unknown":                "bye k  match a -> b within 5m\nemit { k: k }",
		"by may be the unknown one":    "per k\n match a -> b within 5m\nemit { k: k }",
		"by is malformed":              "by k,\n match a -> d by owner within 5m\nemit { k: k }",
		"a let is unknown":             "lett big = n > 3\nfrom a where big",
		"a let is malformed":           "let big = n > 3 +\nfrom a where big",
		"a let has no name":            "let = n > 3\nfrom a where big",
		"a let's name is in backticks": "let `big` = n > 3 +\nfrom a where big",
		"window is unknown":            "from a\nwindw sliding 5m\nhaving count() > 3\nonce",
		"window may be the unknown":    "from a\nover sliding 5m\nhaving count() > 3\nonce\nemit { n: avg(n) }",
		"window is malformed":          "from a\nwindow recent\nhaving count(recent) > 3\nonce",
		"one of two windows":           "from a\nwindow v last 3\nwindow w sldng 3m\nhaving count(v) > count(w)",
		"match is unknown":             "by k\nmtch p: a -> q: b\nwithin 5m\nhaving p.n > q.n\nemit { n: p.n }",
		"match may be the unknown":     "by k\nseq p: a -> q: b\nwithin 5m\nhaving p.n > q.n\nemit { n: p.n }",
		"match is malformed":           "by k\nmatch p: a -> -> q: b\nwithin 5m\nhaving p.n > q.n\nlimit 3\nemit { n: p.n }",
		"bounds that make no sense":    "match a{0}",
		"within is unknown":            "match a -> !b\nwthin 5m",
		"within may be the unknown":    "match a -> !b\nduring 5m",
		"having is unknown":            "from a window last 3\nhvng count() > 3\nonce",
		"a field of a derived event":   "from a\nemit d { owner: k  n: n + }",
		"an expression goes on wrong":  "from a where n 5 > 3",
		"a bracket swallows clauses":   "from a where (n > 3 by k window last 3 having count( > 3",
		"a text swallows clauses":      "from a where s == \"x by k window last 3\nhaving count() > 3",
	} {
		t.Run(name, func(t *testing.T) { wantOfBroken(t, "rule r { "+rule+" }") })
	}
}

// TestBrokenEvents: an event whose fields are all there is read by rules like others.
func TestBrokenEvents(t *testing.T) {
	wantOfBroken(t, `event e (tme: at, lateness: 5x) { at time  n int  z strng }
		rule r { from e where nn > 3 and n > 3 }
		rule q { from e where n == "x" or z > 3 }
		rule u { from e where n == "x"  by z  window last 3 having avg(z) > 3 }
		event f (id: nope, dedup: 1x) { n int }
		event g { n int  odd }
		rule v { from g where odd }
	`,
		`2:25: R203: unknown field "nn" of e`,
		"4:25: R205: cannot compare an int and a string",
		`5:16: R104: the id field "nope" is no field of f`,
	)
}
