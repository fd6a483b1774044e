package ruletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// Compare lists what differs between an outcome and what the scenario expects, one line
// each; nothing where all is well. The outcome must be one of a run without a restart,
// since totals are those of one engine.
func (s *Scenario) Compare(out *Outcome) []string {
	x := &s.expect
	if x.errors != nil {
		return compareLines("message", x.errors, out.messages(anyMessage))
	}
	if out.Messages.HasErrors() {
		return compareLines("message", nil, out.messages(isError))
	}
	diffs := compareAlerts(x.alerts, out.Alerts, s.Options.Zero)
	if x.warnings != nil {
		diffs = append(diffs, compareLines("warning", x.warnings, out.messages(anyMessage))...)
	}
	if x.dead != nil {
		diffs = append(diffs, compareLines("dead letter", x.dead, out.deadLines())...)
	}
	return append(diffs, compareCounts(x.counts, out)...)
}

func anyMessage(source.Error) bool { return true }

func isError(e source.Error) bool { return e.Severity == source.Err }

// Rewrite returns the text of the scenario with the outcome for expectation. Lines of
// alerts go on naming what they named.
func (s *Scenario) Rewrite(out *Outcome) []byte {
	a := archive{s.archive.comment, slices.Clone(s.archive.sections)}
	switch {
	case s.expect.errors != nil:
		a.set(sectionErrors, joined(out.messages(anyMessage)))
		return []byte(a.String())
	case out.Messages.HasErrors():
		return []byte(a.String()) // it expects alerts: errors are not what it is about
	}
	a.set(sectionAlerts, rewriteAlerts(s.expect.alerts, out.Alerts, s.Options.Zero))
	if s.expect.warnings != nil {
		a.set("warnings", joined(out.messages(anyMessage)))
	}
	if s.expect.dead != nil {
		a.set("dead", joined(out.deadLines()))
	}
	if s.expect.counts != nil {
		a.set("counts", joined(rewriteCounts(s.expect.counts, out)))
	}
	return []byte(a.String())
}

func joined(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (out *Outcome) deadLines() []string {
	lines := []string{}
	for _, d := range out.Dead {
		lines = append(lines, fmt.Sprintf("%s@%d: %s", d.Partition.AppendName(nil), d.Offset, d.Reason))
	}
	return lines
}

// compareLines lists what is missing and what is too much, in order; where it is
// neither, the first line that stands at another place.
func compareLines(what string, want, got []string) []string {
	var diffs []string
	for _, w := range beyond(want, got) {
		diffs = append(diffs, what+" did not come: "+w)
	}
	for _, g := range beyond(got, want) {
		diffs = append(diffs, what+" is not expected: "+g)
	}
	for i := range want {
		if len(diffs) == 0 && want[i] != got[i] {
			diffs = append(diffs, fmt.Sprintf("%s %d: want %s\n     got %s", what, i+1, want[i], got[i]))
		}
	}
	return diffs
}

// beyond returns the lines that all has more often than some.
func beyond(all, some []string) []string {
	left := map[string]int{}
	for _, line := range some {
		left[line]++
	}
	var out []string
	for _, line := range all {
		if left[line]--; left[line] < 0 {
			out = append(out, line)
		}
	}
	return out
}

func compareCounts(want []count, out *Outcome) []string {
	var diffs []string
	for _, c := range want {
		n, known := out.Count(c.name)
		switch {
		case !known:
			diffs = append(diffs, fmt.Sprintf("there is no total %q", c.name))
		case n != c.n:
			diffs = append(diffs, fmt.Sprintf("%s: want %d, got %d", c.name, c.n, n))
		}
	}
	return diffs
}

func rewriteCounts(want []count, out *Outcome) []string {
	var lines []string
	for _, c := range want {
		n, _ := out.Count(c.name)
		lines = append(lines, fmt.Sprintf("%s %d", c.name, n))
	}
	return lines
}
