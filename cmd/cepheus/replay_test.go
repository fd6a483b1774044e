package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/backtest"
)

// TestPageIsOneFileWhateverNamesSay looks at a page of names that would be tags: nothing is
// fetched from elsewhere, no name becomes a tag, and what is opened is closed where HTML asks
// for it.
func TestPageIsOneFileWhateverNamesSay(t *testing.T) {
	const name = `<script src="https://example.com/x.js">&"'`
	r := &replayed{tally: backtest.New(), stats: &engine.Stats{Events: 1, Rules: []engine.RuleStats{{Name: name}}}, top: 5}
	r.tally.Add(&event.Alert{ID: "1", Rule: name, Severity: "high", Key: []event.Named{{Name: "k", Value: event.OfString(name)}}})
	r.count(&plan.Set{Rules: []*plan.Rule{{Name: name}}})
	r.tally.Keep = true
	r.change, r.costs = backtest.Compare(backtest.New(), r.tally), []ruleCost{{name, 10}}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := r.writeHTML(path); err != nil {
		t.Fatal(err)
	}
	text := read(t, path)
	open := map[string]int{}
	for _, m := range regexp.MustCompile(`<(/?)([a-z0-9]+)([^>]*)>`).FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			open[m[2]]++
		} else {
			open[m[2]]--
		}
		if regexp.MustCompile(`src|href|url\(|\bon[a-z]+=`).MatchString(m[3]) || m[2] == "script" || m[2] == "link" {
			t.Errorf("the page has the tag %s", m[0])
		}
	}
	for _, tag := range []string{"html", "title", "style", "h1", "h2", "table", "i"} {
		if open[tag] != 0 {
			t.Errorf("%d of <%s> are not closed", open[tag], tag)
		}
	}
	if !strings.Contains(text, "&lt;script") || strings.Contains(text, "@import") {
		t.Errorf("the page:\n%s", text)
	}
}

// TestReplayFitsTheTerminal prints a replay for terminals of many widths.
func TestReplayFitsTheTerminal(t *testing.T) {
	r := &replayed{tally: backtest.New(), stats: &engine.Stats{Events: 10, Late: 1}, took: time.Second, top: 5}
	set := &plan.Set{}
	for i, name := range []string{"short", "a_rule_with_a_very_long_name_that_no_terminal_has_room_for"} {
		set.Rules = append(set.Rules, &plan.Rule{Name: name})
		r.stats.Rules = append(r.stats.Rules, engine.RuleStats{Name: name, Suppressed: uint64(i * 7)})
		for hour := range 3 * (i + 1) {
			r.tally.Add(&event.Alert{ID: name, Rule: name, Time: int64(hour) * 3600e9, Key: []event.Named{{Name: "card", Value: event.OfString("a card with a long number")}}})
		}
	}
	r.count(set)
	r.change = backtest.Compare(backtest.New(), r.tally)
	r.costs = []ruleCost{{"short", 1000}, {"a_rule_with_a_very_long_name_that_no_terminal_has_room_for", 10}}
	for _, width := range []int{40, 41, 60, 80, 132} {
		var b strings.Builder
		r.print(&b, width)
		for _, line := range strings.Split(b.String(), "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
		}
		if !strings.Contains(b.String(), "7 suppressed") || !strings.Contains(b.String(), "█") {
			t.Errorf("%d columns:\n%s", width, b.String())
		}
	}
}
