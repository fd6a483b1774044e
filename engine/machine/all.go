package machine

import (
	"cmp"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// In match all every combination of events that satisfies the pattern is a match: a
// place that can take an event does so in every way, each a place of its own, and also
// goes on without it. A combination is one place, so a key has as many places as it
// has open combinations, up to Limits.RunsPerKey.

// branchAll lets every place see an event. Up to the first one that it changes more than
// what has come since, they stay where they are.
func (p *Pattern) branchAll(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	old, moved := k.runs, false
	known := combinations{}
	move := func(i int) {
		if !moved {
			k.runs, moved = append(x.spareRuns[:0], old[:i]...), true
		}
	}
	for i := range old {
		r := &old[i]
		s := &p.stages[r.stage]
		if p.expired(r, ev.At) {
			move(i)
			p.release(x, k, r)
			continue
		}
		// A negation in force is looked at first, and bars the ways over it. It does not end
		// the combination as such: one that grows by a turn has other neighbours.
		p.isForbidden(x, k, r, s, ev, mask)
		a := asker{p: p, x: x, k: k, r: r, now: ev.At, mask: mask, all: true}
		x.alts = p.ways(&a, s, x.alts[:0])
		for _, way := range x.alts {
			move(i)
			place := p.split(x, k, r)
			p.take(x, k, &place, way, ev)
			p.keepCombination(x, k, &place, known)
		}
		switch p.wait(r, s); {
		case !p.canGrow(r, s, ev.At):
			move(i)
			p.release(x, k, r)
		case moved:
			k.runs = append(k.runs, *r)
		}
	}
	if moved {
		clear(old)
		x.spareRuns = old[:0]
		p.boundAll(x, k)
	}
}

// canGrow reports whether a combination can go on or be complete without the event that
// just came. Unlike a run it may also go on by repeating, whatever came between: what is
// forbidden or missed counts from the last event taken.
func (p *Pattern) canGrow(r *run, s *stage, now int64) bool {
	if s.root == nil {
		return p.alive(r, now) || p.mayRepeat(r, s) && !(s.strict && r.stale)
	}
	return s.root.canGrow(r.config) || p.enough(r, s) && p.alive(r, now)
}

// canGrow reports whether a part that has begun can take anything more, or be left as
// it is by parts around it that can.
func (n *part) canGrow(c config) bool {
	own := c[n.cell]
	if own.turns == 0 {
		return true
	}
	if n.whole(c) && (n.max < 0 || int(own.turns) < n.max) && !(n.strict && own.stale) {
		return true
	}
	switch n.kind {
	case plan.NodeSeq:
		return n.canGrowSeq(c)
	case plan.NodeOr:
		return n.kids[own.at].canGrow(c)
	case plan.NodeAnd, plan.NodeAny:
		return n.canGrowAll(c)
	}
	return false
}

func (n *part) canGrowSeq(c config) bool {
	at := int(c[n.cell].at)
	if n.kids[at].canGrow(c) {
		return true
	}
	if !n.kids[at].enough(c) || at+1 == len(n.kids) {
		return false
	}
	for i := at + 1; i <= n.reach(at+1); i++ {
		if !(n.links[i].Next && c[n.cell].stale) {
			return true
		}
	}
	return false
}

// canGrowAll: enough kids of an & or any must have what they need or be able to get it,
// and one of them must be able to take something.
func (n *part) canGrowAll(c config) bool {
	can, grows := 0, false
	for _, kid := range n.kids {
		grow := kid.canGrow(c)
		grows = grows || grow
		if grow || kid.enough(c) {
			can++
		}
	}
	return grows && can >= n.need
}

// combinations are those that an event has made, by the identity of their events and
// steps and by a hash of the point they are at.
type combinations map[[2]ID]bool

// keepCombination adds a place unless the key has it already: the same events taken by
// the same steps, at the same point. Only groups take events in several ways.
func (p *Pattern) keepCombination(x *Context, k *PatternKey, r *run, known combinations) {
	if p.grouped {
		name := [2]ID{r.id, p.pointID(x, r)}
		if known[name] {
			p.release(x, k, r)
			return
		}
		known[name] = true
	}
	k.runs = append(k.runs, *r)
	if p.isComplete(r) {
		x.done = append(x.done, len(k.runs)-1)
	}
}

// pointID hashes the point that a place is at.
func (p *Pattern) pointID(x *Context, r *run) ID {
	x.point = p.point(x.point[:0], r)
	first := event.Hash(x.point)
	x.point = append(x.point, 1)
	return ID{first, event.Hash(x.point)}
}

// boundAll drops the oldest combinations beyond the limit.
func (p *Pattern) boundAll(x *Context, k *PatternKey) {
	for i := 0; len(k.runs)-i > x.Limits.RunsPerKey; i++ {
		if _, done := slices.BinarySearch(x.done, i); !done {
			k.runs[i].gone = true
			x.Dropped.Runs++
		}
	}
}

// matchAll makes the matches of the combinations in x.done: all are counted, and as
// many as the rule's limit are handed on, the latest start first, then in order of
// events.
func (p *Pattern) matchAll(x *Context, k *PatternKey, now int64, atDeadline bool) {
	if len(x.done) == 0 {
		return
	}
	for _, i := range x.done {
		p.spend(&k.runs[i], atDeadline)
	}
	if p.grouped {
		p.distinct(x, k)
	}
	distinct := x.done
	slices.SortStableFunc(distinct, func(i, j int) int { return p.compareRuns(x, k, &k.runs[i], &k.runs[j]) })
	x.Frame.Matches = int64(len(distinct))
	if limit := p.rule.Pattern.Limit; limit == 0 {
		p.matchCount(x, k, &k.runs[distinct[0]], now, atDeadline)
	} else {
		for _, i := range distinct[:min(limit, len(distinct))] {
			if r := &k.runs[i]; p.holds(x, k, r, &p.having) {
				p.match(x, k, r, now, atDeadline)
			}
		}
	}
	x.Frame.Matches = 0
}

// distinct leaves in x.done the first place of each combination.
func (p *Pattern) distinct(x *Context, k *PatternKey) {
	known := make(map[ID]bool, len(x.done))
	x.done = slices.DeleteFunc(x.done, func(i int) bool {
		id := k.runs[i].id
		was := known[id]
		known[id] = true
		return was
	})
}

// spend notes that a combination has matched: it stays only if it can grow.
func (p *Pattern) spend(r *run, atDeadline bool) {
	s := &p.stages[r.stage]
	r.spent = atDeadline
	r.gone = len(s.next) == 0 && !p.mayRepeat(r, s)
}

// compareRuns orders combinations: the latest start first, then by their events and
// the steps that took them.
func (p *Pattern) compareRuns(x *Context, k *PatternKey, a, b *run) int {
	if c := cmp.Compare(b.began, a.began); c != 0 {
		return c
	}
	x.takenOther = append(x.takenOther[:0], p.takenBy(x, k, a)...)
	return slices.CompareFunc(x.takenOther, p.takenBy(x, k, b), func(a, b taken) int {
		return cmp.Or(cmp.Compare(x.Keep.Order(a.ref), x.Keep.Order(b.ref)), cmp.Compare(a.step, b.step))
	})
}

// matchCount hands on the number of matches alone.
func (p *Pattern) matchCount(x *Context, k *PatternKey, r *run, now int64, atDeadline bool) {
	if !p.holds(x, k, r, &p.having) {
		return
	}
	count := run{ownStart: r.ownLast, ownLast: r.ownLast, accs: p.newStates()}
	if ev := x.Frame.Event; ev != nil {
		count.id = ID{}.fold(-1, x.identity(ev))
	}
	p.match(x, k, &count, now, atDeadline)
}
