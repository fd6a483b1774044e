package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// progress is how far a piece has come that has taken an event. It is never changed.
type progress struct {
	piece *piece
	turns int               // begun
	at    int               // sequence, either: the kid reached in this turn
	kids  map[int]*progress // of this turn, by number: those that have begun
	last  *occurrence       // taken by the piece
	taker *step             // of last
}

// done reports whether a piece needs nothing more.
func (pr *progress) done() bool {
	return pr.turnDone() && (pr.turns >= pr.piece.min || pr.piece.hollow())
}

func (pr *progress) turnDone() bool {
	switch pr.piece.kind {
	case syntax.StepPart:
		return true
	case syntax.OrPart:
		return pr.kids[pr.at].done()
	case syntax.SeqPart:
		rest := pr.piece.kids[pr.at+1:]
		return pr.kids[pr.at].done() && !slices.ContainsFunc(rest, func(kid *piece) bool { return !kid.optional() })
	}
	return pr.kidsDone() >= pr.piece.need
}

func (pr *progress) kidsDone() int {
	n := 0
	for i, kid := range pr.piece.kids {
		begun := pr.kids[i]
		n += btoi(begun != nil && begun.done() || begun == nil && kid.optional())
	}
	return n
}

// loose reports whether a side of an any was begun that was not done, and not needed.
func (pr *progress) loose() bool {
	for _, kid := range pr.kids {
		if kid.loose() || pr.piece.kind == syntax.AnyPart && !kid.done() {
			return true
		}
	}
	return false
}

// point names the place that the progress is at: how far each part has come, whatever
// the events taken. Which side of & or any took the last is not part of it.
func (pr *progress) point() string {
	if pr == nil {
		return "-"
	}
	var b strings.Builder
	fmt.Fprint(&b, pr.turns)
	if pr.piece.kind == syntax.SeqPart || pr.piece.kind == syntax.OrPart {
		fmt.Fprintf(&b, "@%d", pr.at)
	}
	for i := range pr.piece.kids {
		b.WriteString("(" + pr.kids[i].point() + ")")
	}
	return b.String()
}

// look is what deciding on an event needs: which steps it fits, and whether it is the
// key's next event after another.
type look struct {
	e    *occurrence
	fits func(*step) bool
	next func(after *occurrence) bool
	// before is the last event taken ahead of a piece that is to begin; nil: none.
	before *occurrence
	free   bool // match all: in all ways, not only as far as it can go
}

// behind is the look at a piece that would begin after an event.
func (at look) behind(before *occurrence) look {
	at.before = before
	return at
}

// allows reports whether a link lets the event follow another.
func (l link) allows(after *occurrence, at look) bool {
	gap := at.e.time - after.time
	return !(l.next && !at.next(after)) && gap >= l.from && (l.to == 0 || gap < l.to)
}

// begin is a piece whose first turn the event begins, in all ways in order of writing.
func (pc *piece) begin(at look) []*progress { return (&progress{piece: pc}).turn(at) }

// turn begins a further turn.
func (pr *progress) turn(at look) []*progress {
	pc := pr.piece
	fresh := &progress{piece: pc, turns: pr.turns + 1}
	switch pc.kind {
	case syntax.StepPart:
		if !at.fits(pc.step) {
			return nil
		}
		fresh.last, fresh.taker = at.e, pc.step
		return []*progress{fresh}
	case syntax.SeqPart:
		return fresh.farther(-1, at)
	}
	var out []*progress
	for i, kid := range pc.kids {
		out = append(out, fresh.with(i, kid.begin(at))...)
	}
	return out
}

// with is the progress with its kid i moved on, in each of several ways.
func (pr *progress) with(i int, moved []*progress) []*progress {
	var out []*progress
	for _, m := range moved {
		next := *pr
		next.at, next.last, next.taker = i, m.last, m.taker
		next.kids = map[int]*progress{i: m}
		for k, kid := range pr.kids {
			if k != i {
				next.kids[k] = kid
			}
		}
		out = append(out, &next)
	}
	return out
}

