package demo

import (
	"slices"
	"strings"
	"time"
)

// alert is what the demo reads of an alert.
type alert struct {
	Rule, Severity, Title string
	Key                   struct{ Card string }
	Time                  time.Time
	Fields                map[string]any
}

// tally counts what was found, by rule and card.
type tally struct{ found map[[2]string]int }

func newTally() *tally { return &tally{map[[2]string]int{}} }

func (t *tally) add(a *alert) { t.found[[2]string{a.Rule, a.Key.Card}]++ }

// row is how a rule did: attacks planted and due, and those found.
type row struct {
	rule           string
	planted, found int
}

// against holds what was found against what was planted and is due at a time. Others are
// alerts that nothing planted explains.
func (t *tally) against(planted []attack, now time.Time) (rows []row, others int) {
	explained := map[[2]string]bool{}
	for _, a := range planted {
		key := [2]string{a.rule, a.card}
		explained[key] = true
		if a.due.After(now) {
			continue
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.rule == a.rule })
		if i < 0 {
			rows, i = append(rows, row{rule: a.rule}), len(rows)
		}
		rows[i].planted++
		if t.found[key] > 0 {
			rows[i].found++
		}
	}
	for key, n := range t.found {
		if !explained[key] {
			others += n
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.rule, b.rule) })
	return rows, others
}
