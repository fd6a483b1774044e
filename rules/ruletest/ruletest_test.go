package ruletest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/rules/ruletest"
)

const burst = `# Two failures in a minute are a burst.
-- rules --
event login (time: at(ms)) { at int  user string  ok bool? }
rule burst {
    from login where not ok
    by user
    window sliding 1m
    having count() >= 2
    emit { n: count(), mean: avg(at), since: first(meta.time) }
}
-- events.jsonl --
{"t":"0s","type":"login","user":"ann"}
{"t":"59s","type":"login","user":"ann"}
{"t":"1m","type":"login","user":"bob"}
not json
{"t":"2h"}
`

const burstAlert = `{"rule":"burst","t":"59s","key":"ann","fields":{"n":2,"mean":1767225629500,"since":"@0s"}}
`

func parse(t *testing.T, text string) *ruletest.Scenario {
	t.Helper()
	s, err := ruletest.Parse("burst.txtar", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plainly(t *testing.T, s *ruletest.Scenario) *ruletest.Outcome {
	t.Helper()
	out, err := s.Run(t.Context(), t.TempDir(), ruletest.Variants()[0])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompareFindsWhatDiffers(t *testing.T) {
	for name, tc := range map[string]struct {
		expect string
		want   []string // parts of the differences, in order; none: all is well
	}{
		"as expected":           {"-- alerts.jsonl --\n" + burstAlert, nil},
		"members left out":      {"-- alerts.jsonl --\n" + `{"rule":"burst"}`, nil},
		"an object for a key":   {"-- alerts.jsonl --\n" + `{"key":{"user":"ann"}}`, nil},
		"evidence in short":     {"-- alerts.jsonl --\n" + `{"start":"0s","end":"59s","events":["@0s","@59s"]}`, nil},
		"evidence in full":      {"-- alerts.jsonl --\n" + `{"events":[{"t":"0s"},{"event":{"type":"login","user":"ann","at":1}}]}`, []string{"alert 1: events"}},
		"a member there is not": {"-- alerts.jsonl --\n" + `{"final":null}`, nil},
		"a member that must be": {"-- alerts.jsonl --\n" + `{"final":true}`, []string{"final: want true, and there is none"}},
		"another time":          {"-- alerts.jsonl --\n" + `{"t":"1m"}`, []string{`t: want "1m", got "59s"`}},
		"another key":           {"-- alerts.jsonl --\n" + `{"key":"bob"}`, []string{`key: want "bob"`}},
		"another order of fields": {
			"-- alerts.jsonl --\n" + `{"fields":{"mean":1767225629500,"n":2,"since":"@0s"}}`, []string{"fields"},
		},
		"a float a little off":    {"-- alerts.jsonl --\n" + `{"fields":{"n":2,"mean":1767225629500.00001,"since":"@0s"}}`, nil},
		"an int a little off":     {"-- alerts.jsonl --\n" + `{"fields":{"n":2,"mean":1767225629501,"since":"@0s"}}`, []string{"fields"}},
		"too few alerts":          {"-- alerts.jsonl --\n", []string{"alert 1 is not expected"}},
		"too many alerts":         {"-- alerts.jsonl --\n" + burstAlert + burstAlert, []string{"alert 2 did not come"}},
		"totals":                  {"-- counts --\nundecodable 1\nburst.alerts 1\n-- alerts.jsonl --\n" + burstAlert, nil},
		"another total":           {"-- counts --\nlate 1\n-- alerts.jsonl --\n" + burstAlert, []string{"late: want 1, got 0"}},
		"a total there is not":    {"-- counts --\nlater 1\nburst.late 1\n-- alerts.jsonl --\n" + burstAlert, []string{`"later"`, `"burst.late"`}},
		"no dead letters":         {"-- dead --\n-- alerts.jsonl --\n" + burstAlert, []string{"dead letter is not expected: events@3"}},
		"warnings":                {"-- warnings --\n-- alerts.jsonl --\n" + burstAlert, nil},
		"errors where there none": {"-- errors --\nrules.cep:1:1: R000: x", []string{"message did not come"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, burst+tc.expect)
			got := s.Compare(plainly(t, s))
			ok := len(got) == len(tc.want)
			for i := 0; ok && i < len(got); i++ {
				ok = strings.Contains(got[i], tc.want[i])
			}
			if !ok {
				t.Errorf("differences %q, want %q", got, tc.want)
			}
		})
	}
}

func TestErrorsWhereAlertsAreExpected(t *testing.T) {
	s := parse(t, strings.Replace(burst, "not ok", "not okay", 1)+"-- alerts.jsonl --\n")
	got := s.Compare(plainly(t, s))
	if len(got) != 1 || !strings.Contains(got[0], "rules.cep:3:26: R203") {
		t.Errorf("differences %q", got)
	}
}

func TestRewriteMakesTheScenarioPass(t *testing.T) {
	for name, expect := range map[string]string{
		"alerts": "-- alerts.jsonl --\n{\"events\":[],\"start\":\"1s\"}\n-- counts --\nundecodable 7\n-- dead --\nx\n",
		"errors": "-- rules/more.cep --\nrule burst { }\n-- errors --\nx\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, burst+expect)
			if len(s.Compare(plainly(t, s))) == 0 {
				t.Fatal("nothing to rewrite")
			}
			again := parse(t, string(s.Rewrite(plainly(t, s))))
			if diffs := again.Compare(plainly(t, again)); len(diffs) > 0 {
				t.Errorf("after rewriting: %q", diffs)
			}
		})
	}
}

