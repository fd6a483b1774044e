package ruletest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// identity is what an alert says of its identity and of its rule's version.
type identity struct{ ID, Rule, Version string }

// identities runs rules over events (lines) and returns the alerts' identities.
func identities(t *testing.T, rules string, events ...string) []identity {
	t.Helper()
	text := fmt.Sprintf("# identity\n-- rules --\n%s\n-- events.jsonl --\n%s\n-- alerts.jsonl --\n", rules, strings.Join(events, "\n"))
	out := plainly(t, parse(t, text))
	if out.Messages.HasErrors() {
		t.Fatalf("%v\n%s", out.Messages, rules)
	}
	var all []identity
	for _, line := range out.Alerts {
		var id identity
		if err := json.Unmarshal([]byte(line), &id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	if len(all) == 0 {
		t.Fatalf("no alert of\n%s", text)
	}
	return all
}

func onlyIDs(all []identity) []string {
	var ids []string
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids
}

const declared = `event a (time: t, id: id) { t time  id string  k string?  n int? }
event b (time: t, id: id) { t time  id string  k string?  n int? }
`

const (
	a1    = `{"t":"0s","type":"a","id":"a1","k":"x","n":1}`
	a2    = `{"t":"1s","type":"a","id":"a2","k":"x","n":2}`
	b1    = `{"t":"2s","type":"b","id":"b1","k":"x","n":3}`
	after = `{"t":"1h"}`
)

// TestIdentityStays changes what an alert's id must not depend on.
func TestIdentityStays(t *testing.T) {
	type run struct {
		rules  string
		events []string
	}
	for name, tc := range map[string]struct{ one, other run }{
		"the rule's version": {
			run{`rule r { match a -> b within 1m }`, []string{a1, b1}},
			run{`rule r { severity high  match x: a -> y: b[n > 0] within 2m  emit { n: y.n } }`, []string{a1, b1}},
		},
		"events that were not matched": {
			run{`rule r { match a -> b within 1m }`, []string{a1, b1}},
			run{`rule r { match a -> b within 1m }`, []string{`{"t":"-1s","type":"b","id":"b0"}`, a1, a2, b1}},
		},
		"fields that are not the id": {
			run{`rule r { from a by k }`, []string{a1}},
			run{`rule r { from a by k }`, []string{`{"t":"5s","type":"a","id":"a1","k":"x","n":7}`}},
		},
		"what a window holds beside the event at hand": {
			run{`rule r { from a window sliding 1m having n == 2 }`, []string{a1, a2}},
			run{`rule r { from a window last 2 having n == 2 }`, []string{a2}},
		},
		"what a window holds at its end": {
			run{`rule r { from a window tumbling 1h }`, []string{a1, after}},
			run{`rule r { from a window tumbling 1h }`, []string{a1, a2, after}},
		},
		"the other rules": {
			run{`rule r { match a -> !b for 5s }`, []string{a1, after}},
			run{`rule q { from b } rule r { match a -> !b for 5s } rule s { match a -> b within 1m }`, []string{a1, after}},
		},
		"the name of the key": {
			run{`rule r { from a by k }`, []string{a1}},
			run{`rule r { from a by k as other }`, []string{a1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			one := onlyIDs(identities(t, declared+tc.one.rules, tc.one.events...))
			other := onlyIDs(identities(t, declared+tc.other.rules, tc.other.events...))
			if d := cmp.Diff(one, other); d != "" {
				t.Errorf("other ids (-one +other):\n%s", d)
			}
		})
	}
}

// TestIdentityDiffers changes, one by one, what an alert's id is a function of.
func TestIdentityDiffers(t *testing.T) {
	for name, tc := range map[string]struct {
		rules  string
		events []string
		alerts int
	}{
		"the rule":              {`rule r { from a } rule s { from a }`, []string{a1}, 2},
		"the key":               {`rule r { from a by k }`, []string{a1, `{"t":"0s","type":"a","id":"a1","k":"y"}`}, 2},
		"the type of the key":   {`rule r { from a by n as k } rule s { from a }`, []string{a1}, 2},
		"the event":             {`rule r { from a }`, []string{a1, a2}, 2},
		"the matched events":    {`rule r { match every a -> b within 1m }`, []string{a1, a2, b1}, 2},
		"the deadline":          {`rule r { match a -> !b for 5s } rule s { from a }`, []string{a1, after}, 2},
		"the start of a window": {`rule r { from a window tumbling 1s }`, []string{a1, a2, after}, 2},
		"windows that overlap":  {`rule r { from a window hopping 2s every 1s }`, []string{a2, after}, 2},
		"sessions":              {`rule r { from a window session 1s }`, []string{a1, a2, after}, 2},
		"all combinations":      {`rule r { match all x: a+ -> b within 1m }`, []string{a1, a2, b1}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ids := onlyIDs(identities(t, declared+tc.rules, tc.events...))
			seen := map[string]bool{}
			for _, id := range ids {
				seen[id] = true
			}
			if len(ids) != tc.alerts || len(seen) != len(ids) {
				t.Errorf("ids %q: want %d, all of them different", ids, tc.alerts)
			}
		})
	}
}

// TestEarlyAndFinalWindowsDiffer compares the alert of a window that came early with
// that of its end.
func TestEarlyAndFinalWindowsDiffer(t *testing.T) {
	end := onlyIDs(identities(t, declared+`rule r { from a window tumbling 1h having count() > 0 }`, a1, after))
	early := onlyIDs(identities(t, declared+`rule r { from a window tumbling 1h early having count() > 0 }`, a1, after))
	if end[0] == early[0] {
		t.Errorf("one id for both: %s", end[0])
	}
}

// TestTheVersionIsThatOfTheMeaning changes a rule's writing, and then its meaning.
func TestTheVersionIsThatOfTheMeaning(t *testing.T) {
	version := func(rule string) string { return identities(t, declared+rule, a1, b1)[0].Version }
	plain := version(`rule r { match a -> b[n > 1]  within 1m  emit { n: b.n } }`)
	for name, rule := range map[string]string{
		"comments and spaces":  "rule r { // why\n match a\n -> b[ n>1 ]\n within 1m /* x */ emit {\n n: b.n\n } }",
		"the order of clauses": `rule r { emit { n: b.n }  within 1m  match a -> b[n > 1] }`,
		"a duration's writing": `rule r { match a -> b[n > 1]  within 60s  emit { n: b.n } }`,
		"a number's writing":   `rule r { match a -> b[n > 0_1]  within 1m  emit { n: b.n } }`,
		"commas between":       `rule r { match a -> b[(n > 1)]  within 1m  emit { n: b.n, } }`,
	} {
		if version(rule) != plain {
			t.Errorf("%s: another version", name)
		}
	}
	for name, rule := range map[string]string{
		"a condition":   `rule r { match a -> b[n > 2]  within 1m  emit { n: b.n } }`,
		"within":        `rule r { match a -> b[n > 1]  within 2m  emit { n: b.n } }`,
		"emit":          `rule r { match a -> b[n > 1]  within 1m  emit { m: b.n } }`,
		"the selection": `rule r { match every a -> b[n > 1]  within 1m  emit { n: b.n } }`,
		"the severity":  `rule r { severity high  match a -> b[n > 1]  within 1m  emit { n: b.n } }`,
	} {
		if version(rule) == plain {
			t.Errorf("%s: the same version", name)
		}
	}
}

// TestTheVersionFollowsConstants changes what a rule rests on, outside of it.
func TestTheVersionFollowsConstants(t *testing.T) {
	rule := `rule r { from b where n > limit and over(n) }`
	version := func(globals string) string { return identities(t, declared+globals+rule, b1)[0].Version }
	plain := version("let limit = 1 fn over(x int) = x > 0 ")
	if version("fn over(x int) = x > 0 let other = 5 let limit = 1 ") != plain {
		t.Error("other declarations: another version")
	}
	if version("let limit = 2 fn over(x int) = x > 0 ") == plain {
		t.Error("another constant: the same version")
	}
	if version("let limit = 1 fn over(x int) = x > 1 ") == plain {
		t.Error("another function: the same version")
	}
}
