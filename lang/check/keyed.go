package check

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// markKeyed notes in the layouts which texts are, by themselves, the key of something that
// keeps a state by it: of those a decoder leaves the hash in each event. A filter keeps
// none, and its key is asked for by the events that pass it alone.
func (c *checker) markKeyed() {
	for _, r := range c.set.Rules {
		if r.Pattern == nil && len(r.Windows) == 0 {
			continue
		}
		for i := range r.Inputs {
			c.markKey(r.Inputs[i].Type, r.Inputs[i].Key)
		}
		if r.Pattern != nil {
			for i := range r.Pattern.Steps {
				c.markKey(r.Pattern.Steps[i].Type, r.Pattern.Steps[i].Key)
			}
			if until := r.Pattern.Until; until != nil {
				c.markKey(until.Type, until.Key)
			}
		}
	}
	for _, p := range c.set.Projections {
		c.markKey(p.Type, []*plan.Expr{p.Key})
	}
	for _, t := range c.set.Types {
		slices.Sort(t.Layout.Keyed)
	}
}

// markKey notes a key of a type, where it is one text of the event.
func (c *checker) markKey(typ int, key []*plan.Expr) {
	if len(key) != 1 || key[0] == nil || key[0].Op != plan.OpField {
		return
	}
	l := &c.set.Types[typ].Layout
	if slot := key[0].Index; l.Slots[slot].Type.Kind == event.String && !slices.Contains(l.Keyed, slot) {
		l.Keyed = append(l.Keyed, slot)
	}
}