func TestRewriteKeepsTheMembersOfALine(t *testing.T) {
	s := parse(t, burst+"-- alerts.jsonl --\n{\"events\":[],\"start\":\"1s\"}\n")
	_, got, _ := strings.Cut(string(s.Rewrite(plainly(t, s))), "-- alerts.jsonl --\n")
	want := `{"rule":"burst","t":"59s","key":"ann","fields":{"n":2,"mean":1767225629500,"since":"2026-01-01T00:00:00Z"},"events":["@0s","@59s"],"start":"0s"}` + "\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("alerts (-want +got):\n%s", d)
	}
}

func TestFaultyScenarios(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no first line":             {"-- rules --\n", "first line"},
		"no rules":                  {"# why\n-- alerts.jsonl --\n", `no section "rules"`},
		"no events":                 {"# why\n-- rules --\n-- alerts.jsonl --\n", `no section "events.jsonl"`},
		"nothing expected":          {burst, "want one section of"},
		"alerts and errors":         {burst + "-- alerts.jsonl --\n-- errors --\n", "want one section of"},
		"a section twice":           {burst + "-- rules --\n", "stands twice"},
		"an unknown section":        {burst + "-- alert.jsonl --\n", "no such section"},
		"data out of the folder":    {burst + "-- ../x.txt --\n", "no such section"},
		"an alert that is no JSON":  {burst + "-- alerts.jsonl --\n{x}\n", "{x}"},
		"an alert and more":         {burst + "-- alerts.jsonl --\n{} 1\n", "after the object"},
		"an alert that is a number": {burst + "-- alerts.jsonl --\n1\n", "not an object"},
		"a count without number":    {burst + "-- counts --\nlate\n", "want NAME N"},
		"an unknown option":         {burst + "-- options --\nfinale\n", "no such option"},
		"a wrong number":            {burst + "-- options --\nstop x\n", "stop x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ruletest.Parse("x.txtar", []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// FuzzParse looks for texts that stop the reader of scenarios, and asks that what it
// reads is written back unchanged but for line ends.
func FuzzParse(f *testing.F) {
	f.Add(burst + "-- alerts.jsonl --\n" + burstAlert)
	f.Add("# x\r\n-- rules --\r\n-- errors --\r\nx")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ruletest.Parse("x", []byte(text))
		if err != nil {
			return
		}
		out := s.Rewrite(&ruletest.Outcome{})
		again, err := ruletest.Parse("x", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if d := cmp.Diff(string(out), string(again.Rewrite(&ruletest.Outcome{}))); d != "" {
			t.Errorf("written twice (-first +second):\n%s", d)
		}
	})
}
