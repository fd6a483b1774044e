package machine

import (
	"bytes"
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// A machine can be watched: what it sees, asks and does is told to Context.Watch. A watched
// machine is the same machine (patterns are the general one, not a line), with conditions
// taken apart so that both sides of each can be told; it also sees the events that fit no
// step, which an index would keep from it. Machines that are not watched pay a look at one
// nil where a run takes an event, asks or matches.

// What says what a [Sight] is.
type What uint8

// SightSaw: an event of the rule and key has come, with what was asked of the event alone.
// SightAsked: a condition that looks at the run, or having of a pattern.
// SightTook: a run has taken the event. SightMatched: an alert. SightEnded: a run is no more.
// SightJudged: having was asked of a window, or of the event of a filter. SightKept: a
// negation at the start keeps the event from beginning a run.
const (
	SightSaw What = iota
	SightAsked
	SightTook
	SightMatched
	SightEnded
	SightJudged
	SightKept
)

// Why says why a run has ended.
type Why uint8

// The reasons: it matched; having did not hold; its time (within, or a gap) had passed; an
// event that a negation forbids came; an event came between where none may (=>, strict); an
// until event; another run's match has consumed it; the bound of runs of a key.
const (
	WhyMatched Why = iota
	WhyHaving
	WhyTime
	WhyForbidden
	WhyBetween
	WhyUntil
	WhyConsumed
	WhyLimit
)

// Places of a condition that are no step.
const (
	AtWhere  = -1
	AtHaving = -2
	AtUntil  = -3
)

// Sight is one thing that a watched machine saw, asked or did. It and all it points to are
// valid during the call only.
type Sight struct {
	What  What
	Rule  *plan.Rule
	Key   []event.Value
	At    int64        // the time that counts
	Event *event.Event // at hand; nil where time has passed

	Asked []Asked // SightSaw, SightAsked, SightJudged

	Run      uint64 // number of the run in its key: that of its first event
	Step     int    // SightTook: the step that took; SightEnded, SightKept: the one forbidden, -1: none
	Total    int64  // events that the run has taken
	Start    int64  // counting time of its first event; SightKept: of the forbidden one
	Next     uint64 // steps that can take next, as a set
	Lacks    int64  // SightTook: turns that its step still needs before the run can go on
	Until    int64  // when it ends if nothing comes, or has ended; math.MaxInt64: never
	Deadline int64  // when it matches if nothing forbidden comes; math.MaxInt64: it waits for an event
	Why      Why    // SightEnded

	Aggs                   []event.Value // SightJudged: by number in the rule
	WindowStart, WindowEnd int64         // of a window that has them
	Held                   bool          // SightJudged: having held; with `once` it makes an alert only if it had not
	Effect                 *Effect       // SightMatched
}

// Asked is a condition at one place, taken apart.
type Asked struct {
	At     int // number of the step, or AtWhere, AtHaving, AtUntil
	Holds  bool
	Checks []Check
}

// Check is one part of a condition, of those that must all hold, with what it looked at:
// of a comparison its two sides, else what is read in it.
type Check struct {
	Expr  *plan.Expr
	Holds bool
	Sides []Side
}

// Side is an expression with its value.
type Side struct {
	Expr  *plan.Expr
	Value event.Value
}

// conjunct is a part of a condition that must hold, ready to be taken apart.
type conjunct struct {
	expr  *plan.Expr
	holds func(*eval.Frame) bool
	sides []sideOf
}

type sideOf struct {
	expr  *plan.Expr
	value func(*eval.Frame) event.Value
}

// watching is what a watched machine has besides.
type watching struct {
	rule   *plan.Rule
	where  map[int32][]conjunct // by type
	local  [][]conjunct         // by step: what looks at the event alone
	rest   [][]conjunct         // by step: what looks at the run
	having [][]conjunct         // by input; of a rule evaluated without an event, one
	until  []conjunct
	before []run // before what is at hand
	asked  map[uint64]map[int]bool
	matchd []run // runs that have matched in what is at hand

	// What a sight points to is made anew for the next one, in the same memory.
	sight   Sight
	keyText []byte        // the encoded key that key was read from
	key     []event.Value // its strings point into keyText
	asks    []Asked
	checks  []Check
	sides   []Side
	aggs    []event.Value
	left    map[uint64]bool
}

// conjuncts takes a condition apart.
func conjuncts(c eval.Compiler, list []*plan.Expr) []conjunct {
	var out []conjunct
	for _, e := range list {
		part := conjunct{expr: e, holds: c.Bool(e)}
		for _, side := range sidesOf(e) {
			part.sides = append(part.sides, sideOf{side, c.Value(side)})
		}
		out = append(out, part)
	}
	return out
}

// parts lists the conjuncts of a condition.
func parts(e *plan.Expr) []*plan.Expr {
	local, rest := split(e)
	return append(local, rest...)
}

// sidesOf lists what a condition looks at: the sides of a comparison, or all that it reads.
func sidesOf(e *plan.Expr) []*plan.Expr {
	switch e.Op {
	case plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe, plan.OpIn, plan.OpContains, plan.OpStartsWith, plan.OpEndsWith, plan.OpMatch:
		return e.Args[:2]
	}
	return readsOf(e, nil)
}

// readsOf lists what an expression reads, each once; of list predicates their list.
func readsOf(e *plan.Expr, out []*plan.Expr) []*plan.Expr {
	switch e.Op {
	case plan.OpField, plan.OpMeta, plan.OpStepField, plan.OpStepMeta, plan.OpKey, plan.OpAgg, plan.OpRead, plan.OpRow, plan.OpTaken, plan.OpMatches, plan.OpWindow:
		for _, o := range out {
			if o.String() == e.String() {
				return out
			}
		}
		return append(out, e)
	case plan.OpEach:
		return readsOf(e.Args[0], out)
	}
	for _, a := range e.Args {
		out = readsOf(a, out)
	}
	return out
}

// newWatching compiles what is asked of events of a rule.
func newWatching(rule *plan.Rule, c eval.Compiler) *watching {
	w := &watching{rule: rule, where: map[int32][]conjunct{}, asked: map[uint64]map[int]bool{}, left: map[uint64]bool{}}
	for i := range rule.Inputs {
		in := &rule.Inputs[i]
		c.Event = in.Type
		w.where[int32(in.Type)] = conjuncts(c, parts(in.Where))
		w.having = append(w.having, conjuncts(c, parts(in.Having)))
	}
	if rule.Having != nil {
		c.Event = -1
		w.having = [][]conjunct{conjuncts(c, parts(rule.Having))}
	}
	return w
}

// anew lets go of what the sight before pointed to.
func (w *watching) anew() {
	w.asks, w.checks, w.sides, w.aggs = w.asks[:0], w.checks[:0], w.sides[:0], w.aggs[:0]
}

// ask evaluates the parts of a condition over the frame. What fails as it runs is counted
// where the machine asks, not here.
func (w *watching) ask(x *Context, at int, list []conjunct) Asked {
	before, first, holds := x.Frame.Fault, len(w.checks), true
	for i := range list {
		c := Check{Expr: list[i].expr, Holds: list[i].holds(&x.Frame), Sides: w.look(x, list[i].sides)}
		holds = holds && c.Holds
		w.checks = append(w.checks, c)
	}
	x.Frame.Fault = before
	return Asked{At: at, Holds: holds, Checks: w.checks[first:len(w.checks):len(w.checks)]}
}

// look evaluates what a condition looks at.
func (w *watching) look(x *Context, sides []sideOf) []Side {
	first := len(w.sides)
	for _, s := range sides {
		w.sides = append(w.sides, Side{s.expr, s.value(&x.Frame)})
	}
	return w.sides[first:len(w.sides):len(w.sides)]
}

// tell hands on a sight of the rule and key at hand.
func (w *watching) tell(x *Context, s *Sight) {
	if w.key == nil || !bytes.Equal(w.keyText, x.Key) {
		w.keyText = append(w.keyText[:0], x.Key...)
		w.key, _ = event.ParseKey(w.key[:0], w.keyText)
	}
	w.sight = *s
	w.sight.Rule, w.sight.Key = w.rule, w.key
	x.Watch(&w.sight)
}

// saw tells of an event, with what was asked of it alone. What `where` rejects is asked
// nothing else.
func (w *watching) saw(x *Context, ev *event.Event) {
	s := Sight{What: SightSaw, At: ev.At, Event: ev}
	was := x.Frame.Event
	x.Frame.Event = ev
	where := w.where[ev.Type]
	x.keys(w.rule.Keys)
	w.anew()
	first := w.ask(x, AtWhere, where)
	if len(where) > 0 {
		w.asks = append(w.asks, first)
	}
	if first.Holds && w.rule.Pattern != nil {
		w.askSteps(x, ev)
	}
	x.Frame.Event = was
	s.Asked = w.asks
	w.tell(x, &s)
}

func (w *watching) askSteps(x *Context, ev *event.Event) {
	p := w.rule.Pattern
	for i := range p.Steps {
		if p.Steps[i].Type == int(ev.Type) {
			w.asks = append(w.asks, w.ask(x, i, w.local[i]))
		}
	}
}

// WatchedPattern is a [Pattern] that is watched.
type WatchedPattern struct{ *Pattern }

// WatchPattern compiles the pattern of a rule to be watched.
func WatchPattern(rule *plan.Rule, c eval.Compiler) (WatchedPattern, error) {
	p, err := compilePattern(rule, c)
	if err != nil {
		return WatchedPattern{}, err
	}
	c.Steps = rule.Pattern.Steps
	p.watch = newWatching(rule, c)
	p.watchConditions(c)
	return WatchedPattern{p}, nil
}

// watchConditions takes the pattern's conditions apart, and lets the machine itself ask all
// of `where`: it sees events that the index would keep from it.
func (p *Pattern) watchConditions(c eval.Compiler) {
	pat := p.rule.Pattern
	for i := range pat.Steps {
		c.Event = pat.Steps[i].Type
		local, rest := split(pat.Steps[i].Cond)
		p.watch.local = append(p.watch.local, conjuncts(c, local))
		p.watch.rest = append(p.watch.rest, conjuncts(c, rest))
	}
	if pat.Until != nil {
		c.Event = pat.Until.Type
		p.watch.until = conjuncts(c, parts(pat.Until.Cond))
	}
	for _, in := range p.rule.Inputs {
		if in.Where != nil {
			if p.where == nil {
				p.where = map[int32]func(*eval.Frame) bool{}
			}
			c.Event = in.Type
			p.where[int32(in.Type)] = c.Bool(in.Where)
		}
	}
}

// Tests lets the index hand on every event of the types that the rule reads.
func (p WatchedPattern) Tests() []Test {
	out := p.Pattern.Tests()
	for i := range p.rule.Inputs {
		out = p.sightsOf(out, &p.rule.Inputs[i])
	}
	for i := range out {
		if out[i].Bit == 0 && !out[i].Until {
			out[i].Cond = nil
		}
	}
	return out
}

// Event is [Pattern.Event], watched.
func (p WatchedPattern) Event(x *Context, k *PatternKey, ev *event.Event, mask uint64, until bool) int64 {
	p.Settle(x, k, ev.At)
	p.watch.saw(x, ev)
	p.tellKept(x, k, ev, mask)
	p.watch.begin(k)
	due := p.Pattern.Event(x, k, ev, mask, until)
	p.tellEnded(x, k, ev, mask, until)
	return due
}

// tellKept tells of an event that could begin a run, were it not for a negation at the start.
func (p WatchedPattern) tellKept(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	if k.general == nil || !slices.ContainsFunc(p.start, func(s transition) bool { return mask&p.stages[s.to].steps != 0 }) {
		return
	}
	for i, at := range k.leads {
		if l := &p.leads[i]; at != math.MinInt64 && ev.At-at < l.span {
			p.watch.tell(x, &Sight{What: SightKept, At: ev.At, Event: ev, Step: bits.TrailingZeros64(l.steps), Start: at, Until: at + l.span})
			return
		}
	}
}

// Settle is [Pattern.Settle], watched.
func (p WatchedPattern) Settle(x *Context, k *PatternKey, now int64) {
	p.watch.begin(k)
	p.Pattern.Settle(x, k, now)
	p.tellEnded(x, k, &event.Event{At: now}, 0, false)
}

// begin remembers the runs there are.
func (w *watching) begin(k *PatternKey) {
	w.before, w.matchd = w.before[:0], w.matchd[:0]
	clear(w.asked)
	if k.general == nil {
		return
	}
	for i := range k.runs {
		if i == 0 || k.runs[i].began != k.runs[i-1].began {
			w.before = append(w.before, k.runs[i])
		}
	}
}

// tellEnded tells of the runs that are no more, and why.
func (p WatchedPattern) tellEnded(x *Context, k *PatternKey, ev *event.Event, mask uint64, until bool) {
	if p.mode == plan.SelectAll || len(p.watch.before) == 0 {
		return
	}
	left := p.watch.left
	clear(left)
	if k.general != nil {
		for i := range k.runs {
			left[k.runs[i].began] = true
		}
	}
	for i := range p.watch.before {
		if r := &p.watch.before[i]; !left[r.began] {
			left[r.began] = true
			p.tellEnd(x, r, ev, mask, until)
		}
	}
}

func (p WatchedPattern) tellEnd(x *Context, r *run, ev *event.Event, mask uint64, until bool) {
	s := Sight{What: SightEnded, At: ev.At, Run: r.began, Step: -1, Total: r.total, Start: r.start, Until: p.expiry(r)}
	if ev.Text != nil {
		s.Event = ev
	}
	s.Why, s.Step = p.whyEnded(r, ev.At, mask, until)
	p.watch.tell(x, &s)
}

// whyEnded finds out why a run of which nothing is left is no more.
func (p WatchedPattern) whyEnded(r *run, now int64, mask uint64, until bool) (Why, int) {
	w := p.watch
	for i := range w.matchd {
		if w.matchd[i].began == r.began {
			return WhyMatched, -1
		}
	}
	if held, asked := w.asked[0][AtUntil]; until && (held || !asked) {
		return WhyUntil, -1
	}
	if held, asked := w.asked[r.began][AtHaving]; asked && !held {
		return WhyHaving, -1
	}
	if p.expired(r, now) {
		return WhyTime, -1
	}
	if step := p.forbade(r, mask); step >= 0 {
		return WhyForbidden, step
	}
	for i := range w.matchd {
		if r.began <= w.matchd[i].took {
			return WhyConsumed, -1
		}
	}
	if p.seesAll {
		return WhyBetween, -1
	}
	return WhyLimit, -1
}

// forbade is the negated step that the event at hand was, -1: none.
func (p WatchedPattern) forbade(r *run, mask uint64) int {
	for _, f := range p.stages[r.stage].forbids {
		for steps := mask & f.steps; steps != 0; steps &= steps - 1 {
			step := bits.TrailingZeros64(steps)
			if held, asked := p.watch.asked[r.began][step]; held || !asked {
				return step
			}
		}
	}
	return -1
}

// watchAsked tells what came of a condition that looks at a run; r nil: at none.
func (p *Pattern) watchAsked(x *Context, r *run, c *cond, held bool) {
	w, at, list := p.watch, AtHaving, []conjunct(nil)
	switch {
	case c == &p.until:
		at, list = AtUntil, w.until
	case c == &p.having:
		list = w.having[0]
	default:
		for i := range p.fits {
			if c == &p.fits[i] {
				at, list = i, w.rest[i]
			}
		}
	}
	s := Sight{What: SightAsked, Event: x.Frame.Event}
	if x.Frame.Event != nil {
		s.At = x.Frame.Event.At
	}
	if r != nil {
		s.Run, s.Start, s.Total = r.began, r.start, r.total
	}
	if w.asked[s.Run] == nil {
		w.asked[s.Run] = map[int]bool{}
	}
	w.asked[s.Run][at] = held
	w.anew()
	asked := w.ask(x, at, list)
	asked.Holds = held
	w.asks = append(w.asks, asked)
	s.Asked = w.asks
	w.tell(x, &s)
}

// watchTook tells that a run has taken the event at hand.
func (p *Pattern) watchTook(x *Context, r *run, step int, ev *event.Event) {
	if p.mode == plan.SelectAll {
		return
	}
	if r.total == 1 {
		p.watch.before = append(p.watch.before, *r) // it may end at once
	}
	for i := range p.watch.before {
		if p.watch.before[i].began == r.began {
			p.watch.before[i] = *r
		}
	}
	s := Sight{What: SightTook, At: ev.At, Event: ev, Run: r.began, Step: step, Total: r.total, Start: r.start, Until: p.expiry(r), Deadline: p.runDeadline(r)}
	s.Next, s.Lacks = p.awaits(r)
	p.watch.tell(x, &s)
}

// watchMatched tells of an alert of a run.
func (p *Pattern) watchMatched(x *Context, r *run, e *Effect) {
	p.watch.matchd = append(p.watch.matchd, *r)
	p.watch.tell(x, &Sight{What: SightMatched, At: e.Time, Event: x.Frame.Event, Run: r.began, Total: r.total, Start: r.start, Effect: e})
}

// WatchedWindow is a [Window] that is watched.
type WatchedWindow struct {
	*Window
	w *watching
}

// WatchWindow compiles a window rule to be watched.
func WatchWindow(rule *plan.Rule, c eval.Compiler) (WatchedWindow, error) {
	w, err := CompileWindow(rule, c)
	return WatchedWindow{w, newWatching(rule, c)}, err
}

// Tests lets the index hand on every event of the types that the rule reads.
func (w WatchedWindow) Tests() []Test { return w.w.tests() }

func (w *watching) tests() []Test {
	out := inputTests(w.rule)
	for i := range w.rule.Inputs {
		out = append(out, Test{Type: w.rule.Inputs[i].Type, Key: w.rule.Inputs[i].Key})
	}
	return out
}

// Ignores reports that an event which the index would have kept from the machine is not for it.
func (w WatchedWindow) Ignores(uint64, bool) bool { return false }

// Event is [Window.Event], watched.
func (w WatchedWindow) Event(x *Context, k *WindowKey, ev *event.Event, mask uint64, _ bool) int64 {
	w.w.saw(x, ev)
	x.Frame.Event = ev
	if mask == 0 || !w.head(mask).passes(x) {
		if w.Empty(k) {
			return Gone
		}
		return math.MaxInt64
	}
	alerted := x.alerts(func() { w.see(x, k, ev, mask) })
	x.Frame.Event = ev
	x.keys(w.rule.Keys)
	x.window = windowAggs{w: w.Window, k: k}
	x.Frame.Aggs = &x.window
	w.w.judged(x, w.w.having[w.input(mask)], ev, alerted, Sight{})
	if w.Empty(k) {
		return Gone
	}
	return math.MaxInt64
}

func (w *Window) input(mask uint64) int {
	if len(w.heads) == 1 {
		return 0
	}
	return bits.TrailingZeros64(mask)
}

// judged tells what having said with the frame as it stands.
func (w *watching) judged(x *Context, having []conjunct, ev *event.Event, e *Effect, s Sight) {
	s.What, s.Event = SightJudged, ev
	if ev != nil {
		s.At = ev.At
	}
	w.anew()
	asked := w.ask(x, AtHaving, having)
	w.asks = append(w.asks, asked)
	if x.Frame.Aggs != nil {
		for i := range w.rule.Aggs {
			w.aggs = append(w.aggs, x.Frame.Aggs.Agg(i))
		}
	}
	s.Held, s.Asked, s.Aggs = asked.Holds, w.asks, w.aggs
	w.tell(x, &s)
	if e != nil {
		w.alerted(x, e)
	}
}

// alerted tells of an alert of a rule without runs.
func (w *watching) alerted(x *Context, e *Effect) {
	w.tell(x, &Sight{What: SightMatched, At: e.Time, Event: x.Frame.Event, WindowStart: e.WindowStart, WindowEnd: e.WindowEnd, Effect: e})
}

// alerts does something and returns the effect that came of it, nil: none did.
func (x *Context) alerts(do func()) (out *Effect) {
	to := x.Effect
	x.Effect = func(e *Effect) {
		out = e
		to(e)
	}
	do()
	x.Effect = to
	return out
}

// WatchedBucket is a [Bucket] that is watched.
type WatchedBucket struct {
	*Bucket
	w *watching
}

// WatchBucket compiles a rule over a window that is evaluated at its end to be watched.
func WatchBucket(rule *plan.Rule, c eval.Compiler) (WatchedBucket, error) {
	b, err := CompileBucket(rule, c)
	if err != nil {
		return WatchedBucket{}, err
	}
	w := newWatching(rule, c)
	if rule.Having == nil {
		w.having = [][]conjunct{nil}
	}
	b.watch = w
	return WatchedBucket{b, w}, nil
}

// Tests lets the index hand on every event of the types that the rule reads.
func (b WatchedBucket) Tests() []Test { return b.w.tests() }

// Ignores is as that of [WatchedWindow].
func (b WatchedBucket) Ignores(uint64, bool) bool { return false }

// Event is [Bucket.Event], watched.
func (b WatchedBucket) Event(x *Context, k *BucketKey, ev *event.Event, mask uint64, until bool) int64 {
	b.Settle(x, k, ev.At)
	b.w.saw(x, ev)
	if mask == 0 {
		if b.Empty(k) {
			return Gone
		}
		return b.Deadline(k)
	}
	b.Bucket.Event(x, k, ev, mask, until)
	if b.Empty(k) {
		return Gone
	}
	return b.Deadline(k)
}

// watchHeld tells what having said of a window that is shown to the rule's expressions.
func (b *Bucket) watchHeld(x *Context, start, end int64) {
	x.keys(b.rule.Keys)
	s := Sight{At: end, WindowStart: start, WindowEnd: end}
	if b.early || b.batch {
		b.watch.judged(x, b.watch.having[0], x.Frame.Event, nil, s)
		return
	}
	b.watch.judged(x, b.watch.having[0], nil, nil, s)
}

// WatchedFilter is a [Filter] that is watched.
type WatchedFilter struct {
	*Filter
	w *watching
}

// WatchFilter compiles a filter to be watched.
func WatchFilter(rule *plan.Rule, c eval.Compiler) WatchedFilter {
	return WatchedFilter{CompileFilter(rule, c), newWatching(rule, c)}
}

// Tests lets the index hand on every event of the types that the rule reads.
func (f WatchedFilter) Tests() []Test { return f.w.tests() }

// See takes an event with the mask of the inputs whose tests it passed.
func (f WatchedFilter) See(x *Context, ev *event.Event, mask uint64) {
	f.w.saw(x, ev)
	x.Frame.Aggs = nil
	for ; mask != 0; mask &= mask - 1 {
		input := bits.TrailingZeros64(mask)
		e := x.alerts(func() { f.Event(x, ev, input) })
		x.Frame.Event = ev
		if f.heads[input].passes(x) {
			f.w.judged(x, f.w.having[input], ev, e, Sight{})
		}
	}
}

// Parts lists the parts of a condition that must all hold, as Checks have them; none for nil.
func Parts(e *plan.Expr) []*plan.Expr { return parts(e) }
