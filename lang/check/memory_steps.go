package check

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// sequence is the parts of a pattern one after the other, with the link before each.
type sequence struct {
	parts []*plan.Node
	links []plan.Link
}

// add adds a part; a sequence that is not repeated is its parts.
func (s *sequence) add(n *plan.Node, link plan.Link) {
	if n.Kind != plan.NodeSeq || n.Neg || n.Min != 1 || n.Max != 1 {
		s.parts, s.links = append(s.parts, n), append(s.links, link)
		return
	}
	for i, kid := range n.Kids {
		if i > 0 {
			link = n.Links[i]
		}
		s.add(kid, link)
	}
}

// ruleSteps names, for each part of a pattern's sequence that takes events, what a run there
// remembers: see [plan.KeptSteps]. A pattern of which all combinations count has none.
func ruleSteps(s *plan.Set, r *plan.Rule) string {
	m := &memory{set: s}
	if r.Pattern != nil && r.Pattern.Select != plan.SelectAll {
		m.steps(r)
	}
	return m.text
}

func (m *memory) steps(r *plan.Rule) {
	m.part(plan.PolicyPart, func(f *fingerprint) { f.policy(r) })
	var s sequence
	s.add(r.Pattern.Root, plan.Link{})
	n, from := 0, 0
	for i, part := range s.parts {
		if part.Neg {
			continue
		}
		n++
		m.part(fmt.Sprintf("%s%d", plan.StepPart, n), func(f *fingerprint) { f.taken(r, &s, from, i) })
		m.text += "." + waitOf(m.set, r, &s, i)
		from = i + 1
	}
}

// policy writes what holds for all runs.
func (f *fingerprint) policy(r *plan.Rule) {
	f.add("%d %d %t", r.Pattern.Select, r.Pattern.Within, r.Mode == plan.Off)
	for _, k := range r.Keys {
		f.add("key %s", k.Type)
	}
	if r.Pattern.Until != nil {
		f.step("until", r.Pattern.Until)
		f.inputOf(r, r.Pattern.Until.Type)
	}
}

// inputOf writes how a rule reads a type.
func (f *fingerprint) inputOf(r *plan.Rule, typ int) {
	for _, in := range r.Inputs {
		if in.Type == typ {
			f.event(&f.types[typ].Schema)
			f.expr("where", in.Where)
			f.fields(append([]*plan.Expr{in.Where}, in.Key...))
			for _, k := range in.Key {
				f.expr("key", k)
			}
		}
	}
}

// taken writes a part of the sequence, and the negations before it.
func (f *fingerprint) taken(r *plan.Rule, s *sequence, from, to int) {
	for i := from; i <= to; i++ {
		f.add("%+v", s.links[i])
		f.wholeNode(r, s.parts[i])
	}
	if strings.Contains(string(f.text), "Next:true") || isStrict(s.parts[to]) {
		f.sights(r)
	}
}

// sights writes which events are seen where it matters that none comes between.
func (f *fingerprint) sights(r *plan.Rule) {
	for _, t := range r.Pattern.Types {
		f.add("type %q", f.types[t].Schema.Name)
		f.inputOf(r, t)
	}
	for i := range r.Pattern.Steps {
		for _, k := range r.Pattern.Steps[i].Key {
			f.expr("key", k)
		}
	}
}

func isStrict(n *plan.Node) bool {
	for _, kid := range n.Kids {
		if isStrict(kid) {
			return true
		}
	}
	return n.Strict
}

// wholeNode writes a part of a pattern with its steps, and what is remembered of them.
func (f *fingerprint) wholeNode(r *plan.Rule, n *plan.Node) {
	f.node(n)
	eachStep(n, func(step int) {
		s := &r.Pattern.Steps[step]
		f.step("step", s)
		f.add("%t %t", s.Repeats, s.KeepAll)
		f.inputOf(r, s.Type)
		for _, a := range r.Aggs {
			if a.Step == step {
				f.add("agg %s %s %s %v", a.Func, a.Type, a.ArgT, a.Param)
				f.arg(a.Arg)
			}
		}
		for _, line := range metaOfSteps(r) {
			if strings.HasPrefix(line, fmt.Sprint(step, " ")) {
				f.add("%s", line)
			}
		}
	})
}

func eachStep(n *plan.Node, do func(step int)) {
	if n.Kind == plan.NodeStep {
		do(n.Step)
	}
	for _, kid := range n.Kids {
		eachStep(kid, do)
	}
}

// waitOf names what a run that waits at a part has to note of the events that it does not
// take: negations behind it, and links that want the key's next event, up to the next part
// that may not be left out.
func waitOf(set *plan.Set, r *plan.Rule, s *sequence, at int) string {
	f := newFingerprint(set)
	notes := false
	i := at + 1
	for ; i < len(s.parts); i++ {
		n := s.parts[i]
		f.add("%+v", s.links[i])
		notes = notes || n.Neg || s.links[i].Next
		if n.Neg {
			f.wholeNode(r, n)
		} else if f.add("%d %d", n.Kind, n.Min); n.Kind == plan.NodeStep && n.Min > 0 {
			break
		}
	}
	if !notes {
		return plan.NoWait
	}
	f.add("end %t", i == len(s.parts))
	f.sights(r)
	return f.sum()[:8]
}
