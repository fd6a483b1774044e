package syntax

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// From what the grammar captured to the AST. A nil production, one that was not
// written, gives nil or the zero value.

func (p *parser) span(at place) source.Span {
	// A production that failed half way has no end.
	end := max(at.Pos.Offset, at.EndPos.Offset)
	return source.Span{File: p.stream.file, Start: at.Pos.Offset, End: end}
}

func (p *parser) fail(code string, at source.Span, message, mend string) {
	p.errs.add(source.Error{Code: code, Span: at, Message: message, Mend: mend})
}

// name takes the backticks off; a word that expressions keep for themselves needs
// them.
func (p *parser) name(g *nameG) Name {
	if g == nil {
		return Name{}
	}
	n := Name{Span: p.span(g.place), Text: strings.Trim(g.Raw, "`")}
	if Reserved(g.Raw) {
		p.fail(codeReserved, n.Span, fmt.Sprintf("%q has a meaning of its own in expressions", g.Raw), "as a name write it `"+g.Raw+"`")
	}
	return n
}

func (p *parser) names(gs []*nameG) []Name {
	var out []Name
	for _, g := range gs {
		out = append(out, p.name(g))
	}
	return out
}

// word takes a name that must be one of the words.
func (p *parser) word(g *nameG, what string, words []string) Name {
	n := Name{Span: p.span(g.place), Text: g.Raw}
	for _, w := range words {
		if w == g.Raw {
			return n
		}
	}
	p.fail(codeWord, n.Span, fmt.Sprintf("unknown %s %s", what, show(g.Raw)), among(g.Raw, words))
	return n
}

// among is the mend for a word that is none of the words: the near one, or, where
// there are few, all of them.
func among(word string, words []string) string {
	if near := source.DidYouMean(word, words); near != "" {
		return near
	}
	if len(words) > 8 {
		return ""
	}
	return "known are " + strings.Join(words, ", ")
}

// text unescapes a quoted text. It is no expression, so ${ in it is a mistake.
func (p *parser) text(g *textG) *Text {
	if g == nil {
		return nil
	}
	t := &Text{Span: p.span(g.place)}
	if len(g.Raw) < 2 || g.Raw[len(g.Raw)-1] != g.Raw[0] {
		return t // reported by the scanner: it does not end
	}
	if at := interpolation(g.Raw); at >= 0 {
		here := t.Span
		here.Start += at
		here.End = here.Start + len("${")
		p.fail(codeTemplate, here, `"${" has no meaning here: this text is the same for every alert`, `write \${, or put it into emit`)
		return t
	}
	value, err := Unquote(g.Raw)
	if err != nil {
		here := t.Span
		here.Start += err.Offset
		here.End = here.Start + err.Len
		p.fail(codeEscape, here, fmt.Sprintf("unknown escape %s", here.Text()), `known are \n \t \r \\ \" \' \$ \xHH \uHHHH`)
	}
	t.Value = value
	return t
}

// interpolation returns the offset of the first ${ in a "…" literal, -1 if it has
// none.
func interpolation(literal string) int {
	if literal[0] != '"' {
		return -1
	}
	for i := 1; i < len(literal)-1; i++ {
		switch {
		case literal[i] == '\\':
			i++
		case strings.HasPrefix(literal[i:], "${"):
			return i
		}
	}
	return -1
}

// duration reads a duration; a malformed one was reported by the scanner.
func (p *parser) duration(g *durationG) *Duration {
	if g == nil {
		return nil
	}
	nanos, err := ParseDuration(g.Raw)
	if err != nil {
		nanos = 0
	}
	return &Duration{Span: p.span(g.place), Nanos: nanos}
}

// maxNumber bounds the numbers that are no expressions: counts of events and turns.
const maxNumber = 1_000_000_000

// number reads a whole number; a malformed one was reported by the scanner.
func (p *parser) number(g *numberG) *Number {
	if g == nil {
		return nil
	}
	n, err := parseInt(g.Raw)
	if err != nil {
		n = 1
	}
	if n > maxNumber {
		p.fail(codeNumber, p.span(g.place), fmt.Sprintf("%s is more than %d, the limit for a number here", g.Raw, maxNumber), "")
		n = maxNumber
	}
	return &Number{Span: p.span(g.place), Value: int(n)}
}

func (p *parser) expr(g *exprG) *Expr {
	if g == nil {
		return nil
	}
	return &Expr{Span: source.Span{File: p.stream.file, Start: g.Start, End: g.End}}
}

func (p *parser) exprs(gs []*exprG) []*Expr {
	var out []*Expr
	for _, g := range gs {
		out = append(out, p.expr(g))
	}
	return out
}

func (p *parser) field(g *fieldG) *Field {
	return &Field{Span: p.span(g.place), Name: p.name(g.Name), Expr: p.expr(g.Expr)}
}

// fieldDecl reads a declared field. In events the types are the basic ones.
func (p *parser) fieldDecl(g *fieldDeclG, basic bool) *FieldDecl {
	return &FieldDecl{Span: p.span(g.place), Name: p.name(g.Name), Type: p.typ(g.Type, basic)}
}

func (p *parser) typ(g *typeG, basic bool) *Type {
	t := &Type{Span: p.span(g.place), Optional: g.Optional}
	switch {
	case g.Elem != nil:
		t.Kind, t.Elem = ListType, p.typ(g.Elem, basic)
	case g.Record:
		t.Kind = RecordType
		for _, f := range g.Fields {
			t.Fields = append(t.Fields, p.fieldDecl(f, basic))
		}
	case basic:
		t.Name = p.word(g.Name, "type", typeWords)
	default:
		t.Name = p.name(g.Name)
	}
	return t
}

func (p *parser) keys(gs []*keyG) []*Key {
	var out []*Key
	for _, g := range gs {
		out = append(out, &Key{Span: p.span(g.place), Expr: p.expr(g.Expr), As: p.name(g.As)})
	}
	return out
}

// tags are names, or quoted texts where they are no words.
func (p *parser) tags(gs []*tagG) []Name {
	var out []Name
	for _, g := range gs {
		if g.Name != nil {
			out = append(out, p.name(g.Name))
			continue
		}
		t := p.text(g.Text)
		out = append(out, Name{Span: t.Span, Text: t.Value})
	}
	return out
}

func (p *parser) lowerWindow(g *windowG) *Window {
	w := &Window{
		Span: p.span(g.place), Name: p.name(g.Name),
		Count: p.number(g.Count), Every: p.duration(g.Every), Max: p.duration(g.Max), Zone: p.text(g.Zone),
		Early: g.TSoon || g.HSoon || g.SSoon,
	}
	switch {
	case g.Size != nil:
		w.Kind, w.Size = Sliding, p.duration(g.Size)
	case g.TSize != nil:
		w.Kind, w.Size = Tumbling, p.duration(g.TSize)
	case g.HSize != nil:
		w.Kind, w.Size = Hopping, p.duration(g.HSize)
	case g.Gap != nil:
		w.Kind, w.Size = Session, p.duration(g.Gap)
	case g.LastN == "last":
		w.Kind = LastN
	default:
		w.Kind = Batch
	}
	return w
}
