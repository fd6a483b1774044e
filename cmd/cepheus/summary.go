package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
)

// silentRules is how many rules with nothing to tell are named all the same.
const silentRules = 20

// printSummary writes what a run did: totals, then rules. Late, undecodable, undeclared
// and errors are there also where they are 0.
func printSummary(to io.Writer, s *engine.Stats, took time.Duration, buried string) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(name string, n uint64, note string) {
		if note != "" {
			note = "\t" + note
		}
		fmt.Fprintf(t, "%s\t%d%s\n", name, n, note)
	}
	line("events", s.Events, fmt.Sprintf("%s a second, %s", perSecond(s.Events, took), took.Round(time.Millisecond)))
	line("alerts", s.Alerts, "")
	some := func(name string, n uint64, note string) {
		if n > 0 {
			line(name, n, note)
		}
	}
	some("  rules without", summarizeRules(s.Rules, line), "that have neither alerts nor anything else to tell")
	line("late", s.Late, note(s.LateDropped, strconv.FormatUint(s.LateDropped, 10)+" of them dropped"))
	some("raised", s.Raised, "older than what had been processed, from inputs that came back or came later")
	some("ahead", s.Ahead, "too far ahead of time, "+buried)
	some("copies", s.Copies, "of ids that had come before, dropped")
	some("ids forgotten", s.MarksDropped, "before their time: a copy of such an event would have been taken")
	some("idle steps", s.IdleSteps, "inputs that fell silent or came back, and steps of time while all were silent")
	line("undecodable", s.Undecodable, note(s.Undecodable, buried))
	line("undeclared", s.Undeclared, note(s.Undeclared, "of types that no rule file declares"))
	line("errors", ruleErrors(s), "")
	for _, m := range s.Mismatches {
		line("nil "+m.Type+"."+m.Field, m.N, "missing or not of its type, first in "+string(m.First.Partition.AppendName(nil))+" at byte "+strconv.FormatInt(m.First.Offset, 10))
	}
	return t.Flush()
}

// summarizeRules writes a line for each rule, and for tables that have something to tell.
// Where more than silentRules rules have nothing, those are left out and counted.
func summarizeRules(rules []engine.RuleStats, line func(name string, n uint64, note string)) (without uint64) {
	silent := func(r *engine.RuleStats) bool { return r.Alerts == 0 && ruleNotes(r) == "" }
	for i := range rules {
		if r := &rules[i]; silent(r) && !r.Table {
			without++
		}
	}
	for i := range rules {
		r := &rules[i]
		switch {
		case silent(r) && (r.Table || without > silentRules):
		case r.Table:
			line("  "+r.Name, uint64(r.Keys), "rows, "+ruleNotes(r))
		default:
			line("  "+r.Name, r.Alerts, ruleNotes(r))
		}
	}
	if without <= silentRules {
		return 0
	}
	return without
}

// ruleNotes names what a reader of a rule's alerts should know besides.
func ruleNotes(r *engine.RuleStats) string {
	notes := ""
	add := func(n uint64, what string) {
		if n > 0 {
			if notes != "" {
				notes += ", "
			}
			notes += strconv.FormatUint(n, 10) + " " + what
		}
	}
	add(r.Suppressed, "suppressed")
	add(r.Shadowed, "in shadow")
	add(r.NilKeys, "events without a key")
	add(r.Dropped.Runs, "runs dropped")
	add(r.Dropped.Keys, "keys dropped")
	add(r.Dropped.RunEvents+r.Dropped.WindowEvents, "events dropped")
	add(r.SilencesDropped, "keys of suppress dropped")
	add(r.Errors, "errors, the last: "+r.LastError)
	return notes
}

func note(n uint64, what string) string {
	if n == 0 {
		return ""
	}
	return what
}

func ruleErrors(s *engine.Stats) (n uint64) {
	for i := range s.Rules {
		n += s.Rules[i].Errors
	}
	return n
}

func perSecond(n uint64, took time.Duration) string {
	if took <= 0 {
		return "0"
	}
	return strconv.FormatFloat(float64(n)/took.Seconds(), 'f', 0, 64)
}
