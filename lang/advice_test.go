package lang_test

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

func TestAdvice(t *testing.T) {
	const events = "event a (time: t, id: i) { i string  t time  k string  x float?  n int  l [string] }\n"
	for rule, want := range map[string]string{
		"from a where x > 1 and x < 3":                       "",
		"from a where x > 3 and x < 1":                       "W103: x > 3 and x < 1 never hold together",
		"from a where x > 3 and 3 >= x":                      "W103: x > 3 and 3 >= x never hold together",
		"from a where x >= 3 and x <= 3":                     "",
		"from a where k == \"a\" and k == \"b\"":             `W103: k == "a" and k == "b" never hold together`,
		"from a where k == \"a\" and k == \"a\"":             "",
		"from a where n == 1 and n > 5":                      "W103: n == 1 and n > 5 never hold together",
		"from a where x < x":                                 "W103: x < x never holds",
		"from a where n == n":                                "W104: n == n always holds; leave it out",
		"from a where 1 > 2":                                 "never holds",
		"from a where k matches l[0]":                        "W107: k matches l[0] makes a regular expression anew",
		"from a where levenshtein(k, i) < 3":                 "W107: levenshtein(k, i) takes as long",
		"from a where any(l, {any(l, {# == k})})":            "W107: ",
		"by k match p: a[n > 1 and n < 1] -> q: a within 1m": "W105: the step p can take no event",
		"from a by i window last 5 having count() > 3":       "W106: nearly every event has its own i",
		"from a by i window sliding 5m having count() > 3":   "",
	} {
		files := []*source.File{{Name: "a.cep", Text: events + "rule r { " + rule + " }"}}
		set, errs := lang.Compile(files)
		if set == nil {
			t.Fatal(errs)
		}
		got := lang.Advice(files, set).Error()
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}

func TestUntested(t *testing.T) {
	files := []*source.File{{Name: "a.cep", Text: "event a { n int }\nrule r { from a }\nrule s { from a }\ntest r { at 0s a {}  expect 1 r }"}}
	set, errs := lang.Compile(files)
	if set == nil {
		t.Fatal(errs)
	}
	if got := lang.Untested(files, set).Error(); got != "a.cep:3:6: W108: no test names the rule s; write a test: test s \"…\" { … }" {
		t.Error(got)
	}
}
