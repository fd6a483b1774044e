package enginetest

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// patternJudge evaluates a rule with `match`.
type patternJudge struct {
	common
	parts  []*part
	many   map[string]bool // steps that may take several events
	within int64           // forever: none
	until  *step
	having *node
	mode   syntax.Select
	keys   []*patternKey // sorted
}

// patternKey is one key of a pattern: the events that it has seen, and its runs in
// order of their start.
type patternKey struct {
	key  []any
	seen []*occurrence
	runs []*run
}

// run is one attempt at a match: the places it has reached, the first written first.
type run struct {
	start  *occurrence
	places []*place
	won    *place // the place that is complete
}

func newPatternJudge(book *ruleBook, r *syntax.Rule) *patternJudge {
	p := &patternJudge{common: newCommon(book, r), many: map[string]bool{}, within: forever, mode: r.Match.Select, having: expr(r.Having)}
	p.parts = parts(r.Match.Pattern, r.By)
	p.eachStep(func(s *step) { p.many[s.name] = s.many })
	if r.Within != nil {
		p.within = r.Within.Nanos
	}
	if r.Until != nil {
		p.until = newStep(r.Until, r.By, false)
	}
	return p
}

func (p *patternJudge) eachStep(f func(*step)) {
	for _, part := range p.parts {
		part.each(f)
	}
}

// take gives an event to every key that it is an event of.
func (p *patternJudge) take(e *occurrence) []*alert {
	if p.lists(e.kind) && !p.admits(e) {
		return nil
	}
	var out []*alert
	for _, key := range p.keysOf(e) {
		out = append(out, p.takeInKey(p.find(key), e)...)
	}
	return out
}

// keysOf are the keys of an event, by the steps of its type and by the rule, sorted.
func (p *patternJudge) keysOf(e *occurrence) [][]any {
	var out [][]any
	add := func(by []*syntax.Key) {
		key, ok := p.key(by, e)
		if ok && !slices.ContainsFunc(out, func(k []any) bool { return sameKey(k, key) }) {
			out = append(out, key)
		}
	}
	p.eachStep(func(s *step) {
		if s.kind == e.kind {
			add(s.by)
		}
	})
	if p.until != nil && p.until.kind == e.kind {
		add(p.until.by)
	}
	if p.lists(e.kind) {
		add(p.decl.By)
	}
	slices.SortFunc(out, compareKeys)
	return out
}

func (p *patternJudge) find(key []any) *patternKey {
	i, found := slices.BinarySearchFunc(p.keys, key, func(k *patternKey, key []any) int { return compareKeys(k.key, key) })
	if !found {
		p.keys = slices.Insert(p.keys, i, &patternKey{key: key})
	}
	return p.keys[i]
}

// named reports whether the pattern or `from` names a type: events of others do not
// count as the key's next event.
func (p *patternJudge) named(kind string) bool {
	found := p.lists(kind)
	p.eachStep(func(s *step) { found = found || s.kind == kind })
	return found
}

func (p *patternJudge) takeInKey(k *patternKey, e *occurrence) []*alert {
	if p.until != nil && p.fits(p.until, nil, k.key, e) {
		k.runs = nil
	}
	if !p.named(e.kind) {
		return nil
	}
	k.runs = slices.DeleteFunc(k.runs, func(r *run) bool { return !p.step(k, r, e) })
	if places := p.begin(k, e); places != nil {
		k.runs = append(k.runs, &run{start: e, places: onePerPoint(places)})
	}
	k.seen = append(k.seen, e)
	for _, r := range k.runs {
		r.win(func(pl *place) bool { return pl.last() == e && p.complete(pl) })
	}
	return p.choose(k, e.time)
}

// step gives an event to a run and reports whether the run lives on.
func (p *patternJudge) step(k *patternKey, r *run, e *occurrence) bool {
	if p.over(r, e.time) {
		return false
	}
	var places []*place
	for _, pl := range r.places {
		if p.inForce(pl, k, e) {
			continue
		}
		moved := p.move(pl, k, e)
		if moved == nil {
			p.missed(pl, k, e)
			moved = []*place{pl}
		}
		for _, pl := range moved {
			if !p.dead(pl, e) {
				places = append(places, pl)
			}
		}
	}
	r.places = onePerPoint(places)
	return len(places) > 0
}

// onePerPoint keeps the first written of places at the same point.
func onePerPoint(places []*place) []*place {
	var out []*place
	for _, pl := range places {
		if !slices.ContainsFunc(out, func(other *place) bool { return other.point() == pl.point() }) {
			out = append(out, pl)
		}
	}
	return out
}

// win notes the first written place for which complete holds.
func (r *run) win(complete func(*place) bool) {
	r.won = nil
	if i := slices.IndexFunc(r.places, complete); i >= 0 {
		r.won = r.places[i]
	}
}

// over reports whether the time of a run has passed.
func (p *patternJudge) over(r *run, now int64) bool {
	return p.within != forever && now >= r.start.time+p.within
}

// choose ends the runs that have won, and makes alerts of those that are selected.
func (p *patternJudge) choose(k *patternKey, time int64) []*alert {
	var done, rest []*run
	for _, r := range k.runs {
		switch {
		case r.won == nil:
			rest = append(rest, r)
		case p.having == nil || truth(p.view(r.won.taken, k.key, nil, nil).eval(p.having)):
			done = append(done, r)
		}
	}
	k.runs = rest
	if len(done) == 0 {
		return nil
	}
	switch p.mode {
	case syntax.SelectFirst:
		done = done[:1]
	case syntax.SelectLast:
		done = done[len(done)-1:]
	}
	var out []*alert
	for _, r := range done {
		out = append(out, p.alert(k.key, time, r.won.taken, p.view(r.won.taken, k.key, nil, nil)))
	}
	if p.mode != syntax.SelectEvery {
		last := done[0].won.last()
		k.runs = slices.DeleteFunc(k.runs, func(r *run) bool { return r.start.seq <= last.seq })
	}
	return out
}

// due is the next deadline of a place of a run, and whether the place completes there.
func (p *patternJudge) due(r *run, pl *place) (deadline int64, completes bool) {
	end := int64(forever)
	if p.within != forever {
		end = r.start.time + p.within
	}
	j, deadline := p.pending(pl)
	if deadline < end {
		return deadline, j == len(p.parts)-1
	}
	return end, end != forever && p.absent(pl)
}

func (p *patternJudge) deadline() int64 {
	next := int64(forever)
	for _, k := range p.keys {
		for _, r := range k.runs {
			for _, pl := range r.places {
				at, _ := p.due(r, pl)
				next = min(next, at)
			}
		}
	}
	return next
}

func (p *patternJudge) fire(at int64) []*alert {
	var out []*alert
	for _, k := range p.keys {
		for _, r := range k.runs {
			p.pass(r, at)
		}
		k.runs = slices.DeleteFunc(k.runs, func(r *run) bool { return p.over(r, at) && r.won == nil })
		out = append(out, p.choose(k, at)...)
	}
	return out
}

// pass lets the deadlines of a run pass that are at a time.
func (p *patternJudge) pass(r *run, at int64) {
	r.win(func(pl *place) bool {
		deadline, completes := p.due(r, pl)
		return deadline == at && completes
	})
	for _, pl := range r.places {
		if j, deadline := p.pending(pl); deadline == at {
			pl.passed = j
		}
	}
}