// move is what an event makes of a piece that has begun: as far as it can go, and in all
// ways where branches are open.
func (pr *progress) move(at look) []*progress {
	pc := pr.piece
	mayTurn := pr.turnDone() && (pc.max < 0 || pr.turns < pc.max) && !(at.free && pr.loose()) && !(pc.strict && !at.next(pr.last))
	var out []*progress
	if mayTurn {
		out = pr.turn(at.behind(pr.last))
		if out != nil && !at.free {
			return out
		}
	}
	switch pc.kind {
	case syntax.StepPart:
		return out
	case syntax.OrPart:
		return append(out, pr.with(pr.at, pr.kids[pr.at].move(at))...)
	case syntax.SeqPart:
		return append(out, pr.moveSequence(at)...)
	}
	full := pr.full(at.free)
	for i, kid := range pc.kids {
		if begun := pr.kids[i]; begun != nil {
			out = append(out, pr.with(i, begun.move(at))...)
		} else if !full {
			out = append(out, pr.with(i, kid.begin(at.behind(nil)))...)
		}
	}
	return out
}

// full reports whether an any begins no further side: as many as it needs have taken what
// they need, and in match all would be whole by themselves.
func (pr *progress) full(free bool) bool {
	n := 0
	for _, kid := range pr.kids {
		n += btoi(kid.done() && !(free && kid.loose()))
	}
	return pr.piece.kind == syntax.AnyPart && n >= pr.piece.need
}

func (pr *progress) moveSequence(at look) []*progress {
	now := pr.kids[pr.at]
	var out []*progress
	if now.done() {
		out = pr.farther(pr.at, at)
		if out != nil && !at.free {
			return out
		}
	}
	return append(out, pr.with(pr.at, now.move(at))...)
}

// farther is a sequence that goes on from kid i (-1: from its beginning) to a later one:
// to the last that can take the event, or in all ways.
func (pr *progress) farther(from int, at look) []*progress {
	pc := pr.piece
	if from >= 0 {
		at = at.behind(pr.kids[from].last)
	}
	var out []*progress
	for i := len(pc.kids) - 1; i > from && (out == nil || at.free); i-- {
		between := pc.kids[from+1 : i]
		if slices.ContainsFunc(between, func(kid *piece) bool { return !kid.optional() }) {
			continue
		}
		if i == 0 || at.before == nil || pc.links[i].allows(at.before, at) {
			out = append(out, pr.with(i, pc.kids[i].begin(at))...)
		}
	}
	return out
}

// dead reports whether a piece can no longer get done once an event has come, because it
// waits for a strict turn, or for what stands after => or a gap, and that time is over.
func (pr *progress) dead(came *occurrence) bool {
	pc := pr.piece
	if pr.turnDone() {
		return pc.strict && pr.turns < pc.min && pr.last != came
	}
	switch pc.kind {
	case syntax.OrPart:
		return pr.kids[pr.at].dead(came)
	case syntax.SeqPart:
		now := pr.kids[pr.at]
		var ahead []link
		for i := pr.at + 1; i < len(pc.kids); i++ {
			ahead = append(ahead, pc.links[i])
			if !pc.kids[i].optional() {
				break
			}
		}
		return now.dead(came) || now.done() && now.stuck(ahead, came)
	}
	left := len(pc.kids)
	for i := range pc.kids {
		left -= btoi(pr.kids[i] != nil && pr.kids[i].dead(came))
	}
	return left < pc.need
}

// stuck reports whether a piece that is done can go on by none of the links ahead of it.
// What waits for => alone is, even where the piece could repeat.
func (pr *progress) stuck(ahead []link, came *occurrence) bool {
	for _, l := range ahead {
		over := l.to > 0 && came.time-pr.last.time >= l.to
		if !over && !(l.next && pr.last != came) {
			return false
		}
	}
	if pr.last == came {
		return false
	}
	return pr.finished() || !slices.ContainsFunc(ahead, func(l link) bool { return !l.next })
}

// finished reports whether a piece can take no more events.
func (pr *progress) finished() bool {
	pc := pr.piece
	if !pr.turnDone() || pc.max < 0 || pr.turns < pc.max {
		return false
	}
	switch pc.kind {
	case syntax.SeqPart:
		return pr.at == len(pc.kids)-1 && pr.kids[pr.at].finished()
	case syntax.OrPart:
		return pr.kids[pr.at].finished()
	}
	for _, kid := range pr.kids {
		if !kid.finished() {
			return false
		}
	}
	return len(pr.kids) == len(pc.kids) || pr.full(false)
}
