package enginetest

import (
	"fmt"
	"maps"
	"slices"
)

// place is a point in the outermost sequence of a pattern that a run has reached: the
// part that took the last event, how far it is, and what happened since.
type place struct {
	part   int
	now    *progress
	taken  []taken
	passed int          // the negation with `for` that has held since; -1: none
	broken map[int]bool // negations, reached by leaving parts out, whose event came since
	fired  bool         // match all: its deadline has passed
}

func (pl *place) last() *occurrence { return pl.now.last }

func (pl *place) point() string { return fmt.Sprintf("%d/%d %s", pl.part, pl.passed, pl.now.point()) }

// after are copies of a place (nil: none yet) moved on to part i.
func after(pl *place, i int, moved []*progress) []*place {
	var out []*place
	for _, m := range moved {
		next := &place{part: i, now: m, passed: -1, broken: map[int]bool{}}
		if pl != nil {
			next.taken = slices.Clone(pl.taken)
		}
		next.taken = append(next.taken, taken{m.taker.name, m.last})
		out = append(out, next)
	}
	return out
}

// look is how an event looks to a place of a key.
func (p *patternJudge) look(pl *place, k *patternKey, e *occurrence) look {
	var before []taken
	if pl != nil {
		before = pl.taken
	}
	return look{
		e:    e,
		fits: func(s *step) bool { return p.fits(s, before, k.key, e) },
		next: func(after *occurrence) bool { return after == k.seen[len(k.seen)-1] },
	}
}

// begin are the places of a run that an event starts.
func (p *patternJudge) begin(k *patternKey, e *occurrence) []*place {
	first := 0
	if p.parts[0].neg {
		if p.came(k, p.parts[0], e, p.parts[1].to) {
			return nil
		}
		first = 1
	}
	for i := len(p.parts) - 1; i >= first; i-- {
		if !p.canBegin(first, i) {
			continue
		}
		if places := after(nil, i, p.parts[i].piece.begin(p.look(nil, k, e))); places != nil {
			return places
		}
	}
	return nil
}

// canBegin reports whether part i can come first. Where all before a negation is left
// out, it has no neighbour before it, and forbids nothing.
func (p *patternJudge) canBegin(first, i int) bool {
	for _, part := range p.parts[first:i] {
		if !part.neg && !part.optional() {
			return false
		}
	}
	return !p.parts[i].neg
}

// came reports whether an event that a negation at the start forbids came less than D
// before.
func (p *patternJudge) came(k *patternKey, neg *part, e *occurrence, d int64) bool {
	return slices.ContainsFunc(k.seen, func(x *occurrence) bool {
		return x.time > e.time-d && p.fitsAny(neg, nil, k.key, x)
	})
}

// move is where an event takes a place: as far as it can go. It is empty where the event
// is of no use.
func (p *patternJudge) move(pl *place, k *patternKey, e *occurrence) []*place {
	at := p.look(pl, k, e)
	for i := len(p.parts) - 1; i > pl.part; i-- {
		if !p.parts[i].neg && p.canReach(pl, i, k, e) && p.parts[i].allows(pl.last(), at) {
			if moved := after(pl, i, p.parts[i].piece.begin(at.behind(pl.last()))); moved != nil {
				return moved
			}
		}
	}
	if pl.passed >= 0 {
		return nil
	}
	return after(pl, pl.part, pl.now.move(at))
}

// canReach reports whether part i can be the next to take an event: all between can be
// left out, and negations between hold.
func (p *patternJudge) canReach(pl *place, i int, k *patternKey, e *occurrence) bool {
	if !pl.now.done() || pl.passed > i {
		return false
	}
	for j := pl.part + 1; j < i; j++ {
		between := p.parts[j]
		switch {
		case j <= pl.passed:
		case between.neg && between.hold > 0:
			return false // its time has not come
		case between.neg && (pl.broken[j] || p.fitsAny(between, pl.taken, k.key, e)):
			return false
		case !between.neg && !between.optional():
			return false
		}
	}
	return true
}

