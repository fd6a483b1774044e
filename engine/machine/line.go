package machine

import (
	"math"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Most patterns are a line: steps one after the other, some of them repeated or optional,
// negations that simply end what waits before them. Runs of a line need not each look at
// each event. They wait in rooms, one for every point of the line at which a run can stand,
// and an event opens the rooms that can use it and no others:
//
//   - Where the next step's condition looks at the event alone, all runs of a room go on,
//     each at most once through each room: amortised O(1) an event.
//   - Runs that repeat a step take the same events: the room has one log of them, and a run
//     knows only where in it it began.
//   - Where the next step compares with what a run took, the room is kept in the order of
//     the compared value (see order), and the event finds those it satisfies. One whose
//     condition looks at the run in any other way is asked of each run of the room.
//   - Gaps count from when the run came to the room, and runs stand in it in that order:
//     those whose gap has passed, or has not begun, are at an end of it.
//
// Runs are also linked in order of start, so that within, the limit of runs and a match
// that drops the runs before it take from the front.

// line is the compiled form of such a pattern.
type line struct {
	rooms  []room // a room leads to later ones only
	start  []roomWay
	waits  int    // rooms, but for the last ones, in which a run can wait
	awake  int    // rooms, but for the last ones, in which no event matters
	starts uint64 // steps that can begin a run
	ends   int    // the room whose runs wait for an absence; -1: none
	ripens int    // the room whose runs wait for within to pass as a match; -1: none
	gaps   []int  // rooms whose runs end when a gap has passed
	sieve  *order // nil, or all rooms but those in which no event matters are sieved, by the same number of the event
	sees   bool   // some room is for the key's next event alone: events that fit no step matter too
	leaves int
	logs   int
	leafOf []int32 // by log
	// inOrder says that no condition looks at the run, and no gap keeps it from going on at
	// once: then a run which began before another one is never behind it, and its stretches
	// begin no later.
	inOrder bool
}

// room is a point of the line at which runs wait.
type room struct {
	stage    int
	leaf     int    // of its stage
	step     uint64 // of its stage, as a set
	wakes    uint64 // steps that matter to a run here
	barred   uint64 // steps that end a run here
	next     []roomWay
	min, max int // of a room with a log: turns that are enough, and the most (-1: no bound)
	log      int // number of its log, -1 of a room whose runs take no more of its step
	full     int // where runs go that have the most turns
	order    *order
	sieved   bool  // an event that the order finds no runs for changes nothing here
	done     bool  // a run that comes here, its turns being enough, is complete
	minGap   int64 // from the last event taken to the next one
	maxGap   int64 // math.MaxInt64: none
	only     bool  // =>: the key's next event, or none
	after    int64 // of the room that ends an absence: its span
	late     int   // of that room: where runs wait whose within passes before
}

// roomWay is a way on, by an event of a step.
type roomWay struct {
	to   int
	step uint64
	leaf int
	fit  cond
	rest cond // what is left of fit for those that the order finds
	bare bool // rest looks at nothing of the run but events of steps that are not repeated
}

// newLine makes the line of a pattern, nil where its runs need places of their own or
// look at each event.
func (p *Pattern) newLine(c eval.Compiler) *line {
	if p.mode == plan.SelectAll || p.grouped || len(p.leads) > 0 || !p.onlyCounts() {
		return nil
	}
	for i := range p.stages {
		if !p.isPlain(&p.stages[i]) {
			return nil
		}
	}
	l := &line{ends: -1, ripens: -1, leaves: len(p.leaves), inOrder: !p.anyFits(math.MaxUint64)}
	l.build(p)
	for i := range l.rooms {
		r := &l.rooms[i]
		r.order = p.newOrder(c, r)
		p.bareWays(r.next)
		r.sieved = r.order != nil && r.barred == 0 && !r.only
	}
	l.sieve = l.oneSieve()
	return l
}

// oneSieve is the order by which all rooms that an event can matter to ask the same of it.
func (l *line) oneSieve() *order {
	first := l.rooms[0].order
	for i := range l.rooms[:l.awake] {
		r := &l.rooms[i]
		if o := r.order; !r.sieved || o.equal || o.field < 0 || o.field != first.field || o.turn != first.turn {
			return nil
		}
	}
	return first
}

// bareWays finds the ways whose rest needs no more of the frame than some events.
func (p *Pattern) bareWays(ways []roomWay) {
	for i := range ways {
		w := &ways[i]
		w.bare = w.rest.holds != nil && !w.rest.key && len(p.rule.Aggs) == 0
		for leaf := range p.leaves {
			if l := &p.leaves[leaf]; l.repeats && w.rest.steps&(1<<l.step) != 0 {
				w.bare = false
			}
		}
	}
}

// onlyCounts reports whether all aggregates are numbers of events, which need no state.
func (p *Pattern) onlyCounts() bool {
	for i := range p.rule.Aggs {
		if a := &p.rule.Aggs[i]; a.Func != windows.Count || a.Arg.Value != nil || a.Arg.Cond != nil {
			return false
		}
	}
	return true
}

// isPlain reports whether a stage is one of a line.
func (p *Pattern) isPlain(s *stage) bool {
	l := &p.leaves[s.leaf]
	repeats := s.max < 0 || s.max > 1
	if s.strict || repeats != l.repeats || repeats && p.fits[l.step].holds != nil {
		return false
	}
	for i := range s.next {
		if t := &s.next[i]; t.past.after > 0 || t.isBound() && (len(s.next) > 1 || repeats || s.final.ok) {
			return false
		}
	}
	last := s.index == len(p.stages)-1
	if s.final.ok && s.final.waits && (!last || repeats) {
		return false
	}
	return p.onlyBars(s) && (s.past.after == 0 || last)
}

// isBound reports whether it matters when the next event comes, or what came before it.
func (t *transition) isBound() bool { return t.now || t.minGap > 0 || t.maxGap != math.MaxInt64 }

// onlyBars reports whether every negation in force at the stage ends a run for good.
func (p *Pattern) onlyBars(s *stage) bool {
	for i := range s.forbids {
		f := &s.forbids[i]
		if f.from > 0 || f.to != math.MaxInt64 && !(s.final.ok && !s.final.within && f.to == s.final.after) {
			return false
		}
		for j := range s.next {
			if s.next[j].negs&f.bit == 0 {
				return false
			}
		}
		if s.final.ok && s.final.negs&f.bit == 0 || p.anyFits(f.steps) {
			return false
		}
	}
	return true
}

// anyFits reports whether one of the steps has a condition that looks at the run.
func (p *Pattern) anyFits(steps uint64) bool {
	for step := range p.fits {
		if steps&(1<<step) != 0 && p.fits[step].holds != nil {
			return true
		}
	}
	return false
}

// build makes the rooms: one a stage, and a second one behind it where its turns have
// a bound; behind the last one that of runs which can only end.
func (l *line) build(p *Pattern) {
	entry := make([]int, len(p.stages))
	for i := range p.stages {
		s := &p.stages[i]
		entry[i] = len(l.rooms)
		r := room{stage: i, leaf: s.leaf, step: s.steps, min: s.min, max: 1, maxGap: math.MaxInt64, log: -1, done: s.final.ok && !s.final.waits}
		if p.leaves[s.leaf].repeats {
			r.log, r.max = l.logs, s.max
			l.logs++
			l.leafOf = append(l.leafOf, int32(s.leaf))
		}
		r.full = len(l.rooms) + 1
		l.rooms = append(l.rooms, r)
		if r.max > 1 {
			r.log, r.min = -1, 0
			l.rooms = append(l.rooms, r)
		}
	}
	for i := range l.rooms {
		if l.connect(p, &l.rooms[i], entry); l.rooms[i].maxGap < math.MaxInt64 {
			l.gaps = append(l.gaps, i)
		}
	}
	for i := range p.start {
		w := p.wayTo(p.start[i].to, entry)
		l.start = append(l.start, w)
		l.starts |= w.step
	}
	l.endings(p)
	l.waits = len(l.rooms)
	for l.waits > 1 && l.rooms[l.waits-1].isEnd() {
		l.waits--
	}
	l.awake = l.waits
	for l.awake > 0 && l.rooms[l.awake-1].wakes == 0 && !l.rooms[l.awake-1].only {
		l.awake--
	}
}

// isEnd reports whether a run that comes to the room is complete.
func (r *room) isEnd() bool { return r.done && r.min <= 1 }

func (p *Pattern) wayTo(stage int, entry []int) roomWay {
	s := &p.stages[stage]
	step := p.leaves[s.leaf].step
	return roomWay{to: entry[stage], step: 1 << step, leaf: s.leaf, fit: p.fits[step]}
}

// connect works out what matters to the runs of a room.
func (l *line) connect(p *Pattern, r *room, entry []int) {
	s := &p.stages[r.stage]
	for i := range s.next {
		w := p.wayTo(s.next[i].to, entry)
		r.next = append(r.next, w)
		r.wakes |= w.step
		r.minGap, r.maxGap, r.only = s.next[i].minGap, s.next[i].maxGap, s.next[i].now
	}
	l.inOrder = l.inOrder && r.minGap == 0
	l.sees = l.sees || r.only
	for i := range s.forbids {
		r.barred |= s.forbids[i].steps
	}
	if r.log >= 0 {
		r.wakes |= r.step
	}
	r.wakes |= r.barred
}

// endings notes how the last room waits for an absence.
func (l *line) endings(p *Pattern) {
	f, last := &p.stages[len(p.stages)-1].final, len(l.rooms)-1
	switch {
	case !f.waits:
	case f.within:
		l.ripens = last
	default:
		l.ends = last
		l.rooms[last].after = f.after
		late := l.rooms[last]
		l.rooms[last].late = last + 1
		l.rooms = append(l.rooms, late)
	}
}
