package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/backtest"
)

// replayed is what came of a replay.
type replayed struct {
	tally  *backtest.Tally
	stats  *engine.Stats
	took   time.Duration
	rules  []replayedRule
	before *backtest.Tally // with --against
	change *backtest.Change
	costs  []ruleCost
	top    int
}

type replayedRule struct {
	backtest.RuleCount
	Suppressed uint64 `json:"suppressed"`
	Shadowed   uint64 `json:"shadowed"`
	Errors     uint64 `json:"errors"`
}

// count joins what the engine counted and what alerts came, by rule in order of name.
func (r *replayed) count(set *plan.Set) {
	severity := map[string]string{}
	for _, rule := range set.Rules {
		severity[rule.Name] = rule.Severity.String()
	}
	for i := range r.stats.Rules {
		s := &r.stats.Rules[i]
		if s.Table {
			continue
		}
		c := r.tally.Rule(s.Name)
		c.Severity = severity[s.Name]
		r.rules = append(r.rules, replayedRule{c, s.Suppressed, s.Shadowed, s.Errors})
	}
}

// mostSpans is how many lines the table by hour has.
const mostSpans = 48

// print writes tables that are at most width wide, where that can be.
func (r *replayed) print(to io.Writer, width int) {
	s := r.stats
	fmt.Fprintf(to, "%d events, %d alerts, %s\n", s.Events, r.tally.Alerts, r.took.Round(time.Millisecond))
	for _, n := range []struct {
		n    uint64
		what string
	}{{s.Late, "late"}, {s.Undecodable, "undecodable"}, {s.Undeclared, "of types that no rule file declares"}} {
		if n.n > 0 {
			fmt.Fprintf(to, "%d %s\n", n.n, n.what)
		}
	}
	r.printRules(to, width)
	r.printHours(to, width)
	r.printKeys(to, width)
	r.printCosts(to, width)
	r.printChange(to, width)
}

// bars is a table of names, numbers and bars.
type bars struct {
	head  string
	names []string
	n     []uint64
	notes []string
}

func (b *bars) add(name string, n uint64, note string) {
	b.names, b.n, b.notes = append(b.names, name), append(b.n, n), append(b.notes, note)
}

// mostBar is how long a bar can be.
const mostBar = 40

func (b *bars) print(to io.Writer, width int) {
	if len(b.names) == 0 {
		return
	}
	names, numbers, most, notes := len([]rune(b.head)), len("alerts"), uint64(1), 0
	for i, name := range b.names {
		names = max(names, len([]rune(name)))
		numbers = max(numbers, len(strconv.FormatUint(b.n[i], 10)))
		most = max(most, b.n[i])
		if b.notes[i] != "" {
			notes = max(notes, len(b.notes[i])+1)
		}
	}
	names = min(names, max(8, width-numbers-4-notes-4))
	fmt.Fprintf(to, "\n%-*s  %*s\n", names, b.head, numbers, "alerts")
	for i, name := range b.names {
		room := min(mostBar, width-names-numbers-4-notes)
		line := fmt.Sprintf("%-*s  %*d  %s", names, shortened(name, names), numbers, b.n[i], bar(b.n[i], most, room))
		if b.notes[i] != "" {
			line += " " + b.notes[i]
		}
		fmt.Fprintln(to, strings.TrimRight(line, " "))
	}
}

// bar is a bar for n of most.
func bar(n, most uint64, room int) string {
	if room <= 0 || n == 0 {
		return ""
	}
	return strings.Repeat("█", max(1, int(n*uint64(room)/most)))
}

// shortened cuts a name that is too long for its column.
func shortened(name string, n int) string {
	if r := []rune(name); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return name
}

func (r *replayed) printRules(to io.Writer, width int) {
	b := &bars{head: "rule"}
	for i := range r.rules {
		rule := &r.rules[i]
		var notes []string
		for _, n := range []struct {
			n    uint64
			what string
		}{{rule.Suppressed, "suppressed"}, {rule.Shadowed, "in shadow"}, {rule.Errors, "errors"}} {
			if n.n > 0 {
				notes = append(notes, fmt.Sprintf("%d %s", n.n, n.what))
			}
		}
		b.add(rule.Rule, rule.Alerts, strings.Join(notes, ", "))
	}
	b.print(to, width)
}

// spanNames is how a span of the table by time is called, and how its starts are written.
func spanNames(span int64) (name, layout string) {
	switch span {
	case backtest.Hour:
		return "hour", "2006-01-02 15:04"
	case 24 * backtest.Hour:
		return "day", "2006-01-02"
	}
	return "from", "2006-01-02"
}

func (r *replayed) printHours(to io.Writer, width int) {
	hours, span := r.tally.Hours(mostSpans)
	name, layout := spanNames(span)
	b := &bars{head: name}
	for _, h := range hours {
		b.add(time.Unix(0, h.Start).UTC().Format(layout), h.Alerts, "")
	}
	b.print(to, width)
}

func (r *replayed) printKeys(to io.Writer, width int) {
	b := &bars{head: "top keys"}
	for _, k := range r.tally.Top(r.top) {
		if k.Key.Key != "" {
			b.add(k.Rule+"  "+k.Key.Key, k.Alerts, "")
		}
	}
	b.print(to, width)
}

func (r *replayed) printCosts(to io.Writer, width int) {
	if len(r.costs) == 0 {
		return
	}
	names, most := len("rule alone"), 1.0
	for _, c := range r.costs {
		names, most = max(names, len([]rune(c.Rule))), max(most, c.Nanos)
	}
	names = min(names, max(8, width-22))
	fmt.Fprintf(to, "\n%-*s  ns/event\n", names, "rule alone")
	for _, c := range r.costs {
		line := fmt.Sprintf("%-*s  %8.0f  %s", names, shortened(c.Rule, names), c.Nanos, bar(uint64(c.Nanos), uint64(most), min(mostBar, width-names-12)))
		fmt.Fprintln(to, strings.TrimRight(line, " "))
	}
}

