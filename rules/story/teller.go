package story

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Options of a teller.
type Options struct {
	Types []*plan.Type // of the rule set
	// Key chooses the key whose lines are kept; nil: every key.
	Key func(key []event.Value) bool
	// Time writes a time; nil: as RFC 3339.
	Time func(ns int64) string
	// MostLines is how many lines are kept: default 10,000; what is beyond is counted.
	// Negative: none are kept.
	MostLines int
}

// Line is one thing that happened.
type Line struct {
	Time   string          `json:"time"`
	Kind   Kind            `json:"kind"`
	Key    json.RawMessage `json:"key,omitempty"`
	Text   string          `json:"text"`
	Event  json.RawMessage `json:"event,omitempty"`
	Run    uint64          `json:"run,omitempty"`
	Step   string          `json:"step,omitempty"`
	Until  string          `json:"until,omitempty"`
	Checks []Check         `json:"checks,omitempty"`
	Values json.RawMessage `json:"values,omitempty"` // aggregates, or the fields of an alert
}

// Kind says what a line tells.
type Kind string

// The kinds of lines.
const (
	KindEvent  Kind = "event"
	KindPassed Kind = "passed by" // `where` rejects the event
	KindAsked  Kind = "condition"
	KindBegan  Kind = "began"
	KindTook   Kind = "took"
	KindEnded  Kind = "ended"
	KindWindow Kind = "window"
	KindAlert  Kind = "alert"
	KindKept   Kind = "kept" // what has come before keeps an event from beginning a run
)

// Check is one part of a condition: its text, whether it held, and what it compared.
type Check struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	Sides []Side `json:"sides,omitempty"`
}

// Side is what a condition looked at.
type Side struct {
	Text  string          `json:"text"`
	Value json.RawMessage `json:"value"`
}

// Teller listens to a watched rule: give its See to the engine's Options.Watch. It is used
// by one goroutine at a time.
type Teller struct {
	rule *plan.Rule
	o    Options

	Lines   []Line
	Left    int // lines beyond the most
	Events  int // of the rule and of keys asked about
	Matches []Match

	key     string          // of the sight at hand
	keys    map[string]bool // that came, up to a few
	moreKey bool
	cover   map[*plan.Expr]*tally
	taken   uint64                          // steps that have taken an event
	runs    map[string]map[uint64]*progress // open ones, by key
	begun   int
	first   int    // the step that can come first; -1: none
	negated uint64 // steps that are
	best    *progress
	miss    *judgement
}

// Match is one match of the rule: an alert, unless `suppress` or the rule's mode keeps it.
type Match struct {
	At  int64
	Key string
}

// tally counts how a part of a condition came out.
type tally struct{ yes, no uint64 }

// New makes a teller for a rule.
func New(rule *plan.Rule, o Options) *Teller {
	if o.MostLines == 0 {
		o.MostLines = 10_000
	}
	if o.Time == nil {
		o.Time = func(ns int64) string { return string(event.AppendTime(nil, ns)) }
	}
	written := o.Time
	o.Time = func(ns int64) string {
		if ns >= never-1 {
			return "the end of the input"
		}
		return written(ns)
	}
	t := &Teller{rule: rule, o: o, keys: map[string]bool{}, cover: map[*plan.Expr]*tally{}, runs: map[string]map[uint64]*progress{}}
	if rule.Pattern != nil {
		t.first, t.negated = firstStep(rule.Pattern.Root), negations(rule.Pattern.Root, 0)
	}
	return t
}

// See takes a sight. Those of other rules are passed over.
func (t *Teller) See(s *machine.Sight) {
	if s.Rule.Name != t.rule.Name {
		return
	}
	t.count(s)
	t.key = ""
	if t.noteKey(s); t.o.Key != nil && !t.o.Key(s.Key) {
		return
	}
	if t.key == "" {
		t.key = t.keyText(s.Key)
	}
	switch s.What {
	case machine.SightSaw:
		t.saw(s)
	case machine.SightAsked:
		t.askedOf(s)
	case machine.SightTook:
		t.took(s)
	case machine.SightMatched:
		t.matched(s)
	case machine.SightEnded:
		t.ended(s)
	case machine.SightJudged:
		t.judged(s)
	case machine.SightKept:
		t.kept(s)
	}
}

