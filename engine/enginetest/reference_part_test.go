package enginetest

import "github.com/cepheus-cep/cepheus/lang/syntax"

// part is one part of the outermost sequence of a pattern, where alone negations stand.
type part struct {
	link
	neg   bool
	hold  int64   // `for D` of a negation; 0: none
	steps []*step // of a negation
	piece *piece  // of any other part
}

// link is what stands before a part of a sequence.
type link struct {
	next     bool  // =>
	from, to int64 // gap; to 0: no bound
}

// piece is a step or a group with its repetition.
type piece struct {
	kind     syntax.PatternKind
	step     *step
	kids     []*piece
	links    []link // of a sequence: before each kid
	need     int
	min, max int // turns; max -1: no bound
	strict   bool
}

// step is one event of a pattern.
type step struct {
	name, kind string
	cond       *node
	by         []*syntax.Key
	many       bool // it may take several events
}

// parts are those of the outermost sequence. by is the rule's key, which steps without
// one of their own have.
func parts(p *syntax.Pattern, by []*syntax.Key) []*part {
	if p.Kind != syntax.SeqPart || p.Repeat != nil {
		return []*part{newPart(p, syntax.Link{}, by)}
	}
	var out []*part
	for i, sub := range p.Parts {
		out = append(out, newPart(sub, p.Links[i], by))
	}
	return out
}

func newPart(p *syntax.Pattern, l syntax.Link, by []*syntax.Key) *part {
	out := &part{neg: p.Not, link: newLink(l)}
	if !p.Not {
		out.piece = newPiece(p, by, false)
		return out
	}
	if p.For != nil {
		out.hold = p.For.Nanos
	}
	steps := []*syntax.Pattern{p}
	if p.Kind == syntax.OrPart {
		steps = p.Parts
	}
	for _, sub := range steps {
		out.steps = append(out.steps, newStep(sub.Step, by, false))
	}
	return out
}

func newLink(l syntax.Link) link {
	out := link{next: l.Next}
	if l.Min != nil {
		out.from = l.Min.Nanos
	}
	if l.Max != nil {
		out.to = l.Max.Nanos
	}
	return out
}

// newPiece makes a piece; many says that a group around it is repeated.
func newPiece(p *syntax.Pattern, by []*syntax.Key, many bool) *piece {
	out := &piece{kind: p.Kind, min: 1, max: 1}
	if r := p.Repeat; r != nil {
		out.min, out.max, out.strict = r.Min, r.Max, r.Strict
	}
	many = many || out.max != 1
	if p.Kind == syntax.StepPart {
		out.step = newStep(p.Step, by, many)
	}
	if p.Need != nil {
		out.need = p.Need.Value
	}
	for i, sub := range p.Parts {
		out.kids = append(out.kids, newPiece(sub, by, many))
		if p.Kind == syntax.SeqPart {
			out.links = append(out.links, newLink(p.Links[i]))
		}
	}
	if p.Kind == syntax.AndPart {
		out.need = len(out.kids)
	}
	return out
}

func newStep(s *syntax.Step, by []*syntax.Key, many bool) *step {
	out := &step{name: s.Name.Text, kind: s.Event.Text, cond: expr(s.Cond), by: by, many: many}
	if out.name == "" {
		out.name = out.kind
	}
	if s.By != nil {
		out.by = s.By
	}
	return out
}

// each calls f for every step of a piece.
func (pc *piece) each(f func(*step)) {
	if pc.step != nil {
		f(pc.step)
	}
	for _, kid := range pc.kids {
		kid.each(f)
	}
}

// each calls f for every step of a part, negated or not.
func (p *part) each(f func(*step)) {
	for _, s := range p.steps {
		f(s)
	}
	if p.piece != nil {
		p.piece.each(f)
	}
}

// optional reports whether a part can be left out; a negation cannot, nor taken.
func (p *part) optional() bool { return !p.neg && p.piece.optional() }

func (pc *piece) optional() bool { return pc.min == 0 || pc.hollow() }

// hollow reports whether a turn of a piece needs no event.
func (pc *piece) hollow() bool {
	n := 0
	for _, kid := range pc.kids {
		n += btoi(kid.optional())
	}
	switch pc.kind {
	case syntax.StepPart:
		return false
	case syntax.OrPart:
		return n > 0
	case syntax.SeqPart:
		return n == len(pc.kids)
	}
	return n >= pc.need
}
