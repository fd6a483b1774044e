package machine

import (
	"encoding/binary"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// part is a node of a stage that is more than one step: a group with its repetition.
// Where a place stands within it is a config, one cell a part.
type part struct {
	cell     int // its number: index into configs
	kind     plan.NodeKind
	leaf     int // NodeStep: index into Pattern.leaves
	kids     []*part
	links    []plan.Link // NodeSeq: links[i] stands before kids[i]
	need     int         // NodeAny, NodeAnd: how many of the kids
	min, max int
	strict   bool
	all      bool   // the pattern is a match all
	steps    uint64 // of its leaves
}

// cell is how far one part has got in the iteration of the part around it.
type cell struct {
	turns int32 // iterations begun; 0: it has taken nothing
	at    int32 // NodeSeq: the kid that took last; NodeOr: the branch
	last  int64 // counting time of the last event taken in it
	stale bool  // an event came since that it did not take
}

// config says where a place stands within a stage. A config is never changed once it
// is another place's as well: what takes an event works on a copy.
type config []cell

// alt is one way to take an event: into a stage, by a leaf, with the config after it.
type alt struct {
	stage  int
	leaf   int
	config config // nil: the stage is one step
}

// asker tries the event at hand on the leaves, for one place.
type asker struct {
	p    *Pattern
	x    *Context
	k    *PatternKey
	r    *run // nil: a run that is to begin
	now  int64
	mask uint64
	all  bool // every way counts, not the furthest alone
	show bool // what could be taken is to be shown: conditions and gaps are not asked
}

// enough reports whether the ways found from a number on make looking at nearer ones
// needless.
func (a *asker) enough(found []alt, from int) bool { return !a.all && len(found) > from }

// fits reports whether the event fits a leaf.
func (a *asker) fits(leaf int) bool {
	l := &a.p.leaves[leaf]
	return a.mask&(1<<l.step) != 0 && (a.show || a.p.holds(a.x, a.k, a.r, &a.p.fits[l.step]))
}

// newPart reads a group; leaves and cells are numbered in order of writing.
func (p *Pattern) newPart(n *plan.Node, cells *int) *part {
	out := &part{cell: *cells, kind: n.Kind, links: n.Links, need: n.Need, min: n.Min, max: n.Max, strict: n.Strict, all: p.mode == plan.SelectAll}
	*cells++
	p.seesAll = p.seesAll || n.Strict
	switch n.Kind {
	case plan.NodeStep:
		out.leaf = p.newLeaf(n.Step)
		out.steps = 1 << n.Step
		return out
	case plan.NodeAnd:
		out.need = len(n.Kids)
	}
	for i, kid := range n.Kids {
		if n.Kind == plan.NodeSeq {
			p.seesAll = p.seesAll || n.Links[i].Next
		}
		out.kids = append(out.kids, p.newPart(kid, cells))
		out.steps |= out.kids[i].steps
	}
	return out
}

// optional reports whether the part may be left out.
func (n *part) optional() bool { return n.min == 0 || n.empty() }

// empty reports whether a turn of the part needs no event.
func (n *part) empty() bool {
	left := 0
	for _, kid := range n.kids {
		if kid.optional() {
			left++
		}
	}
	switch n.kind {
	case plan.NodeSeq:
		return left == len(n.kids)
	case plan.NodeOr:
		return left > 0
	case plan.NodeAnd, plan.NodeAny:
		return left >= n.need
	}
	return false
}

// enough reports whether what the part has taken lets the pattern go on after it.
func (n *part) enough(c config) bool {
	if c[n.cell].turns == 0 {
		return n.optional()
	}
	return (int(c[n.cell].turns) >= n.min || n.empty()) && n.whole(c)
}

// whole reports whether the iteration at hand has all that it needs.
func (n *part) whole(c config) bool {
	at := int(c[n.cell].at)
	switch n.kind {
	case plan.NodeSeq:
		return n.kids[at].enough(c) && !slices.ContainsFunc(n.kids[at+1:], func(kid *part) bool { return !kid.optional() })
	case plan.NodeOr:
		return n.kids[at].enough(c)
	case plan.NodeAnd, plan.NodeAny:
		return n.count(c, false) >= n.need && !(n.all && n.leftover(c))
	}
	return true
}

// leftover reports whether a side of an & or any is begun and not done: a combination of
// match all has no such events.
func (n *part) leftover(c config) bool {
	return slices.ContainsFunc(n.kids, func(kid *part) bool { return c[kid.cell].turns > 0 && !kid.enough(c) })
}

// count is how many kids of an & or any have what they need; begun: and have taken something.
func (n *part) count(c config, begun bool) int {
	enough := 0
	for _, kid := range n.kids {
		if !(begun && c[kid.cell].turns == 0) && kid.enough(c) {
			enough++
		}
	}
	return enough
}

// enter lets the part, which has taken nothing yet, take the event as its first.
func (n *part) enter(a *asker, c config, out []alt) []alt {
	if a.mask&n.steps == 0 {
		return out
	}
	return n.begin(a, c, out)
}

// begin starts an iteration with the event: all ways to take it in.
func (n *part) begin(a *asker, c config, out []alt) []alt {
	from := len(out)
	switch n.kind {
	case plan.NodeStep:
		if a.fits(n.leaf) {
			out = append(out, alt{leaf: n.leaf, config: slices.Clone(c)})
		}
	case plan.NodeSeq:
		out = n.beginSeq(a, c, out)
	default:
		for i, kid := range n.kids {
			out = n.into(a, kid.enter(a, n.fresh(c), out), len(out), i)
		}
	}
	for i := from; i < len(out); i++ {
		n.took(a, out[i].config, c[n.cell].turns+1)
	}
	return out
}

// fresh is a config in which what is inside the part has taken nothing.
func (n *part) fresh(c config) config {
	c = slices.Clone(c)
	n.clear(c)
	return c
}

func (n *part) clear(c config) {
	for _, kid := range n.kids {
		c[kid.cell] = cell{}
		kid.clear(c)
	}
}

// into notes in the ways from a number on that kid i took the event, and that its
// siblings in an & or any did not.
func (n *part) into(a *asker, out []alt, from, i int) []alt {
	for j := from; j < len(out); j++ {
		c := out[j].config
		c[n.cell].at = int32(i)
		if n.kind == plan.NodeAnd || n.kind == plan.NodeAny {
			for other, kid := range n.kids {
				if other != i {
					kid.miss(c)
				}
			}
		}
	}
	return out
}

// took notes that the part has taken the event, in its iteration of a number.
func (n *part) took(a *asker, c config, turn int32) {
	c[n.cell].turns, c[n.cell].last, c[n.cell].stale = turn, a.now, false
}

// beginSeq starts a sequence at the furthest kid that can be first.
func (n *part) beginSeq(a *asker, c config, out []alt) []alt {
	from := len(out)
	for i := n.reach(0); i >= 0; i-- {
		if i > 0 && a.r != nil && !a.allows(&n.links[i], a.r.last, a.r.stale) {
			continue
		}
		at := len(out)
		if out = n.into(a, n.kids[i].enter(a, n.fresh(c), out), at, i); a.enough(out, from) {
			return out
		}
	}
	return out
}

// reach is the furthest kid of a sequence that can be next, if kid i can.
func (n *part) reach(i int) int {
	for i < len(n.kids)-1 && n.kids[i].optional() {
		i++
	}
	return i
}

// allows reports whether a link lets the event through that comes after the last one taken;
// stale: not as the next event.
func (a *asker) allows(l *plan.Link, last int64, stale bool) bool {
	passed := a.now - last
	return !(l.Next && stale) && (a.show || passed >= l.MinGap && (l.MaxGap == 0 || passed < l.MaxGap))
}

// advance lets a part that has begun take the event: the furthest ways, all of them
// where branches offer several.
func (n *part) advance(a *asker, c config, out []alt) []alt {
	if a.mask&n.steps == 0 {
		return out
	}
	from, own := len(out), c[n.cell]
	if n.whole(c) && (n.max < 0 || int(own.turns) < n.max) && !(n.strict && own.stale) {
		if out = n.begin(a, c, out); a.enough(out, from) {
			return out
		}
	}
	inside := len(out)
	switch n.kind {
	case plan.NodeSeq:
		out = n.advanceSeq(a, c, out)
	case plan.NodeOr:
		out = n.into(a, n.kids[own.at].advance(a, c, out), inside, int(own.at))
	case plan.NodeAnd, plan.NodeAny:
		out = n.advanceAll(a, c, out)
	}
	for i := inside; i < len(out); i++ {
		n.took(a, out[i].config, own.turns)
	}
	return out
}

func (n *part) advanceSeq(a *asker, c config, out []alt) []alt {
	from, at := len(out), int(c[n.cell].at)
	kid := n.kids[at]
	if kid.enough(c) && at+1 < len(n.kids) {
		for i := n.reach(at + 1); i > at; i-- {
			if !a.allows(&n.links[i], c[kid.cell].last, c[n.cell].stale) {
				continue
			}
			was := len(out)
			if out = n.into(a, n.kids[i].enter(a, c, out), was, i); a.enough(out, from) {
				return out
			}
		}
	}
	was := len(out)
	return n.into(a, kid.advance(a, c, out), was, at)
}

// advanceAll lets the kids of an & or any take the event, each in a way of its own. An
// any that is full begins no further one.
func (n *part) advanceAll(a *asker, c config, out []alt) []alt {
	full := n.full(c)
	for i, kid := range n.kids {
		from := len(out)
		switch {
		case c[kid.cell].turns > 0:
			out = n.into(a, kid.advance(a, c, out), from, i)
		case !full:
			out = n.into(a, kid.enter(a, c, out), from, i)
		}
	}
	return out
}

// full reports whether as many kids of an any as it needs have taken what they need.
func (n *part) full(c config) bool { return n.kind == plan.NodeAny && n.count(c, true) >= n.need }

// miss notes that an event came which the part, where it has begun, did not take.
func (n *part) miss(c config) {
	if c[n.cell].turns == 0 {
		return
	}
	c[n.cell].stale = true
	for _, kid := range n.kids {
		kid.miss(c)
	}
}

// alive reports whether a part that has begun and is not enough yet can still become
// so.
func (n *part) alive(c config, now int64) bool {
	own := c[n.cell]
	if own.turns == 0 {
		return true
	}
	if n.whole(c) {
		return int(own.turns) >= n.min || !(n.strict && own.stale)
	}
	switch n.kind {
	case plan.NodeSeq:
		return n.aliveSeq(c, now)
	case plan.NodeOr:
		return n.kids[own.at].alive(c, now)
	}
	can := 0
	for _, kid := range n.kids {
		if kid.alive(c, now) {
			can++
		}
	}
	return can >= n.need
}

func (n *part) aliveSeq(c config, now int64) bool {
	at := int(c[n.cell].at)
	kid := n.kids[at]
	if !kid.enough(c) {
		return kid.alive(c, now)
	}
	for i := at + 1; i <= n.reach(at+1); i++ {
		l := &n.links[i]
		inTime := l.MaxGap == 0 || now < later(c[kid.cell].last, l.MaxGap) || !kid.finished(c)
		if inTime && !(l.Next && c[n.cell].stale) {
			return true
		}
	}
	return false
}

// finished reports whether the part has all it needs and can take nothing more.
func (n *part) finished(c config) bool {
	own := c[n.cell]
	if own.turns == 0 || n.max < 0 || int(own.turns) < n.max || !n.enough(c) {
		return false
	}
	switch n.kind {
	case plan.NodeStep:
		return true
	case plan.NodeSeq:
		return int(own.at) == len(n.kids)-1 && n.kids[own.at].finished(c)
	case plan.NodeOr:
		return n.kids[own.at].finished(c)
	}
	for _, kid := range n.kids {
		if c[kid.cell].turns > 0 && !kid.finished(c) || n.kind == plan.NodeAnd && c[kid.cell].turns == 0 {
			return false
		}
	}
	return n.kind == plan.NodeAnd || n.full(c)
}

// point appends what tells places apart: how far each part has got.
func (n *part) point(b []byte, c config) []byte {
	own := c[n.cell]
	b = binary.AppendVarint(b, int64(own.turns))
	if own.turns == 0 || len(n.kids) == 0 {
		return b
	}
	if n.kind == plan.NodeSeq || n.kind == plan.NodeOr {
		b = binary.AppendVarint(b, int64(own.at))
	}
	for _, kid := range n.kids {
		b = kid.point(b, c)
	}
	return b
}

// start is the config of a stage in which nothing has been taken.
func (s *stage) start() config { return make(config, s.cells) }

// ways lists the ways in which a place can take the event: into the furthest stage, of
// which branches may offer several; for match all, into every stage.
func (p *Pattern) ways(a *asker, s *stage, out []alt) []alt {
	r := a.r
	if p.enough(r, s) {
		for i := range s.next {
			t := &s.next[i]
			if !r.open(t) || !r.inSpan(t, a.now) {
				continue
			}
			if out = p.enterStage(a, t.to, out); a.enough(out, 0) {
				return out
			}
		}
	}
	if p.enough(r, s) && r.isPast(s.past, a.now) {
		return out
	}
	if s.root != nil {
		return s.within(a, s.root.advance(a, r.config, out), len(out))
	}
	if (s.max < 0 || int(r.turns) < s.max) && !(s.strict && r.stale) && a.mask&s.steps != 0 && a.fits(s.leaf) {
		out = append(out, alt{stage: s.index, leaf: s.leaf})
	}
	return out
}

// enterStage lists the ways to take the event as the first of a stage.
func (p *Pattern) enterStage(a *asker, to int, out []alt) []alt {
	s := &p.stages[to]
	if s.root == nil {
		if a.fits(s.leaf) {
			out = append(out, alt{stage: to, leaf: s.leaf})
		}
		return out
	}
	return s.within(a, s.root.enter(a, s.start(), out), len(out))
}

// within makes the ways from a number on ways within the stage, and leaves out those in
// which the event, taken by one side of a group, ends what another side waits for (in match all that side may still repeat).
func (s *stage) within(a *asker, out []alt, from int) []alt {
	kept := out[:from]
	for _, way := range out[from:] {
		if a.all || s.root.enough(way.config) || s.root.alive(way.config, a.now) {
			way.stage = s.index
			kept = append(kept, way)
		}
	}
	return kept
}

// enough reports whether the run may go on from its stage.
func (p *Pattern) enough(r *run, s *stage) bool {
	if s.root != nil {
		return s.root.enough(r.config)
	}
	return int(r.turns) >= s.min
}

// moveAll lets every place see an event. Where branches let a place take it in several
// ways, each is a place of its own after it.
func (p *Pattern) moveAll(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	old := k.runs
	k.runs = x.spareRuns[:0]
	seen := map[string]bool{}
	for i := range old {
		r := &old[i]
		if i > 0 && old[i-1].began != r.began {
			clear(seen)
		}
		s := &p.stages[r.stage]
		if p.expired(r, ev.At) || p.isForbidden(x, k, r, s, ev, mask) {
			p.release(x, k, r)
			continue
		}
		a := asker{p: p, x: x, k: k, r: r, now: ev.At, mask: mask}
		alts := p.ways(&a, s, nil)
		if len(alts) == 0 {
			if p.wait(r, s); p.alive(r, ev.At) {
				p.keepPlace(x, k, r, seen)
			} else {
				p.release(x, k, r)
			}
			continue
		}
		p.spread(x, k, r, alts, ev, seen)
	}
	clear(old)
	x.spareRuns = old[:0]
	p.boundPlaces(x, k)
}

// wait notes that an event came which the place did not take.
func (p *Pattern) wait(r *run, s *stage) {
	r.stale = true
	if s.root != nil {
		r.config = slices.Clone(r.config)
		s.root.miss(r.config)
	}
}

// spread takes the event in each of several ways.
func (p *Pattern) spread(x *Context, k *PatternKey, r *run, alts []alt, ev *event.Event, seen map[string]bool) {
	for n, way := range alts {
		place := *r
		if n < len(alts)-1 {
			place = p.split(x, k, r)
		}
		p.take(x, k, &place, way, ev)
		p.keepPlace(x, k, &place, seen)
	}
}

// keepPlace adds a place to the key unless the run has one at the same point already:
// of two the first written is kept.
func (p *Pattern) keepPlace(x *Context, k *PatternKey, r *run, seen map[string]bool) {
	at := string(p.point(nil, r))
	if seen[at] {
		p.release(x, k, r)
		return
	}
	seen[at] = true
	k.runs = append(k.runs, *r)
	if p.isComplete(r) && r.took == k.seq {
		x.done = append(x.done, len(k.runs)-1)
	}
}

// point tells the places of a run apart.
func (p *Pattern) point(b []byte, r *run) []byte {
	b = binary.AppendVarint(b, int64(r.stage))
	b = binary.AppendUvarint(b, r.hit)
	if s := &p.stages[r.stage]; s.root != nil {
		return s.root.point(b, r.config)
	}
	return binary.AppendVarint(b, int64(r.turns))
}

// split copies a place with all it holds.
func (p *Pattern) split(x *Context, k *PatternKey, r *run) run {
	place := *r
	place.binds = append(make([]bind, 0, len(p.leaves)), r.binds...)
	for i := range place.binds {
		b := &place.binds[i]
		if b.ref != 0 {
			x.Keep.Share(b.ref)
		}
		if b.list >= 0 {
			k.lists[b.list].holders++
		}
	}
	place.accs = p.newStates()
	for i := range place.accs {
		p.accs[i].program.Copy(&place.accs[i], &r.accs[i])
	}
	return place
}

// sound reports whether a config read from a record is one of the part.
func (n *part) sound(c config) bool {
	if own := c[n.cell]; own.turns < 0 || own.at < 0 || len(n.kids) > 0 && int(own.at) >= len(n.kids) {
		return false
	}
	return !slices.ContainsFunc(n.kids, func(kid *part) bool { return !kid.sound(c) })
}