// mostKeys is how many keys are remembered to be named.
const mostKeys = 1000

func (t *Teller) noteKey(s *machine.Sight) {
	if s.What != machine.SightSaw || t.moreKey {
		return
	}
	t.key = t.keyText(s.Key)
	if len(t.keys) < mostKeys {
		t.keys[t.key] = true
	} else if !t.keys[t.key] {
		t.moreKey = true
	}
}

// Keys lists keys that came, sorted, and whether there were more.
func (t *Teller) Keys() (keys []string, more bool) {
	for k := range t.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, t.moreKey
}

// count notes how conditions came out, for all keys.
func (t *Teller) count(s *machine.Sight) {
	for _, a := range s.Asked {
		for _, c := range a.Checks {
			n := t.cover[c.Expr]
			if n == nil {
				n = &tally{}
				t.cover[c.Expr] = n
			}
			if c.Holds {
				n.yes++
			} else {
				n.no++
			}
		}
	}
	if s.What == machine.SightTook {
		t.taken |= 1 << s.Step
	}
}

// line keeps a line. Ask room first.
func (t *Teller) line(s *machine.Sight, kind Kind, text string) *Line {
	t.Lines = append(t.Lines, Line{Time: t.o.Time(s.At), Kind: kind, Text: text, Key: t.keyJSON(s.Key), Run: s.Run})
	return &t.Lines[len(t.Lines)-1]
}

// room reports whether there is room for a line, and counts the line where there is none:
// it need not be written then, which is most of the work over many events.
func (t *Teller) room() bool {
	if t.o.MostLines >= 0 && len(t.Lines) < t.o.MostLines {
		return true
	}
	t.Left++
	return false
}

func (t *Teller) saw(s *machine.Sight) {
	t.Events++
	if t.room() {
		l := t.line(s, KindEvent, t.showEvent(s.Event.Type, s.Event.JSON()))
		l.Event = json.RawMessage(slices.Clone(s.Event.JSON()))
	}
	for i := range s.Asked {
		t.sawAsked(s, &s.Asked[i])
	}
	t.missedStart(s)
	t.missedLocal(s)
}

// matters reports whether an open run of a key, or one that is to begin, can use a step.
func (t *Teller) matters(key string, step int) bool {
	open := t.runs[key]
	if step == t.first || t.rule.Pattern.Select == plan.SelectAll || t.negated&(1<<step) != 0 && len(open) > 0 {
		return true
	}
	for _, p := range open {
		if p.waits.next&(1<<step) != 0 {
			return true
		}
	}
	return false
}

// sawAsked tells what an event alone decides: only what matters to somebody.
func (t *Teller) sawAsked(s *machine.Sight, a *machine.Asked) {
	switch {
	case t.o.MostLines < 0:
	case a.At == machine.AtWhere && !a.Holds && t.room():
		l := t.line(s, KindPassed, "passed by: where "+t.failing(a.Checks))
		l.Checks = t.checks(a.Checks)
	case a.At == machine.AtWhere && a.Holds && t.isFilter() && t.room():
		l := t.line(s, KindAsked, "where "+t.verdict(a.Checks))
		l.Checks = t.checks(a.Checks)
	case a.At >= 0 && len(a.Checks) > 0 && t.matters(t.key, a.At) && t.room():
		l := t.line(s, KindAsked, "could be "+t.stepName(a.At)+": "+t.verdict(a.Checks))
		if !a.Holds {
			l.Text = "is no " + t.stepName(a.At) + ": " + t.failing(a.Checks)
		}
		l.Step, l.Checks = t.stepName(a.At), t.checks(a.Checks)
	}
}

func (t *Teller) askedOf(s *machine.Sight) {
	a := &s.Asked[0]
	t.missedAsked(s, a)
	if len(a.Checks) == 0 || !t.room() {
		return
	}
	l := t.line(s, KindAsked, t.place(a.At)+t.ofRun(s)+": "+t.verdict(a.Checks))
	if !a.Holds {
		l.Text = t.place(a.At) + t.ofRun(s) + ": " + t.failing(a.Checks)
	}
	l.Checks = t.checks(a.Checks)
	if a.At >= 0 {
		l.Step = t.stepName(a.At)
	}
}

