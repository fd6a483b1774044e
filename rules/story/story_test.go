package story_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/story"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

const declared = "event a (time: t(s)) { t int  k string  n int? }\nevent b (time: t(s)) { t int  k string }\nevent c (time: t(s)) { t int }\n"

const table = "table seen by k from a where n > 0 keep 1h { total: sum(n) }\n"

// told runs one rule over events and returns its story.
func told(t *testing.T, rule string, o story.Options, records ...string) *story.Teller {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared + table + "rule r { " + rule + " }"}})
	if set == nil {
		t.Fatal(errs)
	}
	o.Types = set.Types
	o.Time = func(ns int64) string { return string(event.AppendDuration(nil, ns)) }
	teller := story.New(set.Rules[0], o)
	in := &trial.Records{Name: "in"}
	for _, r := range records {
		in.Texts = append(in.Texts, []byte(r))
	}
	_, err := trial.Run(t.Context(), engine.Options{
		Set: set, Inputs: []engine.Input{{Source: in}}, Shards: 1, Final: true, Steps: []engine.IdleStep{}, Watch: teller.See,
	}, func(*event.Alert) {})
	if err != nil {
		t.Fatal(err)
	}
	return teller
}

func texts(lines []story.Line) (out []string) {
	for _, l := range lines {
		out = append(out, l.Time+" "+l.Text)
	}
	return out
}

func TestStories(t *testing.T) {
	const (
		a1 = `{"type":"a","t":1,"k":"x","n":1}`
		a2 = `{"type":"a","t":2,"k":"x","n":5}`
		b3 = `{"type":"b","t":3,"k":"x"}`
		a7 = `{"type":"a","t":7,"k":"x","n":2}`
		b9 = `{"type":"b","t":9,"k":"x"}`
	)
	for name, c := range map[string]struct {
		rule    string
		records []string
		want    []string
	}{
		"a filter": {"from a where n > 2 by k emit { n: n }", []string{a1, a2}, []string{
			`1s a { k: "x", n: 1 }`, "1s passed by: where n > 2 is false: 1 > 2",
			`2s a { k: "x", n: 5 }`, "2s where n > 2 holds: 5 > 2", "2s alert: n: 5",
		}},
		"a window that closes": {"from a by k window tumbling 5s having sum(n) > 7", []string{a1, a2, b9}, []string{
			`1s a { k: "x", n: 1 }`, `2s a { k: "x", n: 5 }`,
			"5s window from 0s to 5s: sum(n) = 6; having does not hold: sum(n) > 7 is false: 6 > 7",
		}},
		"a negation": {"by k match p: a -> !b -> q: a[n > p.n] within 9s", []string{a1, b3, b9}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 10s",
			`3s b { k: "x" }`, "3s run 1 ends: b has come, which must not",
			`9s b { k: "x" }`,
		}},
		"an absence": {"by k match p: a -> !b for 5s", []string{a1, b9}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it matches at 6s if nothing forbidden comes",
			"6s alert of run 1", "6s run 1 ends: it has matched",
			`9s b { k: "x" }`,
		}},
		"a negation at the start": {"by k match !x: b ->[5s] p: a within 9s", []string{b3, a7, b9}, []string{
			`3s b { k: "x" }`, `7s a { k: "x", n: 2 }`, "7s no run begins: x came at 3s, less than 5s before", `9s b { k: "x" }`,
		}},
		"a table": {"from b where seen[k].total > 5 by k emit { n: seen[k].total }", []string{a1, b3, a7, b9}, []string{
			`3s b { k: "x" }`, "3s passed by: where seen[k].total > 5 is false: 1 > 5",
			`9s b { k: "x" }`, "9s passed by: where seen[k].total > 5 is false: 3 > 5",
		}},
		"a table in a step": {"by k match p: a -> q: b[seen[k].total > 2] within 9s", []string{a2, b3}, []string{
			`2s a { k: "x", n: 5 }`, "2s run 1 begins with it as p; it waits for q, until 11s",
			`3s b { k: "x" }`, "3s q of run 1: seen[k].total > 2 holds: 5 > 2", "3s run 1 takes it as q", "3s alert of run 1", "3s run 1 ends: it has matched",
		}},
		"a group": {"by k match (p: a -> q: b){2} within 20s", []string{a1, b3, a7, b9}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 21s",
			`3s b { k: "x" }`, "3s run 1 takes it as q; it waits for p, 1 more, until 21s",
			`7s a { k: "x", n: 2 }`, "7s run 1 takes it as p; it waits for q, until 21s",
			"7s run 3 begins with it as p; it waits for q, until 27s",
			`9s b { k: "x" }`, "9s run 1 takes it as q", "9s run 3 takes it as q; it waits for p, 1 more, until 27s",
			"9s alert of run 1", "9s run 1 ends: it has matched",
			"9s run 3 ends: another run has matched with events as late as its first one (match first)",
		}},
		"keys of several parts, one of them nil": {"by k, n match p: a -> q: a within 9s", []string{a1, `{"type":"a","t":2,"k":"x"}`, `{"type":"a","t":3,"k":"x","n":1}`}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 10s",
			`3s a { k: "x", n: 1 }`, "3s run 1 takes it as q", "3s run 2 begins with it as p; it waits for q, until 12s",
			"3s alert of run 1", "3s run 1 ends: it has matched",
			"3s run 2 ends: another run has matched with events as late as its first one (match first)",
		}},
		"any of some": {"by k match any 2 of (p: a[n == 1], q: b) within 9s", []string{a2, b3}, []string{
			`2s a { k: "x", n: 5 }`, "2s is no p: n == 1 is false: 5 == 1",
			`3s b { k: "x" }`, "3s run 1 begins with it as q; it waits for p, until 12s",
			"12s run 1 ends: its time had passed at 12s (within 9s)",
		}},
		"a group ahead": {"by k match p: a -> (q: b -> r: a){1,2} within 9s", []string{a1, b3}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 10s",
			`3s b { k: "x" }`, "3s run 1 takes it as q; it waits for r, until 10s",
			"10s run 1 ends: its time had passed at 10s (within 9s)",
		}},
		"an until event": {"by k match p: a -> q: a within 9s until b", []string{a1, b3}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 10s",
			`3s b { k: "x" }`, "3s run 1 ends: an until event has come",
		}},
		"having of a pattern": {"by k match p: a -> q: a within 9s having q.n > 7", []string{a1, a2}, []string{
			`1s a { k: "x", n: 1 }`, "1s run 1 begins with it as p; it waits for q, until 10s",
			`2s a { k: "x", n: 5 }`, "2s run 1 takes it as q", "2s run 2 begins with it as p; it waits for q, until 11s",
			"2s having of run 1: q.n > 7 is false: 5 > 7", "2s run 1 ends: it was complete, and having does not hold",
			"11s run 2 ends: its time had passed at 11s (within 9s)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, texts(told(t, c.rule, story.Options{}, c.records...).Lines)); diff != "" {
				t.Errorf("(-want +told):\n%s", diff)
			}
		})
	}
}