func (r *replayed) printChange(to io.Writer, width int) {
	c := r.change
	if c == nil {
		return
	}
	const head = "against the rules as they were:"
	counts := fmt.Sprintf("%d the same, %d appear, %d vanish, %d move", c.Same, len(c.Appeared), len(c.Vanished), len(c.Moved))
	between := " "
	if len(head)+1+len(counts) > width {
		between = "\n"
	}
	fmt.Fprintf(to, "\n%s%s%s\n", head, between, counts)
	for _, list := range []struct {
		sign string
		kept []backtest.Kept
	}{{"+", c.Appeared}, {"-", c.Vanished}} {
		for _, k := range list.kept[:min(r.top, len(list.kept))] {
			fmt.Fprintln(to, shortened(fmt.Sprintf("%s %s  %s  %s", list.sign, writtenTime(k.Time), k.Rule, k.Key.Key), width))
		}
		more(to, list.sign, len(list.kept)-r.top)
	}
	for _, m := range c.Moved[:min(r.top, len(c.Moved))] {
		fmt.Fprintln(to, shortened(fmt.Sprintf("~ %s  %s  %s  was at %s", writtenTime(m.To), m.Rule, m.Key.Key, writtenTime(m.From)), width))
	}
	more(to, "~", len(c.Moved)-r.top)
}

func more(to io.Writer, sign string, n int) {
	if n > 0 {
		fmt.Fprintf(to, "%s … %d more\n", sign, n)
	}
}

func writtenTime(ns int64) string { return string(event.AppendTime(nil, ns)) }

// The JSON form.
type (
	replayJSON struct {
		Events      uint64              `json:"events"`
		Alerts      uint64              `json:"alerts"`
		Late        uint64              `json:"late"`
		Undecodable uint64              `json:"undecodable"`
		Undeclared  uint64              `json:"undeclared"`
		Rules       []replayRuleJSON    `json:"rules"`
		Spans       []spanJSON          `json:"spans"`
		SpanSeconds int64               `json:"span_seconds"`
		Keys        []backtest.KeyCount `json:"keys"`
		Costs       []ruleCost          `json:"costs,omitempty"`
		Against     *changeJSON         `json:"against,omitempty"`
	}
	replayRuleJSON struct {
		replayedRule
		Hours []spanJSON `json:"hours"`
	}
	spanJSON struct {
		Start  string `json:"start"`
		Alerts uint64 `json:"alerts"`
	}
	changeJSON struct {
		Same     int        `json:"same"`
		Appeared []keptJSON `json:"appeared"`
		Vanished []keptJSON `json:"vanished"`
		Moved    []keptJSON `json:"moved"`
	}
	keptJSON struct {
		backtest.Key
		Time string `json:"time"`
		From string `json:"from,omitempty"`
		ID   string `json:"id,omitempty"`
	}
)

func (r *replayed) json() *replayJSON {
	hours, span := r.tally.Hours(mostSpans)
	out := &replayJSON{
		Events: r.stats.Events, Alerts: r.tally.Alerts, Late: r.stats.Late, Undecodable: r.stats.Undecodable, Undeclared: r.stats.Undeclared,
		Rules: []replayRuleJSON{}, Spans: spans(hours), SpanSeconds: span / int64(time.Second), Keys: []backtest.KeyCount{}, Costs: r.costs,
	}
	out.Keys = append(out.Keys, r.tally.Top(r.top)...)
	for i := range r.rules {
		rule := replayRuleJSON{replayedRule: r.rules[i], Hours: []spanJSON{}}
		for _, start := range slices.Sorted(maps.Keys(r.rules[i].Hours)) {
			rule.Hours = append(rule.Hours, spanJSON{writtenTime(start), r.rules[i].Hours[start]})
		}
		out.Rules = append(out.Rules, rule)
	}
	if c := r.change; c != nil {
		out.Against = &changeJSON{Same: c.Same, Appeared: keptList(c.Appeared), Vanished: keptList(c.Vanished), Moved: []keptJSON{}}
		for _, m := range c.Moved {
			out.Against.Moved = append(out.Against.Moved, keptJSON{Key: m.Key, Time: writtenTime(m.To), From: writtenTime(m.From)})
		}
	}
	return out
}

func spans(hours []backtest.HourCount) []spanJSON {
	out := []spanJSON{}
	for _, h := range hours {
		out = append(out, spanJSON{writtenTime(h.Start), h.Alerts})
	}
	return out
}

func keptList(list []backtest.Kept) []keptJSON {
	out := []keptJSON{}
	for _, k := range list {
		out = append(out, keptJSON{Key: k.Key, Time: writtenTime(k.Time), ID: k.ID})
	}
	return out
}

// MarshalJSON writes a rule with the hours in which it alerted, however long a span of the whole
// is: those of the embedded count are of another form.
func (r replayRuleJSON) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Rule       string     `json:"rule"`
		Severity   string     `json:"severity"`
		Alerts     uint64     `json:"alerts"`
		Suppressed uint64     `json:"suppressed"`
		Shadowed   uint64     `json:"shadowed"`
		Errors     uint64     `json:"errors"`
		Hours      []spanJSON `json:"hours"`
	}{r.Rule, r.Severity, r.Alerts, r.Suppressed, r.Shadowed, r.Errors, r.Hours})
}