// dead reports whether a place has ended with an event that came: what it waited for can
// no longer come in time.
func (p *patternJudge) dead(pl *place, came *occurrence) bool {
	if pl.now.dead(came) {
		return true
	}
	var ahead []link
	for j := pl.part + 1; j < len(p.parts); j++ {
		next := p.parts[j]
		if next.neg && j == len(p.parts)-1 {
			return false // the absence at the end
		}
		if !next.neg {
			ahead = append(ahead, next.link)
		}
		if !next.neg && !next.optional() {
			break
		}
	}
	return pl.now.done() && pl.now.stuck(ahead, came)
}

// inForce reports whether an event is one that a negation directly behind the place's
// part forbids.
func (p *patternJudge) inForce(pl *place, k *patternKey, e *occurrence) bool {
	for j := pl.part + 1; pl.now.done() && j < len(p.parts) && p.parts[j].neg; j++ {
		if j != pl.passed && p.fitsAny(p.parts[j], pl.taken, k.key, e) {
			return true
		}
	}
	return false
}

// missed tells a place of an event that was of no use to it: it may break negations that
// the place reaches by leaving parts out.
func (p *patternJudge) missed(pl *place, k *patternKey, e *occurrence) {
	for j := pl.part + 1; pl.now.done() && j < len(p.parts); j++ {
		between := p.parts[j]
		if between.neg && p.fitsAny(between, pl.taken, k.key, e) {
			pl.broken[j] = true
		}
		if !between.neg && !between.optional() {
			break
		}
	}
}

// complete reports whether a place needs nothing more.
func (p *patternJudge) complete(pl *place) bool {
	for j := pl.part + 1; j < len(p.parts); j++ {
		if !p.parts[j].optional() {
			return false
		}
	}
	return pl.now.done()
}

// pending finds the negation with `for` that a place waits for, and its deadline;
// forever where there is none.
func (p *patternJudge) pending(pl *place) (part int, deadline int64) {
	for j := max(pl.part, pl.passed) + 1; pl.now.done() && j < len(p.parts); j++ {
		next := p.parts[j]
		switch {
		case next.neg && next.hold > 0 && pl.broken[j]:
			return 0, forever
		case next.neg && next.hold > 0:
			return j, pl.last().time + next.hold
		case !next.neg && !next.optional():
			return 0, forever
		}
	}
	return 0, forever
}

// absent reports whether a place has only plain negations before its end, all of which
// hold: it completes when `within` has passed.
func (p *patternJudge) absent(pl *place) bool {
	if !pl.now.done() || !p.parts[len(p.parts)-1].neg {
		return false
	}
	for j := max(pl.part, pl.passed) + 1; j < len(p.parts); j++ {
		next := p.parts[j]
		if pl.broken[j] || next.hold > 0 || !next.neg && !next.optional() {
			return false
		}
	}
	return true
}

// fits reports whether a step can take an event of the key.
func (p *patternJudge) fits(s *step, before []taken, key []any, e *occurrence) bool {
	if s.kind != e.kind {
		return false
	}
	if own, ok := p.key(s.by, e); !ok || !sameKey(own, key) {
		return false
	}
	return s.cond == nil || truth(p.view(before, key, e, s).eval(s.cond))
}

func (p *patternJudge) fitsAny(part *part, before []taken, key []any, e *occurrence) bool {
	return slices.ContainsFunc(part.steps, func(s *step) bool { return p.fits(s, before, key, e) })
}

// view is what a condition sees, or `having` and `emit` (e and s are nil).
func (p *patternJudge) view(before []taken, key []any, e *occurrence, s *step) *view {
	v := &view{at: e, lets: maps.Clone(p.lets), tables: p.book.tables, keys: p.keyValues(key), steps: map[string][]*occurrence{}, many: p.many}
	for _, t := range before {
		v.steps[t.step] = append(v.steps[t.step], t.event)
	}
	if s != nil && len(v.steps[s.name]) > 0 {
		v.prev = v.steps[s.name][len(v.steps[s.name])-1]
	}
	return v
}
