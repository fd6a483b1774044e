package engine

import (
	"encoding/json"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// KeyView is what a rule, or a table, remembers of a key, for people.
type KeyView struct {
	Rule  string          `json:"rule"`
	Kind  string          `json:"kind" doc:"filter, window, pattern or table"`
	Key   json.RawMessage `json:"key" doc:"its parts by name"`
	AsOf  *time.Time      `json:"as_of" doc:"up to when events are worked; null: there was none"`
	Known bool            `json:"known" doc:"something is remembered of the key"`

	RunsOpen int         `json:"runs_open" doc:"runs of a pattern; of a match all without an upper bound see combined"`
	Runs     []RunView   `json:"runs" doc:"the oldest of them, at most 100"`
	Combined int         `json:"combined" doc:"events that a match all makes combinations of"`
	Pool     []TakenView `json:"pool" doc:"the oldest of them, at most 100"`
	Barred   []BarView   `json:"barred" doc:"what keeps runs from beginning"`

	Windows []WindowView `json:"windows" doc:"open windows"`

	Row     json.RawMessage `json:"row" doc:"of a table; null: it has none"`
	Expires *time.Time      `json:"expires" doc:"when the row goes if nothing feeds it"`

	Silence *SilenceView `json:"silence" doc:"while suppress keeps alerts of the key back"`

	set *plan.Set
}

// Set is the rule set that ran when the key was looked at: what it says of a rule is true of the
// view, though another may be in service by now, or may not be said to be yet.
func (v *KeyView) Set() *plan.Set { return v.set }

// RunView is an open run of a pattern.
type RunView struct {
	Start    time.Time   `json:"start" doc:"of its first event"`
	Last     time.Time   `json:"last" doc:"of its last event so far"`
	Taken    []TakenView `json:"taken" doc:"by step"`
	WaitsFor []string    `json:"waits_for" doc:"steps of which it can take an event"`
	Lacks    int64       `json:"lacks" doc:"events of the step at hand, or turns of the group, that it needs before it goes on"`
	Matches  *time.Time  `json:"matches" doc:"when it is complete if nothing forbidden comes"`
	Until    *time.Time  `json:"until" doc:"when it ends if nothing comes"`
	Places   int         `json:"places" doc:"ways to have taken its events; taken shows the first"`
}

// TakenView is what was taken by a step.
type TakenView struct {
	Step  string     `json:"step"`
	N     int        `json:"n" doc:"events"`
	First EventView  `json:"first"`
	Last  *EventView `json:"last" doc:"where there are several"`
}

// EventView is an event.
type EventView struct {
	Time  time.Time       `json:"time"`
	Event json.RawMessage `json:"event" doc:"null: it is not kept, or too much is shown already"`
}

// BarView is a negation that keeps runs from beginning.
type BarView struct {
	Step  string    `json:"step"`
	Until time.Time `json:"until"`
}

// WindowView is an open window.
type WindowView struct {
	Name   string          `json:"name" doc:"empty where the rule has one"`
	Start  *time.Time      `json:"start" doc:"null: it is not bounded by time"`
	End    *time.Time      `json:"end"`
	Events int             `json:"events"`
	Values json.RawMessage `json:"values" doc:"aggregates, by how the rule writes them"`
	Held   bool            `json:"held" doc:"with once or early: having holds already"`
	Newest []EventView     `json:"newest" doc:"those that an alert would show, the oldest first"`
}

// SilenceView is what suppress remembers of a key.
type SilenceView struct {
	Until   time.Time `json:"until"`
	Counted uint64    `json:"counted" doc:"alerts kept back"`
}

// newKeyView puts what was seen of a key into words.
func newKeyView(c *compiled, key []event.Value, l *machine.Look) *KeyView {
	v := &KeyView{Rule: c.rule.Name, Kind: c.kind(), AsOf: whenKnown(l.Now), RunsOpen: l.Open, Combined: l.Pooled}
	v.Runs, v.Pool, v.Barred, v.Windows = []RunView{}, []TakenView{}, []BarView{}, []WindowView{}
	v.Key = named(key, func(i int) string {
		if c.table != nil {
			return "key"
		}
		return c.rule.Keys[i].Name
	})
	for i := range l.Runs {
		v.Runs = append(v.Runs, runView(c.rule, &l.Runs[i]))
	}
	for i := range l.Pool {
		v.Pool = append(v.Pool, takenView(c.rule, &l.Pool[i]))
	}
	for _, b := range l.Leads {
		v.Barred = append(v.Barred, BarView{strings.Join(stepNames(c.rule, b.Steps), " or "), when(b.Until)})
	}
	for i := range l.Windows {
		v.Windows = append(v.Windows, windowView(c.rule, &l.Windows[i]))
	}
	if !l.Row.IsNil() {
		v.Row, v.Expires = event.AppendJSON(nil, l.Row), whenKnown(l.Expires)
	}
	v.Known = l.Open+l.Pooled+len(l.Leads)+len(l.Windows) > 0 || !l.Row.IsNil()
	return v
}

// kind says what a rule is.
func (c *compiled) kind() string {
	switch {
	case c.table != nil:
		return "table"
	case c.rule.Pattern != nil:
		return "pattern"
	case len(c.rule.Windows) > 0:
		return "window"
	}
	return "filter"
}

// silence adds what suppress remembers of the key, where that is by key.
func (v *KeyView) silence(s *silences, key []byte, c *compiled, now int64) {
	if s == nil || suppressesBy(c.rule) {
		return
	}
	if q := s.by[string(appendStored(nil, key))]; q != nil && q.until > now {
		v.Silence, v.Known = &SilenceView{when(q.until), q.counted}, true
	}
}

// suppressesBy reports whether a rule's suppress tells alerts apart by something else than
// the key.
func suppressesBy(rule *plan.Rule) bool {
	n := len(rule.SuppressBy)
	for i := range rule.Inputs {
		n += len(rule.Inputs[i].SuppressBy)
	}
	return n > 0
}

func runView(rule *plan.Rule, r *machine.RunLook) RunView {
	v := RunView{
		Start: when(r.Start), Last: when(r.Last), Taken: []TakenView{}, WaitsFor: stepNames(rule, r.Next), Lacks: r.Lacks,
		Matches: whenKnown(r.Matches), Until: whenKnown(r.Until), Places: r.Places,
	}
	for i := range r.Taken {
		v.Taken = append(v.Taken, takenView(rule, &r.Taken[i]))
	}
	return v
}

func takenView(rule *plan.Rule, t *machine.TakenLook) TakenView {
	v := TakenView{Step: strings.Join(stepNames(rule, t.Steps), " or "), N: t.N, First: eventView(t.First)}
	if t.N > 1 {
		last := eventView(t.Final)
		v.Last = &last
	}
	return v
}

func eventView(e machine.EventLook) EventView { return EventView{when(e.Time), e.Record} }

func windowView(rule *plan.Rule, w *machine.WindowLook) WindowView {
	v := WindowView{Name: rule.Windows[w.Window].Name, Start: whenKnown(w.Start), End: whenKnown(w.End), Events: w.Events, Held: w.Held, Newest: []EventView{}}
	var names []string
	var values []event.Value
	for i := range rule.Aggs {
		if rule.Aggs[i].Window == w.Window {
			names, values = append(names, rule.Aggregate(i)), append(values, w.Aggs[i])
		}
	}
	v.Values = named(values, func(i int) string { return names[i] })
	for _, e := range w.Newest {
		v.Newest = append(v.Newest, eventView(e))
	}
	return v
}

// stepNames are the names of steps, as they are written.
func stepNames(rule *plan.Rule, set uint64) []string {
	names := []string{}
	for ; set != 0; set &= set - 1 {
		names = append(names, rule.Pattern.Steps[bits.TrailingZeros64(set)].Name)
	}
	return names
}

// named writes values as the members of an object, in their order.
func named(values []event.Value, name func(i int) string) json.RawMessage {
	b := []byte{'{'}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = event.AppendJSON(b, event.OfString(name(i)))
		b = event.AppendJSON(append(b, ':'), v)
	}
	return append(b, '}')
}

func when(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// whenKnown is nil for what has no time.
func whenKnown(ns int64) *time.Time {
	if ns == math.MinInt64 || ns >= endOfTime {
		return nil
	}
	t := when(ns)
	return &t
}
