package machine

import (
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Pattern is the compiled form of a pattern rule: its steps as a sequence of stages
// and the ways between them.
type Pattern struct {
	rule    *plan.Rule
	mode    plan.Select
	within  int64 // 0: none
	stages  []stage
	leaves  []leaf       // the positive steps, in order of writing
	leafAt  []int        // by step number: its leaf, -1 for a negated step
	grouped bool         // some stage is more than one step: a run may have several places
	pool    *pool        // match all without places; nil: with
	line    *line        // runs that wait together; nil: each looks at each event
	first   uint64       // steps that matter to a key which remembers nothing
	start   []transition // ways into the pattern, furthest first
	leads   []lead
	fits    []cond // by step number: what its condition asks of the run
	until   cond
	where   map[int32]func(*eval.Frame) bool // by type: what of `where` the index could not test

	having     cond
	emit       []func(*eval.Frame) event.Value
	suppressBy []func(*eval.Frame) event.Value
	derived    [][]func(*eval.Frame) event.Value
	reads      uint64 // steps that having, emit and suppress read
	readsKey   bool
	accs       []acc
	accAt      []place   // by aggregate of the rule: index into accs, and there
	seesAll    bool      // some => or strict: events that fit no step matter too
	gaps       bool      // some link has an upper bound
	watch      *watching // nil: the pattern is not watched
}

// stage is one positive part of the sequence: a step, or a group.
type stage struct {
	index    int
	leaf     int // of a stage that is one step
	min, max int // its turns; max -1: no bound
	strict   bool
	root     *part        // of a group, which has turns of its own; else nil
	cells    int          // of the group's configs
	steps    uint64       // that can take an event here
	next     []transition // ways on from here, furthest first
	forbids  []forbidden  // negations in force while a run waits here, its turns being enough
	past     passage      // when the run has gone on and can take no more here
	final    final
}

// leaf is one positive step: what takes events.
type leaf struct {
	index   int
	step    int
	repeats bool // it may take several
	keepAll bool
	acc     int // index into Pattern.accs; -1: none
}

// transition is a way to a later stage past stages that may be left out. The span it
// allows is [minGap, maxGap) after the last event taken.
type transition struct {
	to     int
	now    bool    // =>: only the key's next event
	minGap int64   // spans of `for` on the way included
	maxGap int64   // math.MaxInt64: none
	negs   uint64  // negations on the way, as a set
	past   passage // when the run has gone on, leaving the stage out
}

// passage is the end of a negation with `for`: once its span, counted from the last
// event taken, has passed without what it forbids, the run has gone on behind it, and
// what stands before it is left out or done. A zero after: there is none.
type passage struct {
	after int64
	bit   uint64
}

// forbidden is a negation while a run waits at a stage: none of steps may occur from
// from until before to after the last event taken.
type forbidden struct {
	bit      uint64
	steps    uint64
	from, to int64
}

// final says how a run that waits at a stage can be complete.
type final struct {
	ok     bool // what follows may be left out
	waits  bool // at a deadline: the last event plus after, or the end of within
	within bool
	after  int64
	negs   uint64
}

// lead is a negation at the start: none of steps in the span before the first event.
type lead struct {
	steps uint64
	span  int64
}

// cond is the part of a condition that looks at the run; nil hold: always true.
type cond struct {
	holds func(*eval.Frame) bool
	steps uint64 // steps it reads
	key   bool   // it reads the key
}

// acc is the aggregates over the events that one step takes.
type acc struct {
	program *windows.Program
	aggs    []int // their numbers in the rule
	args    []argument
}

// gap holds the negations between two stages, in order.
type gap []negation

type negation struct {
	bit   uint64
	steps uint64
	span  int64 // for; 0: until the next event is taken
}

// CompilePattern compiles the pattern of a rule that checks. Patterns whose tree is
// not a sequence of steps are not for this machine.
func CompilePattern(rule *plan.Rule, c eval.Compiler) (*Pattern, error) {
	p, err := compilePattern(rule, c)
	if err == nil {
		c.Steps = rule.Pattern.Steps
		p.line = p.newLine(c)
	}
	return p, err
}

// compilePattern compiles a pattern for the general machine, in which each run looks at
// each event.
func compilePattern(rule *plan.Rule, c eval.Compiler) (*Pattern, error) {
	c.Steps = rule.Pattern.Steps
	p := &Pattern{rule: rule, mode: rule.Pattern.Select, within: rule.Pattern.Within}
	for range rule.Pattern.Steps {
		p.leafAt = append(p.leafAt, -1)
	}
	links, gaps := p.sequence(rule.Pattern.Root)
	p.connect(links, gaps)
	for i := range rule.Pattern.Steps {
		c.Event = rule.Pattern.Steps[i].Type
		p.fits = append(p.fits, p.cond(c, rule.Pattern.Steps[i].Cond))
	}
	if rule.Pattern.Until != nil {
		c.Event = rule.Pattern.Until.Type
		p.until = p.cond(c, rule.Pattern.Until.Cond)
	}
	p.whereOf(c)
	c.Event = -1
	p.outcome(c)
	p.outcomeDerived(c)
	if p.mode == plan.SelectAll {
		p.pool = p.newPool()
	}
	p.first = p.firstSteps()
	return p, p.aggregates(c)
}

// firstSteps are the steps that can begin a run, and those that forbid one to begin.
func (p *Pattern) firstSteps() uint64 {
	var set uint64
	for i := range p.start {
		set |= p.stages[p.start[i].to].steps
	}
	for i := range p.leads {
		set |= p.leads[i].steps
	}
	return set
}

// Ignores reports whether an event with that mask changes nothing for a key that
// remembers nothing: then the machine need not see it.
func (p *Pattern) Ignores(mask uint64, until bool) bool {
	return mask&p.first == 0 && len(p.where) == 0 && !(until && p.until.holds != nil)
}

// cond compiles the part of a condition that looks at the run.
func (p *Pattern) cond(c eval.Compiler, e *plan.Expr) cond {
	_, rest := split(e)
	return newCond(c, Conjunction(rest))
}

// newCond compiles a condition; nil: always true.
func newCond(c eval.Compiler, e *plan.Expr) cond {
	if e == nil {
		return cond{}
	}
	return cond{holds: c.Bool(e), steps: stepsRead(e), key: reads(e, plan.OpKey)}
}

// whereOf compiles the parts of `where` that the index cannot test.
func (p *Pattern) whereOf(c eval.Compiler) {
	for _, in := range p.rule.Inputs {
		if _, rest := split(in.Where); len(rest) > 0 {
			if p.where == nil {
				p.where = map[int32]func(*eval.Frame) bool{}
			}
			c.Event = in.Type
			p.where[int32(in.Type)] = c.Bool(Conjunction(rest))
		}
	}
}

// outcome compiles what is evaluated when a run is complete.
func (p *Pattern) outcome(c eval.Compiler) {
	r := p.rule
	if r.Having != nil {
		p.having = newCond(c, r.Having)
	}
	for _, f := range r.Emit {
		p.emit = append(p.emit, c.Value(f.Expr))
		p.reads |= stepsRead(f.Expr)
		p.readsKey = p.readsKey || reads(f.Expr, plan.OpKey)
	}
	for _, e := range r.SuppressBy {
		p.suppressBy = append(p.suppressBy, c.Value(e))
		p.reads |= stepsRead(e)
		p.readsKey = p.readsKey || reads(e, plan.OpKey)
	}
}

// outcomeDerived compiles the events that the rule makes.
func (p *Pattern) outcomeDerived(c eval.Compiler) {
	p.derived = compileDerived(p.rule.Derived, c)
	for _, d := range p.rule.Derived {
		for _, f := range d.Fields {
			p.reads |= stepsRead(f.Expr)
			p.readsKey = p.readsKey || reads(f.Expr, plan.OpKey)
		}
	}
}

// aggregates compiles the rule's aggregates, step by step.
func (p *Pattern) aggregates(c eval.Compiler) error {
	p.accAt = make([]place, len(p.rule.Aggs))
	for i := range p.leaves {
		if err := p.aggregatesOf(&p.leaves[i], c); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pattern) aggregatesOf(s *leaf, c eval.Compiler) error {
	s.acc = -1
	c.Event = p.rule.Pattern.Steps[s.step].Type
	var a acc
	var aggs []plan.Agg
	var args []plan.AggArg
	for i, agg := range p.rule.Aggs {
		if agg.Step == s.step {
			p.accAt[i] = place{part: len(p.accs), agg: len(a.aggs)}
			a.aggs, aggs = append(a.aggs, i), append(aggs, agg)
			a.args, args = append(a.args, compileArgument(c, agg.Arg)), append(args, agg.Arg)
		}
	}
	if len(aggs) == 0 {
		return nil
	}
	program, err := windows.NewAcc(aggregatesOf(aggs, args, func(i, j int) bool {
		return sameExpr(aggs[i].Arg.Value, aggs[j].Arg.Value) && aggs[i].Arg.Cond == nil && aggs[j].Arg.Cond == nil
	}))
	a.program, s.acc = program, len(p.accs)
	p.accs = append(p.accs, a)
	return err
}

// sequence reads the tree into stages, the link before each, and the gap before each
// and after the last.
func (p *Pattern) sequence(root *plan.Node) ([]plan.Link, []gap) {
	kids, between := flatten(root, plan.Link{}, nil, nil)
	var links []plan.Link
	gaps := []gap{nil}
	bit := uint64(1)
	for i, n := range kids {
		p.seesAll = p.seesAll || between[i].Next
		if n.Neg {
			gaps[len(gaps)-1] = append(gaps[len(gaps)-1], negation{bit: bit, steps: leaves(n), span: n.For})
			if len(p.stages) == 0 {
				p.leads = append(p.leads, lead{steps: leaves(n), span: between[i+1].MaxGap})
			}
			bit <<= 1
			continue
		}
		p.gaps = p.gaps || between[i].MaxGap > 0
		p.stages = append(p.stages, p.newStage(n))
		links, gaps = append(links, between[i]), append(gaps, nil)
	}
	return links, gaps
}

// flatten lists the parts of a sequence, those of sequences within it that are not
// repeated among them, with the link before each.
func flatten(n *plan.Node, link plan.Link, kids []*plan.Node, links []plan.Link) ([]*plan.Node, []plan.Link) {
	if n.Kind != plan.NodeSeq || n.Neg || n.Min != 1 || n.Max != 1 {
		return append(kids, n), append(links, link)
	}
	for i, kid := range n.Kids {
		if i > 0 {
			link = n.Links[i]
		}
		kids, links = flatten(kid, link, kids, links)
	}
	return kids, links
}

// newStage makes a stage of a part of the sequence.
func (p *Pattern) newStage(n *plan.Node) stage {
	s := stage{index: len(p.stages), min: n.Min, max: n.Max, strict: n.Strict}
	p.seesAll = p.seesAll || n.Strict
	if n.Kind == plan.NodeStep {
		s.leaf, s.steps = p.newLeaf(n.Step), 1<<n.Step
		return s
	}
	p.grouped = true
	s.root = p.newPart(n, &s.cells)
	s.steps = s.root.steps
	if s.root.optional() {
		s.min = 0
	}
	return s
}

// newLeaf makes the leaf of a step and returns its number.
func (p *Pattern) newLeaf(step int) int {
	ps := &p.rule.Pattern.Steps[step]
	p.leafAt[step] = len(p.leaves)
	p.leaves = append(p.leaves, leaf{index: len(p.leaves), step: step, repeats: ps.Repeats, keepAll: ps.KeepAll, acc: -1})
	return len(p.leaves) - 1
}

// leaves is the set of steps of a negated node.
func leaves(n *plan.Node) uint64 {
	if n.Kind == plan.NodeStep {
		return 1 << n.Step
	}
	var set uint64
	for _, kid := range n.Kids {
		set |= leaves(kid)
	}
	return set
}

// connect works out the ways from each stage, what is forbidden there and how the
// pattern can end there. links[i] and gaps[i] stand before stage i.
func (p *Pattern) connect(links []plan.Link, gaps []gap) {
	last := len(p.stages)
	for to := 0; to < last; to++ {
		p.start = append([]transition{{to: to, maxGap: math.MaxInt64}}, p.start...)
		if p.stages[to].min > 0 {
			break
		}
	}
	for i := range p.stages {
		s := &p.stages[i]
		var on way
		for to := i + 1; to <= last; to++ {
			if passed := on.pass(gaps[to]); len(passed) > 0 {
				s.forbids = append(s.forbids, passed...)
				if p.mode != plan.SelectAll { // there every combination stands for itself
					s.leaveBehind(passed)
				}
			}
			if to == last {
				s.final = p.finalAfter(on)
				break
			}
			s.next = append([]transition{on.arrive(to, links[to])}, s.next...)
			if p.stages[to].min > 0 {
				break
			}
		}
	}
}

// leaveBehind notes the first negation with `for` behind the stage, and behind the
// stages on the way to it.
func (s *stage) leaveBehind(passed []forbidden) {
	for _, f := range passed {
		if f.to == math.MaxInt64 {
			continue
		}
		p := passage{after: f.to, bit: f.bit}
		if s.past.after == 0 {
			s.past = p
		}
		for i := range s.next {
			if s.next[i].past.after == 0 {
				s.next[i].past = p
			}
		}
		return
	}
}

// way is what has been passed since the last event taken.
type way struct {
	span  int64 // of `for` so far
	negs  uint64
	any   bool
	plain bool // the last negation has no `for`
}

// pass goes through a gap and returns what it forbids.
func (w *way) pass(g gap) []forbidden {
	var out []forbidden
	for _, n := range g {
		f := forbidden{bit: n.bit, steps: n.steps, from: w.span, to: math.MaxInt64}
		if n.span > 0 {
			w.span += n.span
			f.to = w.span
		} else {
			f.from = 0
		}
		w.negs |= n.bit
		w.any, w.plain = true, n.span == 0
		out = append(out, f)
	}
	return out
}

func (w *way) arrive(to int, l plan.Link) transition {
	t := transition{to: to, now: l.Next, minGap: max(l.MinGap, w.span), maxGap: math.MaxInt64, negs: w.negs}
	if l.MaxGap > 0 {
		t.maxGap = l.MaxGap
	}
	return t
}

// finalAfter says how a run is complete when all that follows may be left out.
func (p *Pattern) finalAfter(w way) final {
	return final{ok: true, waits: w.any, within: w.plain, after: w.span, negs: w.negs}
}

// deadline is when a run that waits at a stage whose end waits is complete.
func (p *Pattern) deadline(f *final, start, last int64) int64 {
	if f.within {
		return later(start, p.within)
	}
	return later(last, f.after)
}

// later adds a span to a time; past the end of time it is the end of time.
func later(t, span int64) int64 {
	if t > math.MaxInt64-span {
		return math.MaxInt64
	}
	return t + span
}

// Tests lists what engine/index must test for the rule.
func (p *Pattern) Tests() []Test {
	var out []Test
	pat := p.rule.Pattern
	for i := range pat.Steps {
		out = p.testsOf(out, &pat.Steps[i], Test{Bit: 1 << i})
	}
	if pat.Until != nil {
		out = p.testsOf(out, pat.Until, Test{Until: true})
	}
	if p.seesAll {
		for i := range p.rule.Inputs {
			out = p.sightsOf(out, &p.rule.Inputs[i])
		}
	}
	return out
}

// sightsOf lists the tests by which the machine sees every event of a type for => and
// strict, under each key that the type has in the pattern: the rule's, and those of
// steps. Types that only until names are not seen.
func (p *Pattern) sightsOf(out []Test, in *plan.Input) []Test {
	if !slices.Contains(p.rule.Pattern.Types, in.Type) {
		return out
	}
	var keys [][]*plan.Expr
	if len(in.Key) == len(p.rule.Keys) {
		keys = append(keys, in.Key)
	}
	for i := range p.rule.Pattern.Steps {
		if s := &p.rule.Pattern.Steps[i]; s.Type == in.Type {
			keys = append(keys, s.Key)
		}
	}
	for i, key := range keys {
		if !slices.ContainsFunc(keys[:i], func(k []*plan.Expr) bool { return slices.EqualFunc(k, key, sameText) }) {
			seen, _ := split(in.Where)
			out = append(out, Test{Type: in.Type, Cond: seen, Key: key})
		}
	}
	return out
}

func sameText(a, b *plan.Expr) bool { return a.String() == b.String() }

func (p *Pattern) testsOf(out []Test, s *plan.Step, t Test) []Test {
	local, _ := split(s.Cond)
	t.Type, t.Cond, t.Key = s.Type, local, s.Key
	for _, in := range p.rule.Inputs {
		if in.Type != s.Type {
			continue
		}
		seen, _ := split(in.Where)
		t.Cond = append(seen, local...)
		if t.Key == nil {
			t.Key = in.Key
		}
	}
	return append(out, t)
}
