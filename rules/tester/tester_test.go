package tester

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

const events = `
event pay (time: at(ms), id: no, lateness: 5s) { no int  at int  card string  amount float? }
event order (time: at) { at time  id string }
event flag { card string  n int }
`

// outcomes runs the tests of some rules and lists, by title, "ok" or what failed.
func outcomes(t testing.TB, rules string) map[string]string {
	t.Helper()
	s, messages := Load([]*source.File{{Name: "r.cep", Text: events + rules}}, nil)
	if s == nil {
		t.Fatal(messages)
	}
	out := map[string]string{}
	err := s.Run(t.Context(), Options{Now: time.Now, Cover: true}, func(r *Result) error {
		text := "ok"
		if r.Err != nil {
			text = r.Err.Error()
		}
		for _, f := range r.Failures {
			text = strings.Join([]string{text, f.Expected, strings.Join(f.Actual, "|"), strings.Join(f.Miss, "|")}, "\n")
		}
		out[r.Test.Title] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTestsThatPass(t *testing.T) {
	for title, got := range outcomes(t, `
rule big { from pay where amount > 10  by card  emit { amount: amount } }
rule sleeping { mode off  from pay  by card }
rule absent { by id  match order -> !pay2 for 10s }
event pay2 (time: at(s)) { at int  id string }
rule marks { from pay where amount > 100  by card  emit flag { card: card, n: 1 } }
rule flags { from flag  by card  window sliding 1h  having count() >= 2  emit { n: count() } }

test big "time and id are filled in, lateness holds nothing back" {
    at 3s pay { card: "a", amount: 11 }
    expect big at 3s { card: "a", amount: 11 }
}
test big "out of order within lateness" {
    at 3s pay { card: "a", amount: 11 }
    at 1s pay { card: "b", amount: 11 }
    expect big at 3s { card: "a" }
    expect big at 1s { card: "b" }
}
test sleeping "a rule that is off is tested as if it were live" {
    at 0s pay { card: "a" }
    expect sleeping at 0s
}
rule keyed { from pay where meta.headers.trace == "t1" by meta.key as k }
test keyed "a record has a key and headers" {
    at 0s pay { card: "a" }
    at 1s pay { card: "a" } headers { trace: "t1" }
    at 2s pay { card: "a" } key "" headers { trace: "t2" }
    at 3s pay { card: "a" } key "k" + "1" headers { trace: "t1", other: "x" }
    expect keyed at 3s { k: "k1" }
    expect 1 keyed
}
test absent "time alone decides" {
    at 0s order { id: "x" }
    at 10s
    expect absent at 10s { id: "x" }
}
test absent "not yet" {
    at 0s order { id: "x" }
    at 9s
    expect no absent
}
test flags "rules that feed it run too, and their alerts are nobody's concern" {
    at 0s pay { card: "a", amount: 101 }
    at 1s pay { card: "a", amount: 102 }
    expect flags at 1s { card: "a", n: 2 }
    expect 1 flags
}
test big "two alerts, each for one expectation" {
    at 1s pay { card: "a", amount: 11 }
    at 1s pay { card: "a", amount: 12 }
    expect big at 1s
    expect big at 1s { amount: 11.0000000000001 }
}
`) {
		if got != "ok" {
			t.Errorf("%s: %s", title, got)
		}
	}
}

func TestTestsThatFail(t *testing.T) {
	got := outcomes(t, `
rule big { from pay where amount > 10  by card  emit { amount: amount } }
rule three { by card  match p: pay[amount > 1 and amount < 50]{2,} -> q: pay[amount > 2 * sum(p.amount)]  within 1m  suppress 1h }

test big "wrong value" { at 1s pay { card: "a", amount: 11 }  expect big at 1s { amount: 12 } }
test big "wrong time" { at 1s pay { card: "a", amount: 11 }  at 9s  expect big at 2s }
test big "not named" { at 1s pay { card: "a", amount: 11 } }
test big "too few" { at 1s pay { card: "a", amount: 11 }  at 2s pay { card: "a", amount: 9 }  expect 2 big }
test big "too many" { at 1s pay { card: "a", amount: 11 }  expect no big }
test big "no event" { at 1s  expect 1 big }
test three "a condition that failed" {
    at 1s pay { card: "a", amount: 2 }
    at 2s pay { card: "a", amount: 2 }
    at 3s pay { card: "a", amount: 7 }
    at 4s pay { card: "b", amount: 2 }
    expect three at 3s
}
test three "too late" {
    at 1s pay { card: "a", amount: 2 }
    at 2s pay { card: "a", amount: 2 }
    at 61s pay { card: "a", amount: 99 }
    expect three at 61s
}
test three "nothing began" { at 1s pay { card: "a", amount: 0.5 }  expect 1 three }
test three "suppressed" {
    at 1s pay { card: "a", amount: 2 }
    at 2s pay { card: "a", amount: 2 }
    at 3s pay { card: "a", amount: 9 }
    at 4s pay { card: "a", amount: 2 }
    at 5s pay { card: "a", amount: 2 }
    at 6s pay { card: "a", amount: 9 }
    expect 2 three
}
test three "a key that is nil" { at 1s pay { amount: 2 }  expect 1 three }
`)
	for title, wants := range map[string][]string{
		"wrong value":             {"big at 1s { amount: 12 }", `big at 1s { card: "a", amount: 11 }; amount is 11, not 12`},
		"wrong time":              {"big at 2s", "it came at 1s, not at 2s"},
		"not named":               {"no other alert of big", "big at 1s"},
		"too few":                 {"2 big", "where: amount > 10 is false: 9 > 10"},
		"too many":                {"no big", "big at 1s"},
		"no event":                {"1 big", "no event of the rule came: it reads pay, by a key that is not nil"},
		"a condition that failed": {`the run of card "a" that began at 1s took p at 1s, p at 2s, p at 3s; it waits`, "at 3s pay { card: \"a\", amount: 7, no: 3 }: q: amount > 2 * sum(p.amount) is false: 7 > 8", "it is still open"},
		"too late":                {"it ended at 1m1s: its time had passed at 1m1s (within 1m)"},
		"nothing began":           {"no run began: at 1s", "p: amount > 1 is false: 0.5 > 1"},
		"suppressed":              {"suppress kept 1 of its 2 alerts back"},
		"a key that is nil":       {"1 events passed the rule by: their key is nil"},
	} {
		for _, want := range wants {
			if !strings.Contains(got[title], want) {
				t.Errorf("%s:\n%s\nwant %s", title, got[title], want)
			}
		}
	}
}

// TestPairsAsManyAsCanBe compares the pairing with a plain one that tries all.
func TestPairsAsManyAsCanBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(0, 4).Draw(t, "expectations"), rapid.IntRange(0, 4).Draw(t, "alerts")
		var wants []*plan.Expect
		var came []*event.Alert
		for range n {
			x := &plan.Expect{At: -1}
			if rapid.Bool().Draw(t, "timed") {
				x.At = rapid.Int64Range(0, 2).Draw(t, "at")
			}
			if rapid.Bool().Draw(t, "valued") {
				x.Fields = []plan.Field{{Name: "f", Expr: &plan.Expr{Op: plan.OpConst, Const: event.OfInt(rapid.Int64Range(0, 1).Draw(t, "f"))}}}
			}
			wants = append(wants, x)
		}
		for range m {
			came = append(came, &event.Alert{Time: Zero + rapid.Int64Range(0, 2).Draw(t, "time"), Fields: []event.Named{{Name: "f", Value: event.OfInt(rapid.Int64Range(0, 1).Draw(t, "g"))}}})
		}
		pairs := 0
		for _, j := range assign(wants, came).alert {
			if j >= 0 {
				pairs++
			}
		}
		if want := mostPairs(wants, came); pairs != want {
			t.Fatalf("%d pairs, want %d", pairs, want)
		}
	})
}

