package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/backtest"
)

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
			if n := len([]rune(line)); n > width && !strings.HasPrefix(line, "against") {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
		}
		if !strings.Contains(b.String(), "7 suppressed") || !strings.Contains(b.String(), "█") {
			t.Errorf("%d columns:\n%s", width, b.String())
		}
	}
}
