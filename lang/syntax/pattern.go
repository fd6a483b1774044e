package syntax

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// MaxSteps is how many steps a pattern may have, negated ones counted.
const MaxSteps = 64

// patternReader turns one pattern into the AST. Its recursion is bounded by
// MaxNesting.
type patternReader struct {
	*parser
	steps int
}

func (p *parser) match(g *matchG) *Match {
	m := &Match{Span: p.span(g.place)}
	if g.Mode != nil {
		m.Mode = source.Span{File: p.stream.file, Start: g.Mode.Start, End: g.Mode.End}
		m.Select = selectOf(g.Mode.Word)
	}
	r := &patternReader{parser: p}
	m.Pattern = r.seq(g.Seq)
	return m
}

// tooLong reports a pattern that surely has too many steps, before participle spends
// time on each: what joins steps is counted, from token i to the next clause. It looks
// only so far ahead: a clause may stand as often as the file has room.
func (p *parser) tooLong(i int) bool {
	links := 0
	const ahead = 16 * MaxSteps
	for end := min(i+ahead, len(p.toks)-1); i < end; i++ {
		if p.toks[i].Type != punctToken {
			continue
		}
		switch p.toks[i].Value {
		case "[", "{":
			i = int(p.pair[i])
		case "}":
			return false // the rule's end
		case "->", "=>", "|", "&":
			links++
		}
		if links == MaxSteps {
			p.failed = i
			p.tooManySteps(tokenSpan(p.stream.file, p.toks[i]))
			return true
		}
	}
	return false
}

func (p *parser) tooManySteps(at source.Span) {
	p.fail(codeSteps, at, fmt.Sprintf("the pattern has more than %d steps", MaxSteps), "split it into rules that emit events for each other")
}

func selectOf(word string) Select {
	for i, w := range selectWords {
		if w == word {
			return Select(i)
		}
	}
	return SelectFirst
}

func (r *patternReader) seq(g *seqG) *Pattern {
	first := r.part(g.First)
	if len(g.Rest) == 0 {
		return first
	}
	out := &Pattern{Span: r.span(g.place), Kind: SeqPart, Parts: []*Pattern{first}, Links: []Link{{}}}
	for _, next := range g.Rest {
		out.Links = append(out.Links, r.link(next.Link))
		out.Parts = append(out.Parts, r.part(next.Part))
	}
	return out
}

func (r *patternReader) link(g *linkG) Link {
	l := Link{Span: r.span(g.place), Next: g.Next}
	if g.Upper == nil {
		l.Max = r.duration(g.Bound)
		return l
	}
	l.Min, l.Max = r.duration(g.Bound), r.duration(g.Upper)
	return l
}

func (r *patternReader) part(g *partG) *Pattern {
	p := r.atom(g)
	whole := r.span(g.place)
	switch {
	case g.Not:
		r.negate(p, g, whole)
	case g.For != nil:
		r.fail(codeNegation, r.span(g.For.place), `"for" says how long an event must be absent: it follows a negation`, "put ! before the step, or use within")
	}
	if g.Repeat != nil && !g.Not {
		if p.Repeat != nil || p.Not {
			p = &Pattern{Kind: SeqPart, Parts: []*Pattern{p}, Links: []Link{{}}}
		}
		p.Repeat = r.repeat(g.Repeat)
	}
	p.Span = whole
	return p
}

// atom reads a part without its !, repetition and for.
func (r *patternReader) atom(g *partG) *Pattern {
	switch {
	case g.Any != nil:
		return r.any(g.Any)
	case g.Group != nil:
		return r.group(g.Group)
	}
	r.steps++
	if r.steps == MaxSteps+1 {
		r.tooManySteps(r.span(g.Step.place))
	}
	return &Pattern{Kind: StepPart, Step: r.step(g.Step)}
}

func (r *patternReader) any(g *anyG) *Pattern {
	p := &Pattern{Kind: AnyPart, Need: r.number(g.Need)}
	for _, side := range g.Sides {
		p.Parts = append(p.Parts, r.seq(side))
	}
	if n := p.Need.Value; n < 1 || n > len(p.Parts) {
		r.fail(codeNeed, p.Need.Span, fmt.Sprintf("any %d of %d cannot be", n, len(p.Parts)), fmt.Sprintf("write a number from 1 to %d", len(p.Parts)))
	}
	return p
}

// group reads what is in parentheses. One side is itself; several are joined all by |
// or all by &.
func (r *patternReader) group(g *groupG) *Pattern {
	first := r.seq(g.First)
	if len(g.Sides) == 0 {
		return first
	}
	op := g.Sides[0].Op
	p := &Pattern{Kind: OrPart, Parts: []*Pattern{first}}
	if op == "&" {
		p.Kind = AndPart
	}
	mixed := false
	for _, side := range g.Sides {
		p.Parts = append(p.Parts, r.seq(side.Seq))
		if side.Op != op && !mixed {
			mixed = true
			r.fail(codeMixed, r.span(side.place), `"|" and "&" stand in one group`, "put parentheses around what belongs together")
		}
	}
	return p
}

// negate marks a part as negated, if it is one that can be: a step, or steps joined
// by |, none of them repeated.
func (r *patternReader) negate(p *Pattern, g *partG, whole source.Span) {
	p.Not, p.For = true, r.duration(g.For)
	switch {
	case g.Repeat != nil:
		r.fail(codeNegation, r.span(g.Repeat.place), "a negation cannot be repeated", "leave the repetition out: it forbids every such event")
	case !negatable(p):
		r.fail(codeNegation, whole, "only a step, or steps joined by |, can be negated", "write !name[condition] or !(a | b)")
	}
}

func negatable(p *Pattern) bool {
	if p.Repeat != nil {
		return false
	}
	if p.Kind == StepPart {
		return true
	}
	for _, side := range p.Parts {
		if side.Kind != StepPart || side.Repeat != nil || side.Not {
			return false
		}
	}
	return p.Kind == OrPart
}

func (r *patternReader) repeat(g *repeatG) *Repeat {
	out := &Repeat{Span: r.span(g.place), Min: 1, Max: -1, Strict: g.Strict}
	switch {
	case g.Sign == "*":
		out.Min = 0
	case g.Sign == "?":
		out.Min, out.Max = 0, 1
	case g.Min != nil:
		r.bounds(g, out)
	}
	return out
}

func (r *patternReader) bounds(g *repeatG, out *Repeat) {
	out.Braces, out.Min = true, r.number(g.Min).Value
	switch {
	case g.Max != nil:
		out.Max = r.number(g.Max).Value
	case !g.Comma:
		out.Max = out.Min
	}
	switch {
	case out.Max == 0:
		out.Max = 1
		r.fail(codeRepeat, out.Span, "a repetition of none", "write !name for an event that must not occur")
	case out.Max > 0 && out.Max < out.Min:
		r.fail(codeRepeat, out.Span, fmt.Sprintf("at least %d and at most %d contradict", out.Min, out.Max), fmt.Sprintf("write {%d,%d}", out.Max, out.Min))
		out.Max = out.Min
	}
}

func (p *parser) step(g *stepG) *Step {
	return &Step{
		Span: p.span(g.place), Name: p.name(g.Name), Event: p.name(g.Event),
		Cond: p.expr(g.Cond), By: p.keys(g.By),
	}
}
