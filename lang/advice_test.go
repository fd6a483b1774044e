package lang_test

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

func TestAdvice(t *testing.T) {
	const events = "event a (time: t, id: i) { i string  t time  k string  x float?  n int  l [string]  f bool? }\nevent b { n int }\nlet on = true\n"
	for rule, want := range map[string]string{
		"from a where x > 1 and x < 3":                        "",
		"from a where x > 3 and x < 1":                        "W103: x > 3 and x < 1 never hold together",
		"from a where x > 3 and 3 >= x":                       "W103: x > 3 and 3 >= x never hold together",
		"from a where x >= 3 and x <= 3":                      "",
		"from a where k == \"a\" and k == \"b\"":              `W103: k == "a" and k == "b" never hold together`,
		"from a where k == \"a\" and k == \"a\"":              "",
		"from a where n == 1 and n > 5":                       "W103: n == 1 and n > 5 never hold together",
		"from a where x < x":                                  "W103: x < x never holds",
		"from a where n == n":                                 "W104: n == n always holds; leave it out",
		"from a where 1 > 2":                                  "never holds",
		"from a where k matches l[0]":                         "W107: k matches l[0] makes a regular expression anew",
		"from a where levenshtein(k, i) < 3":                  "W107: levenshtein(k, i) takes as long",
		"from a where any(l, {any(l, {# == k})})":             "W107: ",
		"from a where x > 1 or true":                          "W104: x > 1 or true always holds; leave it out",
		"from a where x > 1 or n > 1 or 1 < 2":                "W104: x > 1 or n > 1 or 1 < 2 always holds",
		"from a where n > 1 and (x > 1 or on)":                "W104: x > 1 or true always holds",
		"from a where not (x > 1 or true)":                    "W103: not (x > 1 or true) never holds",
		"from a where not (x > 1 and false)":                  "W104: not (x > 1 and false) always holds",
		"from a where x > 1 and false":                        "W103: false never holds",
		"from a where (x > 1 and false) or (n > 1 and n < n)": "W103: x > 1 and false or n > 1 and n < n never holds",
		"from a where (x > 3 and x < 1) or n != n":            "never holds",
		"from a where f or not f":                             "W104: f or not f always holds",
		"from a where f and not f":                            "W103: f and not f never holds",
		"from a where x == 1 or x != 1":                       "W104: x == 1 or x != 1 always holds",
		"from a where x == nil and x != nil":                  "W103: x == nil and x != nil never holds",
		"from a where f ? true : 1 < 2":                       "W104: ",
		"from a where f ? n > 1 : false":                      "",
		"from a where f ?? true":                              "",
		"from a where f ?? (1 > 2)":                           "",
		// With nil all these orders are false.
		"from a where x > 1 or x <= 1":        "",
		"from a where x >= x":                 "",
		"from a where x <= x or x == nil":     "",
		"from a where not (x > 1 and x <= 1)": "W104: ",
		"from a where not (x > 1 or x <= 1)":  "",
		// What fails makes the whole condition false, also where what comes after it holds.
		"from a where n + 1 > 0 or true":                                "",
		"from a where len(l) > 0 or true":                               "",
		"from a where n + 1 == n + 1":                                   "",
		"from a where true or n + 1 > 0":                                "W104: true always holds",
		"from a where n + 1 > 0 and false":                              "W103: false never holds",
		"from a where not (n + 1 > 0 or true)":                          "W103: ",
		"from a where ((x ?? 0.5) * 2 > 1) or k contains \"a\" or true": "W104: ",
		// One of the types has the field.
		"from a, b where f":       "",
		"from a, b where not f":   "",
		"from a, b where n == n":  "W104: ",
		"from a, b where f or on": "W104: ",
		"from a by k window sliding 5m having count() > 3 or true":                "W104: count() > 3 or true always holds",
		"by k match p: a[n > 1 and (x > 1 and false or 2 < 1)] -> q: a within 1m": "W105: the step p can take no event",
		"by k match p: a -> q: a[n > p.n or true] within 1m":                      "W104: n > p.n or true always holds",
		"by k match p: a[n > 1 and n < 1] -> q: a within 1m":                      "W105: the step p can take no event",
		"from a by i window last 5 having count() > 3":                            "W106: nearly every event has its own i",
		"from a by i window sliding 5m having count() > 3":                        "",
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
