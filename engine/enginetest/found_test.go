package enginetest

import (
	"fmt"
	"strings"
	"testing"
)

// TestCasesThatOnceDiffered keeps, in their smallest form, the cases in which random
// runs found the engine and the reference apart. The alerts are not written here: the
// two must agree on them, and there are some or none as said.
func TestCasesThatOnceDiffered(t *testing.T) {
	for name, tc := range map[string]struct {
		rule   string
		events []string // type, time, then fields
		alerts int
	}{
		"count of a condition counts where it holds": {
			`from a window last 5 having count(x > 0) == 2 emit { n: count(x > 0)  m: count(f) }`,
			[]string{"a 1 x=1 f=true", "a 2 x=0 f=false", "a 3 x=1"},
			1,
		},
		"an event of until's type that is not it is not the next event": {
			`match p1: a+ => p2: a[x > 1] until b[x > 5]`, []string{"a 1", "b 1", "a 1 x=2"}, 1,
		},
		"an event of a key by two steps serves one": {
			`by k match p1: c by k2 -> p2: c`, []string{"c 1 k=1 k2=1"}, 0,
		},
		"an event that a step with its own key refuses is the next event": {
			`by k match p1: c[x <= 1] by k2 -> p2: b => p3: b`, []string{"c 1 k=1 k2=1 x=0", "b 2 k=1", "c 3 k=1 k2=1 x=2", "b 4 k=1"}, 0,
		},
		"when for has passed the repetition before it is over": {
			`match p1: a+ -> !n2: b for 2s -> p3: b emit { n: count(p1) }`, []string{"a 46", "a 48", "b 55"}, 1,
		},
		"waiting for => ends where another side takes the event": {
			`match every ((p1: a+ => p2: b) & p3: c)`, []string{"a 1", "c 2", "a 4", "b 4"}, 1,
		},
		"of two places at one point the first written is kept": {
			`match every any 1 of ((p1: b -> p2: a), (p6: b{1,2} -> p7: c[not (last(p6).x >= 3)]))`, []string{"b 1 x=-1", "b 2 x=3", "c 4"}, 0,
		},
		"branches of an either are two places": {
			`match every (p2: b | (p3: b -> p5: b)) -> p4: c[p5.x > 0]`, []string{"b 1 x=1", "b 2 x=1", "c 4"}, 1,
		},
		"turns of a group may be empty": {
			`match every (p1: a* -> p2: b*){2,3} => p6: b`, []string{"a 43", "b 52"}, 2,
		},
		"a place whose gap is over hides no other": {
			`match every any 2 of ((p1: a[x < 1] ->[5s] p2: a[x > 0]), p3: a{1,2}) within 15s`, []string{"a 52 x=0", "a 64 x=-1", "a 66 x=3"}, 1,
		},
		"a gap within a group counts from the event before it": {
			`match every p1: c[x == 0] -> (p2: b[x > 3]? => p3: c){1,2}`, []string{"c 6 x=0", "b 6 x=0", "c 8 x=1"}, 0,
		},
		"all skips events that fit": {
			`match all p2: a+ emit { n: count(p2)  m: matches() }`, []string{"a 1", "a 6", "a 12"}, 7,
		},
		"all has no sides that are not done": {
			`match all any 1 of (p1: a, p2: a{2} strict){2} strict`, []string{"a 1", "a 6", "a 7", "a 12"}, 8,
		},
		"all takes no event that is forbidden": {
			`match all p1: a -> !n: c[k < 2] -> p2: c`, []string{"a 1", "c 2 k=1"}, 0,
		},
		"all goes on after a match that rests on for": {
			`match all p1: b -> p2: b{1,2} -> !n3: a for 1s`, []string{"b 1", "b 15", "b 16", "c 30"}, 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := foundTypes + "rule r {\n    " + tc.rule + "\n}\n"
			streams := []Stream{{Name: "p", Records: records(tc.events)}}
			compareWithReference(t, rules, streams, false)
			if got := len(evaluate(rules, streams, false)); got != tc.alerts {
				t.Errorf("%s\n%d alerts, want %d", situation(rules, streams), got, tc.alerts)
			}
		})
	}
}

// TestAbsenceIsFinalWhereOnlyTheEndDecides has a deadline after the watermark of the
// partition that went furthest, of a run whose events waited in another.
func TestAbsenceIsFinalWhereOnlyTheEndDecides(t *testing.T) {
	rules := strings.Replace(foundTypes, "event a (time: t(s)", "event a (time: t(s), lateness: 6s", 1) +
		"rule r {\n    match c -> a -> !n: c for 3s\n}\n"
	streams := []Stream{{Name: "p", Records: records([]string{"c 995", "a 996"})}, {Name: "q", Records: records([]string{"a 1003"})}}
	compareWithReference(t, rules, streams, false)
	compareWithReference(t, rules, streams, true)
	if got := evaluate(rules, streams, true); len(got) != 1 || !got[0].final {
		t.Errorf("%d alerts, want one that is final", len(got))
	}
}

const foundTypes = `event a (time: t(s)) { t int  k int?  x int?  f bool? }
event b (time: t(s)) { t int  k int?  x int?  f bool? }
event c (time: t(s)) { t int  k int?  x int?  f bool?  k2 int? }
`

// records writes events of the form "type time field=value …".
func records(events []string) []string {
	var out []string
	for _, e := range events {
		words := strings.Fields(e)
		text := fmt.Sprintf(`{"type":%q,"t":%s`, words[0], words[1])
		for _, w := range words[2:] {
			field, value, _ := strings.Cut(w, "=")
			text += fmt.Sprintf(",%q:%s", field, value)
		}
		out = append(out, text+"}")
	}
	return out
}