func mostPairs(wants []*plan.Expect, came []*event.Alert) int {
	if len(wants) == 0 {
		return 0
	}
	best := mostPairs(wants[1:], came)
	for j, a := range came {
		if len(differences(wants[0], a)) == 0 {
			best = max(best, 1+mostPairs(wants[1:], slices.Delete(slices.Clone(came), j, j+1)))
		}
	}
	return best
}

func TestUntestedRules(t *testing.T) {
	s, _ := Load([]*source.File{{Name: "r.cep", Text: events + `rule a { from pay } rule b { from pay } test a { at 0s }`}}, nil)
	if got := s.Untested(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("untested %q, want b", got)
	}
}

func BenchmarkTests(b *testing.B) {
	var text strings.Builder
	text.WriteString(events + `rule three { by card  match p: pay[amount > 1]{2,} -> q: pay[amount > 2 * sum(p.amount)]  within 1m }`)
	for i := range 100 {
		fmt.Fprintf(&text, "test three \"%d\" {\n", i)
		text.WriteString("at 1s pay { card: \"a\", amount: 2 }  at 2s pay { card: \"a\", amount: 2 }  at 3s pay { card: \"a\", amount: 9 }  expect three at 3s }\n")
	}
	s, messages := Load([]*source.File{{Name: "r.cep", Text: text.String()}}, nil)
	if s == nil {
		b.Fatal(messages)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run(b.Context(), Options{Now: time.Now}, func(r *Result) error {
			if !r.Passed() {
				b.Fatal(r.Failures)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAFailureShowsFewOfManyAlerts: a rule can give thousands that no test expects.
func TestAFailureShowsFewOfManyAlerts(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "    at %ds flag { card: \"a\", n: 1 }\n", i)
	}
	got := outcomes(t, "rule r { from flag by card }\n"+
		"test r \"other time\" {\n"+b.String()+"    expect r at 1500ms\n}\n"+
		"test r \"no more\" {\n"+b.String()+"    expect r at 1s\n}\n")
	for title, text := range got {
		if n := strings.Count(text, "r at "); n > 35 || !strings.Contains(text, "more") {
			t.Errorf("%s: %d alerts are shown:\n%s", title, n, text)
		}
	}
}
