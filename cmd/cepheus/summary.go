package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
)

// printSummary writes what a run did: totals, then each rule. Numbers of what went
// wrong are there also where they are 0, except those of single rules.
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
	for i := range s.Rules {
		if s.Rules[i].Table {
			continue
		}
		line("  "+s.Rules[i].Name, s.Rules[i].Alerts, ruleNotes(&s.Rules[i]))
	}
	line("late", s.Late, note(s.LateDropped, "dropped"))
	if s.Raised > 0 {
		line("raised", s.Raised, "older than what had been processed, from inputs that came back or came later")
	}
	line("undecodable", s.Undecodable, note(s.Undecodable, buried))
	line("undeclared", s.Undeclared, note(s.Undeclared, "of types that no rule file declares"))
	line("errors", ruleErrors(s), "")
	for _, m := range s.Mismatches {
		line("nil "+m.Type+"."+m.Field, m.N, "missing or not of its type, first in "+string(m.First.Partition.AppendName(nil))+" at byte "+strconv.FormatInt(m.First.Offset, 10))
	}
	return t.Flush()
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
