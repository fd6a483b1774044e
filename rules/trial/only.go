package trial

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Feeders lists, by rule, the rules that make events which it, or a table, reads.
type Feeders map[string][]string

// FeedersOf lists the feeders of each rule of a set.
func FeedersOf(set *plan.Set) Feeders {
	makes := map[int][]string{}
	for _, r := range set.Rules {
		for i := range max(1, len(r.Inputs)) {
			for _, d := range r.DerivedAt(i) {
				if !slices.Contains(makes[d.Type], r.Name) {
					makes[d.Type] = append(makes[d.Type], r.Name)
				}
			}
		}
	}
	var tables []string
	for _, p := range set.Projections {
		tables = append(tables, makes[p.Type]...)
	}
	needs := Feeders{}
	for _, r := range set.Rules {
		needs[r.Name] = slices.Clone(tables)
		for _, in := range r.Inputs {
			needs[r.Name] = append(needs[r.Name], makes[in.Type]...)
		}
	}
	return needs
}

// Only is a set with some of its rules alone and what feeds them, directly or not: they
// give the alerts that they give in the whole set. Where live is not nil it stands in for
// those named.
func (f Feeders) Only(set *plan.Set, names []string, live func(*plan.Rule) *plan.Rule) *plan.Set {
	need := map[string]bool{}
	for todo := slices.Clone(names); len(todo) > 0; {
		name := todo[0]
		if todo = todo[1:]; !need[name] {
			need[name] = true
			todo = append(todo, f[name]...)
		}
	}
	out := *set
	out.Rules = nil
	for _, r := range set.Rules {
		switch {
		case !need[r.Name]:
		case live != nil && slices.Contains(names, r.Name):
			out.Rules = append(out.Rules, live(r))
		default:
			out.Rules = append(out.Rules, r)
		}
	}
	return &out
}
