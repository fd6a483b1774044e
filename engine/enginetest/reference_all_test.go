package enginetest

import (
	"cmp"
	"slices"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// allJudge evaluates `match all`: it keeps every set of (step, event) that may yet
// become a match, and each event makes new sets of all that it can be added to. Nothing
// is ended early: negations, => and strict are judged when the next event is taken, by
// the neighbours of that set.
type allJudge struct {
	patternJudge
	limit int
	held  map[*patternKey][]*place
	most  int // sets held at a time before the reference gives up
}

// tooMany is what the reference panics with where there are too many sets to hold.
type tooMany struct{}

func newAllJudge(book *ruleBook, r *syntax.Rule) *allJudge {
	a := &allJudge{patternJudge: *newPatternJudge(book, r), limit: 100, held: map[*patternKey][]*place{}, most: 5_000}
	if r.Limit != nil {
		a.limit = r.Limit.Value
	}
	return a
}

func (a *allJudge) take(e *occurrence) []*alert {
	if a.lists(e.kind) && !a.admits(e) {
		return nil
	}
	var out []*alert
	for _, key := range a.keysOf(e) {
		out = append(out, a.takeInKey(a.find(key), e)...)
	}
	return out
}

func (a *allJudge) takeInKey(k *patternKey, e *occurrence) []*alert {
	if a.until != nil && a.fits(a.until, nil, k.key, e) {
		a.held[k] = nil
	}
	if !a.named(e.kind) {
		return nil
	}
	held := slices.DeleteFunc(a.held[k], func(pl *place) bool { return a.late(pl, e.time) })
	added := a.beginAll(k, e)
	for _, pl := range held {
		added = append(added, a.moveAll(pl, k, e)...)
	}
	k.seen = append(k.seen, e)
	a.held[k] = append(held, added...)
	if len(a.held[k]) > a.most {
		panic(tooMany{})
	}
	return a.report(k, e.time, slices.DeleteFunc(added, func(pl *place) bool { return !a.complete(pl) || pl.now.loose() }))
}

func (a *allJudge) late(pl *place, now int64) bool {
	return a.within != forever && now >= pl.taken[0].event.time+a.within
}

func (a *allJudge) lookAll(pl *place, k *patternKey, e *occurrence) look {
	at := a.look(pl, k, e)
	at.free = true
	return at
}

func (a *allJudge) beginAll(k *patternKey, e *occurrence) []*place {
	first := 0
	if a.parts[0].neg {
		if a.came(k, a.parts[0], e, a.parts[1].to) {
			return nil
		}
		first = 1
	}
	var out []*place
	for i := first; i < len(a.parts); i++ {
		if a.canBegin(first, i) {
			out = append(out, after(nil, i, a.parts[i].piece.begin(a.lookAll(nil, k, e)))...)
		}
	}
	return out
}

func (a *allJudge) moveAll(pl *place, k *patternKey, e *occurrence) []*place {
	at := a.lookAll(pl, k, e)
	out := after(pl, pl.part, pl.now.move(at))
	for i := pl.part + 1; i < len(a.parts) && pl.now.done() && !pl.now.loose(); i++ {
		part := a.parts[i]
		if part.neg {
			if !a.holds(part, pl, k, e) {
				break
			}
			continue
		}
		if part.allows(pl.last(), at) {
			out = append(out, after(pl, i, part.piece.begin(at.behind(pl.last())))...)
		}
		if !part.optional() {
			break
		}
	}
	return out
}

// holds reports whether a negation is kept between the last event of a set and e, which
// is to be the next.
func (a *allJudge) holds(neg *part, pl *place, k *patternKey, e *occurrence) bool {
	until := e.time + 1 // e itself must not be forbidden either
	if neg.hold > 0 {
		until = pl.last().time + neg.hold
		if e.time < until {
			return false
		}
	}
	return !slices.ContainsFunc(append(slices.Clone(k.seen), e), func(x *occurrence) bool {
		return x.seq > pl.last().seq && x.time < until && a.fitsAny(neg, pl.taken, k.key, x)
	})
}

// absence is when a set becomes a match by what does not come; forever where it does
// not.
func (a *allJudge) absence(pl *place, k *patternKey) int64 {
	at := int64(forever)
	if a.within != forever {
		at = pl.taken[0].event.time + a.within
	}
	if !pl.now.done() || pl.now.loose() || !a.parts[len(a.parts)-1].neg || pl.fired {
		return forever
	}
	for _, part := range a.parts[pl.part+1:] {
		if !part.neg && !part.optional() {
			return forever
		}
		if part.neg && part.hold > 0 {
			if pl.last().time+part.hold >= at {
				return forever
			}
			at = pl.last().time + part.hold
		}
		broken := part.neg && slices.ContainsFunc(k.seen, func(x *occurrence) bool {
			return x.seq > pl.last().seq && x.time < at && a.fitsAny(part, pl.taken, k.key, x)
		})
		if broken {
			return forever
		}
	}
	return at
}

func (a *allJudge) deadline() int64 {
	next := int64(forever)
	for k, held := range a.held {
		for _, pl := range held {
			next = min(next, a.absence(pl, k))
		}
	}
	return next
}

func (a *allJudge) fire(at int64) []*alert {
	var out []*alert
	for _, k := range a.keys {
		var done []*place
		for _, pl := range a.held[k] {
			if a.absence(pl, k) == at {
				done = append(done, pl)
			}
		}
		for _, pl := range done {
			pl.fired = true
		}
		out = append(out, a.report(k, at, done)...)
	}
	return out
}

// report makes the alerts of the matches of one event or deadline.
func (a *allJudge) report(k *patternKey, time int64, done []*place) []*alert {
	slices.SortStableFunc(done, a.order)
	done = slices.CompactFunc(done, func(x, y *place) bool { return a.order(x, y) == 0 })
	if len(done) == 0 {
		return nil
	}
	count := int64(len(done))
	see := func(pl *place) *view {
		v := a.view(pl.taken, k.key, nil, nil)
		v.matches = count
		return v
	}
	if a.having != nil && !truth(see(done[0]).eval(a.having)) {
		return nil
	}
	if a.limit == 0 {
		none := a.alert(k.key, time, nil, see(done[0]))
		none.about = done[0].last()
		return []*alert{none}
	}
	var out []*alert
	for _, pl := range done[:min(a.limit, len(done))] {
		out = append(out, a.alert(k.key, time, pl.taken, see(pl)))
	}
	return out
}

// order is that of the matches of one event: the latest start first, then in order of
// their events, and of one event in order of its steps.
func (a *allJudge) order(x, y *place) int {
	c := cmp.Compare(y.taken[0].event.seq, x.taken[0].event.seq)
	for i := 0; c == 0 && i < min(len(x.taken), len(y.taken)); i++ {
		c = cmp.Or(cmp.Compare(x.taken[i].event.seq, y.taken[i].event.seq),
			cmp.Compare(a.number(x.taken[i].step), a.number(y.taken[i].step)))
	}
	return cmp.Or(c, cmp.Compare(len(x.taken), len(y.taken)))
}

// number is the place of a step in the rule's text.
func (a *allJudge) number(name string) int {
	n, found := 0, 0
	a.eachStep(func(s *step) {
		if n++; s.name == name {
			found = n
		}
	})
	return found
}
