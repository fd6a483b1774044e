package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// laws reports patterns that can match nothing, never or everything, and negations
// where they would mean nothing certain.
func (p *pattern) laws() {
	kids, links := p.elements()
	inside := p.noNegationInside(kids)
	if p.nullable(p.plan.Root) {
		if !inside { // which lets a group be passed
			p.fail(codeNothing, p.decl.Match.Pattern.Span, "let at least one step be needed", "the pattern can match nothing: no event need be taken")
		}
		return
	}
	for i, n := range kids {
		if n.Neg {
			p.negation(kids, links, i)
		}
	}
	last := kids[len(kids)-1]
	if last.Neg && p.plan.Select == plan.SelectLast {
		p.fail(codeLastAbsence, p.decl.Match.Mode, "write match first",
			"match last cannot end in a negation: at its deadline no start is nearer than another")
	}
	p.longEnough()
	p.warnings(kids, links)
}

// elements are the parts of the outermost sequence, where alone negations may stand,
// and the links before them.
func (p *pattern) elements() ([]*plan.Node, []plan.Link) {
	root := p.plan.Root
	if root.Kind == plan.NodeSeq && p.origin[root].Repeat == nil {
		return root.Kids, root.Links
	}
	return []*plan.Node{root}, []plan.Link{{}}
}

// nullable reports whether a node can be passed without an event.
func (p *pattern) nullable(n *plan.Node) bool {
	if n.Neg || n.Min == 0 {
		return true
	}
	skipped := 0
	for _, kid := range n.Kids {
		if p.nullable(kid) {
			skipped++
		}
	}
	switch n.Kind {
	case plan.NodeStep:
		return false
	case plan.NodeOr:
		return skipped > 0
	case plan.NodeAny:
		return skipped >= n.Need
	}
	return skipped == len(n.Kids)
}

// noNegationInside reports negations below the elements of the outermost sequence, and
// whether there are any.
func (p *pattern) noNegationInside(kids []*plan.Node) bool {
	found := false
	for _, n := range kids {
		if !n.Neg {
			found = p.eachNegation(n) || found
		}
	}
	return found
}

func (p *pattern) eachNegation(n *plan.Node) bool {
	found := false
	for _, kid := range n.Kids {
		if !kid.Neg {
			found = p.eachNegation(kid) || found
			continue
		}
		found = true
		p.fail(codeNegationInside, p.origin[kid].Span, "write it before or after the group",
			"a negation cannot stand inside |, &, any or a repetition")
	}
	return found
}

// negation checks element i, which is one.
func (p *pattern) negation(kids []*plan.Node, links []plan.Link, i int) {
	if i == 0 {
		p.leadingNegation(kids, links)
		return
	}
	if links[i].Next {
		p.fail(codeNegationBeside, p.linkSpan(i), "write -> before it", "=> says which event comes next: it cannot stand before a negation")
	}
	if i > 1 || !kids[0].Neg {
		p.noGap(links, i)
	}
	if i == len(kids)-1 {
		p.trailingNegation(kids[i])
		return
	}
	p.noGap(links, i+1)
	if kids[i+1].Neg && (kids[i].For > 0 || kids[i+1].For > 0) {
		p.fail(codeNegationBeside, p.origin[kids[i+1]].Span, "write !(A | B) for D, or put a step between them",
			"two negations side by side cannot have for")
	}
	if !slices.ContainsFunc(kids[i+1:], func(n *plan.Node) bool { return !p.nullable(n) || n.Neg }) {
		p.fail(codeNegationEnd, p.origin[kids[i]].Span, "let one of the steps after it be needed, or leave them out",
			"all that follows this negation can be left out: it has no end")
	}
	p.forWithin(kids[i])
}

// linkSpan is the place of the link before element i > 0.
func (p *pattern) linkSpan(i int) source.Span { return p.links[p.plan.Root][i] }

// leadingNegation checks `!A ->[D] B`: what it says is about the D before the first
// event.
func (p *pattern) leadingNegation(kids []*plan.Node, links []plan.Link) {
	at := p.origin[kids[0]].Span
	if kids[0].For > 0 {
		p.fail(codeNegationStart, at, "write !A ->[D] B", "for counts from the event before, and here is none")
		return
	}
	link, next := links[1], kids[1]
	switch {
	case next.Neg:
		p.fail(codeNegationStart, p.origin[next].Span, "write !(A | B)", "a negation at the start stands before a step")
	case link.MaxGap == 0:
		p.fail(codeNegationStart, at, "write ->[D] after it: no such event in the D before the first step",
			"a negation at the start needs a gap")
	case link.MinGap > 0:
		p.fail(codeNegationStart, p.linkSpan(1), "write ->[D]", "the gap after a negation at the start has one bound")
	case p.nullable(next):
		p.fail(codeNegationStart, p.origin[next].Span, "let it be needed", "the step after a negation at the start cannot be left out")
	}
}

