package machine

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// How the automaton of a pool is made. Whatever way leads there, all that a combination
// has before it depends on the places that it can be at (see group.go), with turns beyond
// what matters taken together. A state is such a set of places, so that from a state a
// step leads to one other, and different ways through the automaton are different
// combinations, also where a group takes the same events in several ways.

// newPool makes the pool of a pattern, nil where it needs places: where it must know
// more of the past than what has been taken by which step.
func (p *Pattern) newPool() *pool {
	if p.gaps || p.seesAll || len(p.leads) > 0 || slices.ContainsFunc(p.stages, p.needsPlaces) {
		return nil
	}
	b := automaton{p: p, numbers: map[string]int{}}
	if !b.build() {
		return nil
	}
	c := &pool{}
	if c.moves, c.cyclic = b.trimmed(); len(c.moves) > 1+maxPoolStates {
		return nil
	}
	c.asks = p.rule.Having != nil && (p.having.steps != 0 || reads(p.rule.Having, plan.OpAgg))
	c.listed = p.rule.Pattern.Limit > 0 || c.asks
	c.few = max(fewPooled, len(c.moves))
	c.most = maxPoolWays / max(len(c.moves)-1, 1)
	c.copies = c.cyclic || c.repeatsInTwoWays()
	c.compile()
	return c
}

// repeatsInTwoWays reports whether several steps lead from some state to itself: an event
// that each of them can take adds the state's number to itself more than once.
func (c *pool) repeatsInTwoWays() bool {
	for q, moves := range c.moves {
		n := 0
		for _, m := range moves {
			if m.to == q {
				n++
			}
		}
		if n > 1 && q > 0 {
			return true
		}
	}
	return false
}

// needsPlaces reports whether more matters at a stage than what has been taken: a span,
// a negation, or what a condition reads of earlier steps.
func (p *Pattern) needsPlaces(s stage) bool {
	if len(s.forbids) > 0 || s.final.waits || slices.ContainsFunc(s.next, func(t transition) bool { return t.minGap > 0 }) {
		return true
	}
	for rest := s.steps; rest != 0; rest &= rest - 1 {
		if p.fits[bits.TrailingZeros64(rest)].holds != nil {
			return true
		}
	}
	return s.root != nil && s.root.hasGap()
}

// hasGap reports whether some link within the part has a span.
func (n *part) hasGap() bool {
	return slices.ContainsFunc(n.links, func(l plan.Link) bool { return l.MinGap > 0 || l.MaxGap > 0 }) ||
		slices.ContainsFunc(n.kids, (*part).hasGap)
}

// automaton is one while it is made. State 0 is the start.
type automaton struct {
	p       *Pattern
	places  [][]run // by state; of a run only where it stands
	numbers map[string]int
	moves   [][]poolMove
	placed  int // places in all states
}

// Bounds while an automaton is made: some of its states may lead to no match; each has
// one place where no group is repeated within a group.
const (
	maxMadeStates = 2 * maxPoolStates
	maxMadePlaces = 2 * maxMadeStates
)

// build finds all states; it reports whether there are not too many.
func (b *automaton) build() bool {
	b.places = append(b.places, nil)
	for q := 0; q < len(b.places); q++ {
		var moves []poolMove
		for step, leaf := range b.p.leafAt {
			if leaf < 0 {
				continue
			}
			if places := b.after(q, 1<<step); len(places) > 0 {
				moves = append(moves, poolMove{step: 1 << step, to: b.state(places), completes: b.complete(places)})
			}
		}
		b.moves = append(b.moves, moves)
		if len(b.places) > maxMadeStates || b.placed > maxMadePlaces {
			return false
		}
	}
	return true
}

// after lists the places at which a combination can be once the step has taken an event.
func (b *automaton) after(q int, step uint64) (out []run) {
	p := b.p
	a := asker{p: p, mask: step, all: true}
	if q == 0 {
		for _, t := range p.start {
			if p.stages[t.to].steps&step != 0 {
				out = b.add(out, run{stage: -1}, p.enterStage(&a, t.to, nil))
			}
		}
		return out
	}
	for i := range b.places[q] {
		r := b.places[q][i]
		a.r = &r
		out = b.add(out, r, p.ways(&a, &p.stages[r.stage], nil))
	}
	return out
}

// add adds the places to which the ways from a place lead.
func (b *automaton) add(out []run, from run, ways []alt) []run {
	for _, way := range ways {
		to := run{stage: int32(way.stage), turns: 1, config: way.config}
		if to.stage == from.stage {
			to.turns = from.turns + 1
		}
		s := &b.p.stages[to.stage]
		if s.root != nil {
			to.turns = 0
			s.root.forget(to.config)
		} else if s.max < 0 {
			to.turns = min(to.turns, int32(max(s.min, 1)))
		}
		out = append(out, to)
	}
	return out
}

