package route

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Route says where alerts that match go.
type Route struct {
	Name     string // for messages
	Match    Match
	Sinks    []string // names; none: all sinks
	Continue bool     // the routes below are asked too

	// GroupBy has alerts told together that are equal in these parts: rule, severity, key,
	// key.NAME, label.NAME. All alerts of a route are one group where it has "*" alone; none
	// are told together where it is empty.
	GroupBy []string

	// Wait is how long the first alert of a group waits for others, and Interval how long
	// those wait that come after a group was told. Defaults 30 s and 5 min.
	Wait, Interval time.Duration
}

// Inhibition keeps alerts back for a while after others.
type Inhibition struct {
	Source Match         // of the alerts that keep others back
	Target Match         // of those that are kept back
	Equal  []string      // parts in which the two are equal, as those of GroupBy
	For    time.Duration // from the time of the one, less than which the other is after it; default 1 h
}

// Options of a table. The zero value sends every alert to every sink at once.
type Options struct {
	Sinks []string // all there are, by name

	// To returns the sinks that a rule names with to, which is not routed then; nil: none
	// does. It is called by several goroutines.
	To func(rule string) []string

	Routes  []Route
	Inhibit []Inhibition

	// Silences that hold; nil: none.
	Silences *Silences

	// Now is the wall clock, for silences. Default time.Now.
	Now func() time.Time
}

const (
	defaultWait     = 30 * time.Second
	defaultInterval = 5 * time.Minute
	defaultInhibit  = time.Hour
)

// Table is what has been decided about alerts in general. It is not changed any more, and
// safe for several goroutines.
type Table struct {
	o       Options
	routes  []route
	inhibit []inhibition
}

type route struct {
	Route
	by []dimension
}

type inhibition struct {
	Inhibition
	by []dimension
}

// New checks routes and inhibitions. An error names the one it is about.
func New(o Options) (*Table, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.To == nil {
		o.To = func(string) []string { return nil }
	}
	t := &Table{o: o}
	for i, r := range o.Routes {
		if r.Name == "" {
			r.Name = fmt.Sprint("#", i+1)
		}
		if err := t.addRoute(r); err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Name, err)
		}
	}
	for i, in := range o.Inhibit {
		if err := t.addInhibition(in); err != nil {
			return nil, fmt.Errorf("inhibition #%d: %w", i+1, err)
		}
	}
	return t, nil
}

func (t *Table) addRoute(r Route) (err error) {
	for _, sink := range r.Sinks {
		if !slices.Contains(t.o.Sinks, sink) {
			return fmt.Errorf("there is no sink %q; there are %s", sink, strings.Join(t.o.Sinks, ", "))
		}
	}
	if r.Wait < 0 || r.Interval < 0 {
		return fmt.Errorf("a time is negative: wait %s, interval %s", r.Wait, r.Interval)
	}
	if r.Wait == 0 {
		r.Wait = defaultWait
	}
	if r.Interval == 0 {
		r.Interval = defaultInterval
	}
	added := route{Route: r}
	if !slices.Equal(r.GroupBy, []string{"*"}) {
		if added.by, err = parseDimensions(r.GroupBy); err != nil {
			return err
		}
	}
	t.routes = append(t.routes, added)
	return r.Match.Validate()
}

func (t *Table) addInhibition(in Inhibition) (err error) {
	if in.For < 0 {
		return fmt.Errorf("for is negative: %s", in.For)
	}
	if in.For == 0 {
		in.For = defaultInhibit
	}
	added := inhibition{Inhibition: in}
	if added.by, err = parseDimensions(in.Equal); err != nil {
		return err
	}
	t.inhibit = append(t.inhibit, added)
	if err := in.Source.Validate(); err != nil {
		return err
	}
	return in.Target.Validate()
}

// Why an alert is not told: sinks.Decision.Skip.
const (
	SkipRoute      = "route"      // it is for other sinks
	SkipSilence    = "silence"    // a silence matches it
	SkipInhibition = "inhibition" // another alert came shortly before
)

// Silences are those of the options.
func (t *Table) Silences() *Silences { return t.o.Silences }

// For returns the router of one sink.
func (t *Table) For(sink string) sinks.Router { return newSinkRouter(t, sink) }

func newSinkRouter(t *Table, sink string) *sinkRouter {
	r := &sinkRouter{table: t, sink: sink}
	for range t.inhibit {
		r.since = append(r.since, map[string]time.Time{})
	}
	return r
}

// sinkRouter routes the alerts of one sink, in order. One goroutine owns it.
var _ sinks.Router = (*sinkRouter)(nil)

type sinkRouter struct {
	table *Table
	sink  string
	since []map[string]time.Time // by inhibition and what must be equal: the last source
}

// reason is why something was decided, in parts that cost nothing.
type reason struct {
	what string // a format for name
	name string
}