func TestLinesAreBounded(t *testing.T) {
	teller := told(t, "from a by k", story.Options{MostLines: 3}, `{"type":"a","t":1,"k":"x"}`, `{"type":"a","t":2,"k":"x"}`, `{"type":"a","t":3,"k":"y"}`)
	if len(teller.Lines) != 3 || teller.Left != 3 || len(teller.Matches) != 3 {
		t.Errorf("%d lines, %d left, %d matches", len(teller.Lines), teller.Left, len(teller.Matches))
	}
}

// TestThereIsAlwaysAReason: also where no condition was asked.
func TestThereIsAlwaysAReason(t *testing.T) {
	for rule, want := range map[string]string{
		"by k match !x: b ->[5s] p: a within 9s": "no run began: at 4s a { k: \"x\" }: x came at 3s, less than 5s before",
		"by k match p: a -> q: b[k == \"\"]":     "the run of k \"x\" that began at 4s took p at 4s; it waits for q\nit is still open",
		"by k match all p: a -> q: b within 9s":  "none of its 2 events made a combination whole",
		"by n match p: a -> q: a within 9s":      "no event of the rule came: it reads a, by a key that is not nil",
		"match p: c -> q: b within 9s":           "no event could begin a run: that takes p, of the type c",
	} {
		teller := told(t, rule, story.Options{MostLines: -1}, `{"type":"b","t":3,"k":"x"}`, `{"type":"a","t":4,"k":"x"}`)
		if diff := cmp.Diff(want, strings.Join(teller.Miss(), "\n")); diff != "" {
			t.Errorf("%s (-want +told):\n%s", rule, diff)
		}
	}
}

func TestMissOfAWindowIsTheNearest(t *testing.T) {
	teller := told(t, "from a by k window sliding 1m having count() >= 3 and sum(n) > 10", story.Options{MostLines: -1},
		`{"type":"a","t":1,"k":"x","n":1}`, `{"type":"a","t":2,"k":"x","n":1}`, `{"type":"a","t":3,"k":"y","n":10}`)
	if got := strings.Join(teller.Miss(), "\n"); !strings.Contains(got, "sum(n) > 10 is false: 10 > 10") || !strings.Contains(got, `k "y"`) {
		t.Error(got)
	}
}

// TestWhatIsAskedLastIsNearer: an event that `where` only just rejects is not as near as a
// window of which two parts do not hold.
func TestWhatIsAskedLastIsNearer(t *testing.T) {
	teller := told(t, "from a where n > 0 by k window sliding 1m having count() >= 3 and sum(n) > 10", story.Options{MostLines: -1},
		`{"type":"a","t":1,"k":"x","n":1}`, `{"type":"a","t":2,"k":"x","n":0}`)
	if got := strings.Join(teller.Miss(), "\n"); !strings.Contains(got, "count() >= 3 is false: 1 >= 3") {
		t.Error(got)
	}
}
