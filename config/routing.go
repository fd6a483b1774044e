package config

import (
	"maps"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/sinks/route"
)

// Routing says which alerts go to which sink, together, or not at all.
type Routing struct {
	Routes   []Route      `yaml:"routes" help:"Where alerts go of rules that say no sink: the first that matches decides. Where none does, to all sinks."`
	Inhibit  []Inhibition `yaml:"inhibit" help:"Alerts that are kept back for a while after others."`
	Silences Path         `yaml:"silences" help:"The file in which silences are kept."`
}

// Route is one route.
type Route struct {
	Name     string   `yaml:"name" help:"What messages call it."`
	Match    Match    `yaml:"match" help:"Which alerts; without it, all."`
	Sinks    []string `yaml:"sinks" help:"Where they go, by the names of sinks; without it, to all."`
	Continue bool     `yaml:"continue" default:"false" help:"The routes below are asked too."`
	GroupBy  []string `yaml:"group_by" help:"Alerts that are equal in these parts are told together: rule, severity, key, key.NAME, label.NAME; or * alone: all of the route."`
	Wait     Duration `yaml:"wait" default:"30s" min:"1ms" max:"24h" help:"How long the first of a group waits for others."`
	Interval Duration `yaml:"interval" default:"5m" min:"1ms" max:"7d" help:"How long those wait that come after a group was told."`
}

// Match says what of an alert must hold: all that is given.
type Match struct {
	Rules       []string `yaml:"rules" help:"Names of rules, * for any text; one of them."`
	Severities  []string `yaml:"severities" help:"One of them."`
	MinSeverity string   `yaml:"min_severity" help:"The least severity."`
	Tags        []string `yaml:"tags" help:"Tags, * for any text; one of them is one of its tags."`
	Labels      []Pair   `yaml:"labels" help:"Labels; all of them."`
	Key         []Pair   `yaml:"key" help:"Parts of its key; all of them."`
}

// Pair is a name and what its value must be.
type Pair struct {
	Name string `yaml:"name" required:"true" help:"The name."`
	Is   string `yaml:"is" required:"true" help:"The value, * for any text."`
}

// Inhibition keeps alerts back after others.
type Inhibition struct {
	Source Match    `yaml:"source" help:"The alerts that keep others back."`
	Target Match    `yaml:"target" help:"Those that are kept back."`
	Equal  []string `yaml:"equal" help:"The parts in which they are equal, as of group_by."`
	For    Duration `yaml:"for" default:"1h" min:"1s" max:"30d" help:"For how long, by the times of the alerts."`
}

func (m *Match) match() route.Match {
	return route.Match{Rules: m.Rules, Severities: m.Severities, MinSeverity: m.MinSeverity, Tags: m.Tags, Labels: mapOf(m.Labels), Key: mapOf(m.Key)}
}

func mapOf(pairs []Pair) map[string]string {
	all := map[string]string{}
	for _, p := range pairs {
		all[p.Name] = p.Is
	}
	return all
}

func (m *Match) check(at section) {
	made := m.match()
	if err := made.Validate(); err != nil {
		at.fault("", "%v", err)
	}
}

// Table is what the configuration says of routes, for sinks of these names; to as of
// route.Options.
func (c *Config) Table(names []string, to func(rule string) []string, now func() time.Time) (*route.Table, error) {
	r := c.Routing
	if r == nil {
		r = &Routing{} // silences that the API makes are in memory
	}
	o := route.Options{Sinks: names, To: to, Now: now}
	silences, err := route.OpenSilences(r.Silences.Name)
	if err != nil {
		return nil, err
	}
	o.Silences = silences
	for _, t := range r.Routes {
		o.Routes = append(o.Routes, route.Route{
			Name: t.Name, Match: t.Match.match(), Sinks: t.Sinks, Continue: t.Continue,
			GroupBy: t.GroupBy, Wait: time.Duration(t.Wait), Interval: time.Duration(t.Interval),
		})
	}
	for _, in := range r.Inhibit {
		o.Inhibit = append(o.Inhibit, route.Inhibition{Source: in.Source.match(), Target: in.Target.match(), Equal: in.Equal, For: time.Duration(in.For)})
	}
	return route.New(o)
}

// checkRouting holds routes against the sinks that are there.
func (c *Config) checkRouting(at section) {
	if c.Routing == nil {
		return
	}
	names := slices.Sorted(maps.Keys(c.Sinks))
	if len(names) == 0 {
		at.fault("routing", "there are no sinks to route to")
		return
	}
	plain := *c
	routing := *c.Routing
	routing.Silences = Path{}
	plain.Routing = &routing
	if _, err := plain.Table(names, nil, nil); err != nil {
		at.fault("routing", "%v", err)
	}
}
