package check_test

import "testing"

// TestTests: names, values and times of test blocks are checked.
func TestTests(t *testing.T) {
	const rules = `rule burst { from a  by k as card  window last 3  emit { m: max(n)  worst: max(x)  s: last(s) } } ` +
		`rule quiet { match a -> !b for 5s  emit { n: a.n } } event ev { d duration  i ip  t time  l [int]  r { x int } } `
	for name, tc := range map[string]struct {
		test string
		want []string
	}{
		"a field that no alert has": {`test burst, quiet "t" { at 0s a { k: "x", n: 1 - 3, x: 2, s: nil }  at 5s
			expect burst at 0s { card: "x", m: 1, m2: 1 }  expect no quiet }`, []string{`3:42: R502: alerts of rule "burst" have no field "m2"; alerts of burst have the parts of its key and the fields of emit`}},
		"an int where a float is shown":       {`test burst { at 0s a { k: "x" }  expect burst at 0s { worst: 3, m: 3.0 } }`, nil},
		"values that stand for others":        {`test burst { at 0s ev { d: 5s, i: "10.0.0.1", t: "2026-01-02T03:04:05Z", l: [1, 2], r: {x: 1} }  at 1s ev { d: "5s" } expect 2 burst }`, nil},
		"a let":                               {`let big = 1_000 test burst { at 0s a { n: big } expect no burst }`, nil},
		"unknown rules":                       {`test brust { expect no nope  expect 2 burts }`, []string{`2:6: R501: unknown rule "brust"; did you mean "burst"?`, `2:24: R501: unknown rule "nope"`, `2:39: R501: unknown rule "burts"; did you mean "burst"?`}},
		"an unknown event and field":          {`test burst { at 0s zz { m: 1 }  at 0s a { m: 1, nn: 1 } }`, []string{`2:20: R102: unknown event type "zz"; declare it: event zz { … }`, `2:43: R104: unknown field "m" of a`, `2:49: R104: unknown field "nn" of a`}},
		"values of wrong types":               {`test burst { at 0s a { n: "1", k: 5, x: true, at: 3 } }`, []string{`2:27: R503: field "n" of a is an int, this is a string`, `2:35: R503: field "k" of a is a string, this is an int`, `2:41: R503: field "x" of a is a float, this is a bool`, `2:51: R503: field "at" of a is a time, this is an int`}},
		"texts that are no times":             {`test burst { at 0s ev { t: "noon", i: "10.0" } }`, []string{`2:28: R205: "noon" is no time: not an RFC 3339 time`, `2:39: R205: "10.0" is no address`}},
		"a key and headers that are no texts": {`test burst { at 0s a { n: 1 } key 5 headers { x: true, y: "z", y: "z" } }`, []string{`2:35: R503: the key of a record is text, this is an int; put it in quotes`, `2:50: R503: header "x" of a record is text, this is a bool; put it in quotes`, `2:64: R103: header "y" is written twice`}},
		"values of wrong types, expected":     {`test burst { at 0s a { k: "x" }  expect burst at 0s { card: 5, m: "x", s: 1 } }`, []string{`2:61: R503: field "card" of the alert is a string, this is an int`, `2:67: R503: field "m" of the alert is an int, this is a string`, `2:75: R503: field "s" of the alert is a string, this is an int`}},
		"no constant":                         {`test burst { at 0s a { n: k } }`, []string{`2:27: R201: unknown name "k"`}},
		"an aggregate":                        {`test burst { at 0s a { n: count() } }`, []string{`2:27: R208: count cannot be used here: a value of a test is a constant`}},
		"a rule and a field twice":            {`test burst, burst { at 0s a { n: 1, n: 2 }  expect burst at 0s { m: 1, m: 2 } }`, []string{`2:13: R103: rule of test "burst" is written twice`, `2:37: R103: field of a "n" is written twice`, `2:72: R103: field of expect burst "m" is written twice`}},
		"an alert behind the end":             {`test quiet { at 0s a { n: 1 }  expect quiet at 5s }`, []string{"2:48: R504: nothing comes at 5s: the time of the test ends at 0s; let time pass: at 5s"}},
		"an event with a time of its own":     {`test quiet { at 0s a { at: "2030-01-01T00:00:00Z" }  expect quiet at 5s }`, nil},
		"time that passes":                    {`test quiet { at 0s a { n: 1 }  at 5s  expect quiet at 5s { n: 1 } }`, nil},
		"a second test for one rule":          {`test quiet { } test quiet { }`, nil},
	} {
		t.Run(name, func(t *testing.T) { wantErrors(t, rules+"\n"+tc.test, tc.want...) })
	}
}

// TestTestsOfBrokenRules: a test is not judged by what a broken declaration lost.
func TestTestsOfBrokenRules(t *testing.T) {
	wantOfBroken(t, `rule r { from a  by  emit { n: n + } }
		event e { n in }
		event g { n }
		test r { at 0s e { n: "x" }  at 0s g { m: 1 }  expect r at 0s { k: 1, n: 2 } expect no q }`,
		`4:90: R501: unknown rule "q"`)
}