func (p *pattern) noGap(links []plan.Link, i int) {
	if links[i].MaxGap > 0 || links[i].MinGap > 0 {
		p.fail(codeNegationGap, p.linkSpan(i), "write ->, and use within, or for after the negation",
			"a gap cannot stand beside a negation but at the start")
	}
}

func (p *pattern) trailingNegation(n *plan.Node) {
	if p.origin[n].For == nil && p.decl.Within == nil {
		p.fail(codeNegationEnd, p.origin[n].Span, "add for D to it, or within D to the rule",
			"a negation at the end needs a time by which it has held")
	}
	p.forWithin(n)
}

func (p *pattern) forWithin(n *plan.Node) {
	if f := p.origin[n].For; f != nil && f.Nanos == 0 {
		p.fail(codeDuration, f.Span, "", "for 0s says nothing")
	}
	if p.plan.Within > 0 && n.For >= p.plan.Within {
		p.fail(codeForWithin, p.origin[n].For.Span, "", "for %s is not shorter than within %s: it never ends in time",
			duration(n.For), duration(p.plan.Within))
	}
}

// longEnough compares within with the least time that the pattern takes.
func (p *pattern) longEnough() {
	if p.plan.Within == 0 || p.hasLongFor(p.plan.Root) {
		return
	}
	if least := p.least(p.plan.Root); least >= p.plan.Within {
		p.fail(codeBounds, p.decl.Within.Span, "", "the pattern takes at least %s, which is not less than within %s",
			duration(least), duration(p.plan.Within))
	}
}

// hasLongFor reports a for that forWithin has told of.
func (p *pattern) hasLongFor(n *plan.Node) bool {
	return n.For >= p.plan.Within && n.For > 0 || slices.ContainsFunc(n.Kids, p.hasLongFor)
}

// least is the least time between the first and the last event of a node, or its
// deadline. It saturates.
func (p *pattern) least(n *plan.Node) int64 {
	var each int64
	times := make([]int64, len(n.Kids))
	for i, kid := range n.Kids {
		times[i] = p.least(kid)
		if n.Kind == plan.NodeSeq && !p.nullable(kid) {
			each = plus(each, n.Links[i].MinGap)
		}
	}
	slices.Sort(times)
	switch {
	case n.Kind == plan.NodeSeq:
		for _, t := range times {
			each = plus(each, t)
		}
	case n.Kind == plan.NodeOr && len(times) > 0:
		each = times[0]
	case n.Kind == plan.NodeAnd && len(times) > 0:
		each = times[len(times)-1]
	case n.Kind == plan.NodeAny && n.Need >= 1 && n.Need <= len(times):
		each = times[n.Need-1]
	}
	if n.Min > 0 && each > math.MaxInt64/int64(n.Min) {
		return math.MaxInt64
	}
	return plus(each*int64(n.Min), n.For)
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// warnings tells of runs that may live forever, and of steps that are never taken.
func (p *pattern) warnings(kids []*plan.Node, links []plan.Link) {
	last := kids[len(kids)-1]
	told := last.Neg && p.origin[last].For == nil // trailingNegation asks for within, too
	if p.decl.Within == nil && !told && !bounded(kids, links) {
		at, _ := p.decl.Clause("match")
		p.warn(codeNoWithin, at.Keyword, "add within D", "the pattern has no within: an unfinished run waits forever")
	}
	if !last.Neg && last.Min == 0 && p.plan.Select != plan.SelectAll {
		p.warn(codeNeverMore, p.origin[last].Repeat.Span, "leave the part out, or let it be needed",
			"the pattern is complete before this part, which is never taken")
	}
}

// bounded reports whether every wait of a run has an end of its own: a gap before each
// single step, or for at the end.
func bounded(kids []*plan.Node, links []plan.Link) bool {
	start := 0
	if kids[0].Neg {
		start = 1
	}
	for i := start; i < len(kids); i++ {
		n := kids[i]
		isLast := i == len(kids)-1
		waits := i > start && links[i].MaxGap == 0
		turns := n.Kind != plan.NodeStep || n.Max != 1 && (!isLast || n.Min > 1)
		switch {
		case n.Neg && !isLast:
			return false
		case n.Neg:
		case waits || turns:
			return false
		}
	}
	return true
}

// duration writes nanoseconds as rule files do: 1h30m.
func duration(ns int64) string {
	if ns == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range [...]struct {
		name string
		size int64
	}{{"d", 864e11}, {"h", 36e11}, {"m", 6e10}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}} {
		if n := ns / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + u.name)
			ns -= n * u.size
		}
	}
	return b.String()
}

func parts(n int) string {
	if n == 1 {
		return "1 part"
	}
	return fmt.Sprintf("%d parts", n)
}
