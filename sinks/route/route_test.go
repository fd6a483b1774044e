package route

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
)

func alert(rule, severity string, at int, rest string) string {
	return fmt.Sprintf(`{"id":"x","rule":%q,"severity":%q,"tags":["fraud","card"],"labels":{"team":"pay"},"key":{"card":"c1","n":7},"time":%q%s}`,
		rule, severity, time.Unix(int64(at), 0).UTC().Format(time.RFC3339), rest)
}

func table(t testing.TB, o Options) *Table {
	t.Helper()
	if o.Sinks == nil {
		o.Sinks = []string{"ops", "log", "pager"}
	}
	made, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func namedToLog(rule string) []string {
	if rule == "named" {
		return []string{"log"}
	}
	return nil
}

// told says where an alert goes: sinks, each with its group if there is one.
func told(t testing.TB, e *Explainer, text string) (goes []string) {
	t.Helper()
	all, err := e.Alert([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		switch {
		case v.Decision.Skip != "":
		case v.Decision.Group != "":
			goes = append(goes, v.Sink+" ("+v.Decision.Group+")")
		default:
			goes = append(goes, v.Sink)
		}
	}
	return goes
}

func TestMatchers(t *testing.T) {
	h, err := readHead([]byte(alert("card/testing", "high", 0, "")))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    Match
		want bool
	}{
		"nothing":             {Match{}, true},
		"rule":                {Match{Rules: []string{"other", "card*"}}, true},
		"another rule":        {Match{Rules: []string{"card"}}, false},
		"severity":            {Match{Severities: []string{"low", "high"}}, true},
		"another severity":    {Match{Severities: []string{"low"}}, false},
		"severe enough":       {Match{MinSeverity: "medium"}, true},
		"not severe enough":   {Match{MinSeverity: "critical"}, false},
		"tag":                 {Match{Tags: []string{"fr?ud"}}, true},
		"another tag":         {Match{Tags: []string{"iot"}}, false},
		"label":               {Match{Labels: map[string]string{"team": "p*"}}, true},
		"another label":       {Match{Labels: map[string]string{"region": "*"}}, false},
		"key":                 {Match{Key: map[string]string{"card": "c1", "n": "7"}}, true},
		"another key":         {Match{Key: map[string]string{"card": "c2"}}, false},
		"all but one of them": {Match{Rules: []string{"*"}, Tags: []string{"iot"}}, false},
	} {
		if got := c.m.matches(h); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFirstRouteThatMatchesDecides(t *testing.T) {
	e := table(t, Options{
		To: namedToLog,
		Routes: []Route{
			{Match: Match{MinSeverity: "critical"}, Sinks: []string{"pager"}, Continue: true},
			{Match: Match{Rules: []string{"card*", "named"}}, Sinks: []string{"ops", "log"}, GroupBy: []string{"rule", "key.card"}},
			{Name: "all", Match: Match{Rules: []string{"noise"}}, GroupBy: []string{"*"}},
		},
	}).Explain()
	for text, want := range map[string]string{
		alert("card", "critical", 0, ""):  `ops (#2: rule="card" key.card="c1"), log (#2: rule="card" key.card="c1"), pager`,
		alert("card", "low", 0, ""):       `ops (#2: rule="card" key.card="c1"), log (#2: rule="card" key.card="c1")`,
		alert("x", "critical", 0, ""):     "pager",
		alert("x", "low", 0, ""):          "ops, log, pager",
		alert("noise", "low", 0, ""):      "ops (all), log (all), pager (all)",
		alert("named", "critical", 0, ""): `log (#2: rule="named" key.card="c1")`,
	} {
		if got := strings.Join(told(t, e, text), ", "); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestVerdictsSayWhy(t *testing.T) {
	now := time.Unix(1000, 0)
	silences, err := OpenSilences("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := silences.Add(Silence{Match: Match{Rules: []string{"quiet"}}, Until: now.Add(time.Hour)}, now); err != nil {
		t.Fatal(err)
	}
	e := table(t, Options{
		Sinks: []string{"ops"}, To: namedToLog, Silences: silences, Now: func() time.Time { return now },
		Inhibit: []Inhibition{{Source: Match{Rules: []string{"down"}}, Target: Match{Rules: []string{"slow"}}, Equal: []string{"key"}}},
	}).Explain()
	for _, c := range []struct{ text, why string }{
		{alert("named", "low", 0, ""), "its rule says to log"},
		{alert("quiet", "low", 0, ""), "silence "},
		{alert("down", "low", 100, ""), "no route matches"},
		{alert("slow", "low", 3699, ""), "inhibition #1: another alert came at 1970-01-01T00:01:40Z"},
		{alert("slow", "low", 3700, ""), "no route matches"},
		{alert("slow", "low", 99, ""), "no route matches"},
	} {
		got, err := e.Alert([]byte(c.text))
		if err != nil || !strings.HasPrefix(got[0].Why, c.why) {
			t.Errorf("%s: %q, want %q", c.text, got[0].Why, c.why)
		}
	}
	if _, err := e.Alert([]byte("no alert")); err == nil {
		t.Error("no alert was accepted")
	}
	if d := table(t, Options{}).For("ops").Route(sinks.Row{Alert: []byte("no alert")}); d.Skip != "" {
		t.Errorf("what cannot be read is not told: %+v", d)
	}
}

func TestTablesThatCannotBe(t *testing.T) {
	for part, o := range map[string]Options{
		`no sink "opps"; there are a`: {Routes: []Route{{Name: "r", Sinks: []string{"opps"}}}},
		`route r: the pattern "["`:    {Routes: []Route{{Name: "r", Match: Match{Rules: []string{"["}}}}},
		`no severity "urgent"`:        {Routes: []Route{{Match: Match{MinSeverity: "urgent"}}}},
		`"cards" is no part`:          {Routes: []Route{{GroupBy: []string{"cards"}}}},
		`negative`:                    {Routes: []Route{{Wait: -1}}},
		`inhibition #1: "label"`:      {Inhibit: []Inhibition{{Equal: []string{"label"}}}},
		`inhibition #1: for`:          {Inhibit: []Inhibition{{For: -1}}},
	} {
		o.Sinks = []string{"a"}
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

// TestInhibitionIsThatOfItsTwin compares with a look at all alerts before.
func TestInhibitionIsThatOfItsTwin(t *testing.T) {
	in := Inhibition{Source: Match{Rules: []string{"a", "b"}}, Target: Match{Rules: []string{"b", "c"}}, Equal: []string{"severity"}, For: 10 * time.Second}
	rapid.Check(t, func(r *rapid.T) {
		router := table(t, Options{Inhibit: []Inhibition{in}}).For("ops")
		type sent struct {
			rule, severity string
			at             int
		}
		var sources []sent
		at := 0
		for range rapid.IntRange(1, 40).Draw(r, "alerts") {
			at += rapid.IntRange(0, 4).Draw(r, "step")
			a := sent{rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "rule"), rapid.SampledFrom([]string{"low", "high"}).Draw(r, "severity"), at}
			target := a.rule == "b" || a.rule == "c"
			want := target && slices.ContainsFunc(sources, func(s sent) bool { return s.severity == a.severity && a.at-s.at < 10 })
			if (a.rule == "a" || a.rule == "b") && !want {
				sources = append(sources, a)
			}
			got := router.Route(sinks.Row{Alert: []byte(alert(a.rule, a.severity, a.at, ""))})
			if (got.Skip == SkipInhibition) != want {
				r.Fatalf("%+v: %+v, want inhibited %v after %+v", a, got, want, sources)
			}
		}
	})
}

func TestInhibitionsRememberABoundedNumber(t *testing.T) {
	r := newSinkRouter(table(t, Options{Inhibit: []Inhibition{{Source: Match{}, Target: Match{Rules: []string{"none"}}, Equal: []string{"rule"}}}}), "ops")
	for i := range maxSources + 100 {
		r.Route(sinks.Row{Alert: []byte(alert(fmt.Sprint(i), "low", i, ""))})
	}
	if n := len(r.since[0]); n > maxSources {
		t.Errorf("%d remembered", n)
	}
}

func TestSilencesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "silences.json")
	now := time.Unix(1000, 0)
	open := func() *Silences {
		s, err := OpenSilences(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var ids []string
	for i := 1; i <= 3; i++ {
		id, err := s.Add(Silence{Match: Match{Rules: []string{fmt.Sprint("r", i)}}, Until: now.Add(time.Duration(i) * time.Hour), By: "ann", Comment: "deploy"}, now)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if diff := cmp.Diff(s.Holding(now), open().Holding(now)); diff != "" || len(s.Holding(now)) != 3 {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
	s = open()
	if err := s.End(ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := s.End(ids[1]); !errors.Is(err, ErrNoSilence) {
		t.Errorf("ended twice: %v", err)
	}
	h, err := readHead([]byte(alert("r1", "low", 0, "")))
	if err != nil {
		t.Fatal(err)
	}
	if s.matching(h, now.Add(59*time.Minute)) == nil || s.matching(h, now.Add(time.Hour)) != nil {
		t.Error("a silence does not hold until its end")
	}
	if got := open().Holding(now.Add(2 * time.Hour)); len(got) != 1 || got[0].ID != ids[2] {
		t.Errorf("two hours later: %+v", got)
	}
	for name, bad := range map[string]Silence{
		"over": {Until: now}, "no pattern": {Match: Match{Tags: []string{"["}}, Until: now.Add(1)},
	} {
		if _, err := s.Add(bad, now); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSilences(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a torn file: %v", err)
	}
}