func (r reason) String() string {
	if r.name == "" {
		return r.what
	}
	return fmt.Sprintf(r.what, r.name)
}

// Route says what becomes of a row. What cannot be read is delivered: the sink says what is
// wrong with it.
func (r *sinkRouter) Route(row sinks.Row) sinks.Decision {
	h, err := readHead(row.Alert)
	if err != nil {
		return sinks.Decision{}
	}
	d, _ := r.decide(h)
	return d
}

func (r *sinkRouter) decide(h *head) (sinks.Decision, reason) {
	inhibited := r.inhibits(h) // in any case: it may keep others back
	d, why := r.table.route(h, r.sink)
	if d.Skip != "" {
		return d, why
	}
	if s := r.table.o.Silences.matching(h, r.table.o.Now()); s != nil {
		return sinks.Decision{Skip: SkipSilence}, reason{"silence %s", s.ID + " until " + s.Until.UTC().Format(time.RFC3339)}
	}
	if inhibited.name != "" {
		return sinks.Decision{Skip: SkipInhibition}, inhibited
	}
	return d, why
}

// route finds what the rule and the routes say.
func (t *Table) route(h *head, sink string) (sinks.Decision, reason) {
	to := t.o.To(h.Rule)
	why := reason{what: "no route matches: it goes to every sink"}
	goes := len(to) == 0
	if !goes {
		why = reason{"its rule says to %s", strings.Join(to, ", ")}
		if goes = slices.Contains(to, sink); !goes {
			return sinks.Decision{Skip: SkipRoute}, why
		}
	}
	for i := range t.routes {
		r := &t.routes[i]
		if !r.Match.matches(h) {
			continue
		}
		here := len(r.Sinks) == 0 || slices.Contains(r.Sinks, sink)
		switch {
		case here && len(to) > 0:
			return r.grouped(h), why
		case here:
			return r.grouped(h), reason{"route %s", r.Name}
		case len(to) == 0:
			goes, why = false, reason{"route %s sends it elsewhere", r.Name}
		}
		if !r.Continue {
			break
		}
	}
	if !goes {
		return sinks.Decision{Skip: SkipRoute}, why
	}
	return sinks.Decision{}, why
}

func (r *route) grouped(h *head) sinks.Decision {
	if len(r.GroupBy) == 0 {
		return sinks.Decision{}
	}
	name := r.Name
	if len(r.by) > 0 {
		name += ": " + h.values(r.by)
	}
	return sinks.Decision{Group: name, Wait: r.Wait, Interval: r.Interval}
}

// maxSources bounds what an inhibition remembers. One that is forgotten keeps nothing back.
const maxSources = 10_000

// inhibits finds what keeps an alert back, and then has it keep others back.
func (r *sinkRouter) inhibits(h *head) (by reason) {
	for i := range r.table.inhibit {
		in := &r.table.inhibit[i]
		source, target := in.Source.matches(h), in.Target.matches(h)
		if !source && !target {
			continue
		}
		equal := h.values(in.by)
		at, ok := r.since[i][equal]
		if target && ok && !h.Time.Before(at) && h.Time.Sub(at) < in.For {
			by = reason{"inhibition %s", fmt.Sprintf("#%d: another alert came at %s", i+1, at.Format(time.RFC3339))}
		}
		if source && !h.Time.Before(at) && (!target || by.name == "") {
			r.remember(i, equal, h.Time)
		}
	}
	return by
}

func (r *sinkRouter) remember(i int, equal string, at time.Time) {
	if len(r.since[i]) >= maxSources {
		for old, since := range r.since[i] {
			if at.Sub(since) >= r.table.inhibit[i].For {
				delete(r.since[i], old)
			}
		}
		for old := range r.since[i] {
			if len(r.since[i]) < maxSources {
				break
			}
			delete(r.since[i], old)
		}
	}
	r.since[i][equal] = at
}

// Verdict is what would become of an alert at one sink, and why.
type Verdict struct {
	Sink     string
	Decision sinks.Decision
	Why      string
}

// Explainer tells of alerts, one after the other, what would become of them.
type Explainer struct{ routers []*sinkRouter }

// Explain returns an explainer, which begins as a run does.
func (t *Table) Explain() *Explainer {
	e := &Explainer{}
	for _, sink := range t.o.Sinks {
		e.routers = append(e.routers, newSinkRouter(t, sink))
	}
	return e
}

// Alert tells of the next alert, sink by sink.
func (e *Explainer) Alert(alert []byte) (all []Verdict, err error) {
	h, err := readHead(alert)
	if err != nil {
		return nil, err
	}
	for _, r := range e.routers {
		d, why := r.decide(h)
		all = append(all, Verdict{r.sink, d, why.String()})
	}
	return all, nil
}