// forget drops from a config of a match all what makes no difference to it: times, and
// turns beyond the least of a part that has no most.
func (n *part) forget(c config) {
	own := &c[n.cell]
	own.last, own.stale = 0, false
	if n.max < 0 {
		own.turns = min(own.turns, int32(max(n.min, 1)))
	}
	for _, kid := range n.kids {
		kid.forget(c)
	}
}

// state is the number of the state of some places.
func (b *automaton) state(places []run) int {
	at := map[string]run{}
	for i := range places {
		at[string(b.p.point(nil, &places[i]))] = places[i]
	}
	points := slices.Sorted(maps.Keys(at))
	name := strings.Join(points, "\n")
	if q, ok := b.numbers[name]; ok {
		return q
	}
	distinct := make([]run, len(points))
	for i, point := range points {
		distinct[i] = at[point]
	}
	b.numbers[name] = len(b.places)
	b.places, b.placed = append(b.places, distinct), b.placed+len(distinct)
	return b.numbers[name]
}

func (b *automaton) complete(places []run) bool {
	return slices.ContainsFunc(places, func(r run) bool { return b.p.isComplete(&r) })
}

// trimmed gives the moves between the states from which a match can come, the states
// in an order in which moves lead on where there is one; else it is cyclic.
func (b *automaton) trimmed() (moves [][]poolMove, cyclic bool) {
	useful := b.useful()
	var order []int
	const open, done = 1, 2
	seen := make([]int, len(b.moves))
	var visit func(q int)
	visit = func(q int) {
		seen[q] = open
		for _, m := range b.moves[q] {
			switch {
			case m.to == q || !useful[m.to]:
			case seen[m.to] == 0:
				visit(m.to)
			case seen[m.to] == open:
				cyclic = true
			}
		}
		seen[q] = done
		order = append(order, q)
	}
	visit(0)
	slices.Reverse(order)
	return b.renumbered(order), cyclic
}

// useful tells the states from which some event, or several, complete a combination.
func (b *automaton) useful() []bool {
	out := make([]bool, len(b.moves))
	for changed := true; changed; {
		changed = false
		for q, moves := range b.moves {
			if !out[q] && slices.ContainsFunc(moves, func(m poolMove) bool { return m.completes || out[m.to] }) {
				out[q], changed = true, true
			}
		}
	}
	return out
}

// renumbered gives the moves of some states, the start first, by their numbers there.
func (b *automaton) renumbered(order []int) [][]poolMove {
	number := make([]int, len(b.moves))
	for n, q := range order {
		number[q] = n
	}
	out := make([][]poolMove, len(order))
	for n, q := range order {
		for _, m := range b.moves[q] {
			if m.to = number[m.to]; m.to > 0 || m.completes {
				out[n] = append(out[n], m)
			}
		}
	}
	return out
}

// compile lays the moves out for the matrices.
func (c *pool) compile() {
	for from, moves := range c.moves {
		for _, m := range moves {
			c.note(from, m)
			if m.to == 0 {
				continue
			}
			way := poolWay{step: m.step, from: int32(from), to: int32(m.to)}
			way.dst, way.src, way.n = int32(c.column(m.to)), int32(c.column(from)), int32(c.height(from))
			c.folds = append(c.folds, way)
			way.dst, way.src, way.n = int32(c.row(from, m.to)), int32(c.row(m.to, m.to)), int32(len(c.moves)-m.to)
			if c.cyclic {
				way.dst, way.src, way.n = int32(c.row(from, 0)), int32(c.row(m.to, 0)), int32(len(c.moves))
			}
			c.flips = append(c.flips, way)
		}
	}
	// What is added is what was there before the event: a column takes from lower ones,
	// which come after it, a row from higher ones, and each from itself first.
	slices.SortFunc(c.folds, func(a, b poolWay) int { return cmp.Or(cmp.Compare(b.to, a.to), cmp.Compare(b.from, a.from)) })
	slices.SortFunc(c.flips, func(a, b poolWay) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
}

// Matrices are upper triangular, unless the pattern is cyclic: by columns, column q has
// q+1 numbers; by rows, row q has those from column q on.

// size is how many numbers a matrix has.
func (c *pool) size() int { return c.column(len(c.moves)) }

// column is where column q begins, by columns.
func (c *pool) column(q int) int {
	if c.cyclic {
		return q * len(c.moves)
	}
	return q * (q + 1) / 2
}

// height is how many numbers column q has.
func (c *pool) height(q int) int {
	if c.cyclic {
		return len(c.moves)
	}
	return q + 1
}

// row is where the number in row q at column r is, by rows.
func (c *pool) row(q, r int) int {
	if c.cyclic {
		return q*len(c.moves) + r
	}
	return q*len(c.moves) - q*(q+1)/2 + r
}

// note takes a move into the sets of steps and the list of ends.
func (c *pool) note(from int, m poolMove) {
	if m.completes {
		c.ends = append(c.ends, poolEnd{step: m.step, from: from})
	}
	switch {
	case from > 0 && m.completes:
		c.ending |= m.step
	case from == 0 && m.to > 0:
		c.begins |= m.step
	}
	if from > 0 && m.to > 0 {
		c.leads |= m.step
	}
}
