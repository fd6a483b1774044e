package story

import (
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Cover is what events have shown of a rule.
type Cover struct {
	Rule       string
	Alerted    bool
	Steps      []CoveredStep // positive and negated ones, in order of writing
	Conditions []CoveredCondition
}

// CoveredStep says whether a step has taken an event, or, negated, has forbidden one.
type CoveredStep struct {
	Name  string
	Taken bool
}

// CoveredCondition says how often a part of a condition held, and did not.
type CoveredCondition struct {
	Place   string // a step's name, where, having, until
	Text    string
	Yes, No uint64
}

// Add adds what another teller of the same rule has seen.
func (c *Cover) Add(o *Cover) {
	c.Alerted = c.Alerted || o.Alerted
	for i := range c.Steps {
		c.Steps[i].Taken = c.Steps[i].Taken || o.Steps[i].Taken
	}
	for i := range c.Conditions {
		c.Conditions[i].Yes += o.Conditions[i].Yes
		c.Conditions[i].No += o.Conditions[i].No
	}
}

// Cover tells what the events have shown of the rule.
func (t *Teller) Cover() *Cover {
	c := &Cover{Rule: t.rule.Name, Alerted: len(t.Matches) > 0}
	for i := range t.rule.Inputs {
		in := &t.rule.Inputs[i]
		t.coverOf(c, machine.AtWhere, in.Where)
		t.coverOf(c, machine.AtHaving, in.Having)
	}
	t.coverOf(c, machine.AtHaving, t.rule.Having)
	if p := t.rule.Pattern; p != nil {
		t.coverSteps(c, p)
	}
	return c
}

func (t *Teller) coverSteps(c *Cover, p *plan.Pattern) {
	negated := negations(p.Root, 0)
	for i := range p.Steps {
		if p.Select != plan.SelectAll && negated&(1<<i) == 0 {
			c.Steps = append(c.Steps, CoveredStep{p.Steps[i].Name, t.taken&(1<<i) != 0})
		}
		t.coverOf(c, i, p.Steps[i].Cond)
	}
	if p.Until != nil {
		t.coverOf(c, machine.AtUntil, p.Until.Cond)
	}
}

func (t *Teller) coverOf(c *Cover, at int, e *plan.Expr) {
	for _, part := range machine.Parts(e) {
		n := t.cover[part]
		if n == nil {
			n = &tally{}
		}
		t.addCondition(c, CoveredCondition{t.place(at), t.rule.Readable(part), n.yes, n.no})
	}
}

// addCondition adds a condition to the one of its text: a rule over several event types has
// each of its conditions once a type.
func (t *Teller) addCondition(c *Cover, x CoveredCondition) {
	for i := range c.Conditions {
		if have := &c.Conditions[i]; have.Place == x.Place && have.Text == x.Text {
			have.Yes, have.No = have.Yes+x.Yes, have.No+x.No
			return
		}
	}
	c.Conditions = append(c.Conditions, x)
}

// negations is the set of negated steps below a node.
func negations(n *plan.Node, set uint64) uint64 {
	if n.Neg {
		return set | leaves(n)
	}
	for _, kid := range n.Kids {
		set = negations(kid, set)
	}
	return set
}

func leaves(n *plan.Node) uint64 {
	if n.Kind == plan.NodeStep {
		return 1 << n.Step
	}
	set := uint64(0)
	for _, kid := range n.Kids {
		set |= leaves(kid)
	}
	return set
}

// firstStep is the number of the first step that is not negated.
func firstStep(n *plan.Node) int {
	switch {
	case n.Neg:
		return -1
	case n.Kind == plan.NodeStep:
		return n.Step
	}
	for _, kid := range n.Kids {
		if step := firstStep(kid); step >= 0 {
			return step
		}
	}
	return -1
}