func (t *Teller) ofRun(s *machine.Sight) string {
	if s.Run == 0 {
		return ""
	}
	return " of run " + strconv.FormatUint(s.Run, 10)
}

func (t *Teller) took(s *machine.Sight) {
	t.progressed(s)
	if !t.room() {
		return
	}
	kind, text := KindTook, "run "+strconv.FormatUint(s.Run, 10)+" takes it as "+t.stepName(s.Step)
	if s.Total == 1 {
		kind, text = KindBegan, "run "+strconv.FormatUint(s.Run, 10)+" begins with it as "+t.stepName(s.Step)
	}
	l := t.line(s, kind, text+t.waiting(waitsOf(s)))
	l.Step = t.stepName(s.Step)
	if end := min(s.Until, s.Deadline); end != never {
		l.Until = t.o.Time(end)
	}
}

func waitsOf(s *machine.Sight) waits { return waits{s.Next, s.Until, s.Deadline, s.Lacks} }

// waiting says what a run waits for, and until when.
func (t *Teller) waiting(w waits) string {
	text := ""
	switch {
	case w.deadline != never && w.next != 0:
		text = "; it matches at " + t.o.Time(w.deadline) + " if nothing forbidden comes, and can take " + t.stepNames(w.next)
	case w.deadline != never:
		text = "; it matches at " + t.o.Time(w.deadline) + " if nothing forbidden comes"
	case w.next != 0:
		text = "; it waits for " + t.stepNames(w.next)
		if w.lacks > 0 {
			text += ", " + strconv.FormatInt(w.lacks, 10) + " more"
		}
		if w.until != never {
			text += ", until " + t.o.Time(w.until)
		}
	}
	return text
}

func (t *Teller) stepNames(set uint64) string {
	text := ""
	for ; set != 0; set &= set - 1 {
		if text != "" {
			text += " or "
		}
		text += t.stepName(bits.TrailingZeros64(set))
	}
	return text
}

func (t *Teller) matched(s *machine.Sight) {
	t.Matches = append(t.Matches, Match{At: s.At, Key: t.key})
	if !t.room() {
		return
	}
	fields, text := t.fields(s.Effect.Fields)
	if text != "" {
		text = ": " + text
	}
	l := t.line(s, KindAlert, "alert"+t.ofRun(s)+text)
	l.Values = fields
}

func (t *Teller) ended(s *machine.Sight) {
	t.finished(s)
	if s.At = endOf(s); t.room() {
		l := t.line(s, KindEnded, "run "+strconv.FormatUint(s.Run, 10)+" ends: "+t.why(s))
		if s.Step >= 0 {
			l.Step = t.stepName(s.Step)
		}
	}
}

// isFilter reports a rule of which every event that passes is an alert.
func (t *Teller) isFilter() bool { return t.rule.Pattern == nil && len(t.rule.Windows) == 0 }

func (t *Teller) kept(s *machine.Sight) {
	why := t.stepName(s.Step) + " came at " + t.o.Time(s.Start) + ", less than " + string(event.AppendDuration(nil, s.Until-s.Start)) + " before"
	t.missedKept(s, why)
	if t.room() {
		l := t.line(s, KindKept, "no run begins: "+why)
		l.Step, l.Until = t.stepName(s.Step), t.o.Time(s.Until)
	}
}

func (t *Teller) judged(s *machine.Sight) {
	t.missedJudgement(s)
	if t.isFilter() || !t.room() {
		return
	}
	text := ""
	if len(t.rule.Windows) > 0 {
		text = "window" + t.span(s) + ": " + t.aggregates(s.Aggs) + "; "
	}
	a := &s.Asked[0]
	switch {
	case len(a.Checks) == 0:
		text += "no having: it holds"
	case a.Holds:
		text += "having holds: " + t.verdict(a.Checks)
	default:
		text += "having does not hold: " + t.failing(a.Checks)
	}
	l := t.line(s, KindWindow, text)
	l.Checks, l.Values = t.checks(a.Checks), t.aggregatesJSON(s.Aggs)
}
