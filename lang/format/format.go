package format

import (
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Widths of the layout, in characters.
const (
	indent = 4
	width  = 100
)

// File lays a rule file out. Where it does not parse, the messages say why and the text is
// empty.
func File(f *source.File) (string, source.Errors) {
	parsed, errs := syntax.Parse(f)
	if errs.HasErrors() {
		return "", errs
	}
	p := &printer{file: f, toks: syntax.Tokens(f)}
	p.decls(parsed)
	return p.out.String(), nil
}

// printer writes one file.
type printer struct {
	file *source.File
	toks []syntax.Token
	out  strings.Builder
}

func (p *printer) text(t syntax.Token) string { return p.file.Text[t.Start:t.End] }

// within lists the tokens from one offset to another.
func (p *printer) within(from, to int) []syntax.Token {
	i, _ := slices.BinarySearchFunc(p.toks, from, func(t syntax.Token, at int) int { return t.Start - at })
	j, _ := slices.BinarySearchFunc(p.toks, to, func(t syntax.Token, at int) int { return t.Start - at })
	return p.toks[i:max(i, j)]
}

// of lists the tokens of a place.
func (p *printer) of(s source.Span) []syntax.Token { return p.within(s.Start, s.End) }

// sameLine reports whether no line ends between two offsets.
func (p *printer) sameLine(from, to int) bool {
	return from > to || !strings.Contains(p.file.Text[from:to], "\n")
}

// emptyLine reports whether an empty line stands between two offsets.
func (p *printer) emptyLine(from, to int) bool {
	return from < to && strings.Count(p.file.Text[from:to], "\n") > 1
}

// decls writes the declarations with the comments around them.
func (p *printer) decls(f *syntax.File) {
	var items []*item
	for _, d := range f.Decls {
		items = append(items, p.item(d.DeclSpan(), func(*item) string { return p.decl(d) }))
	}
	rest := p.comments(0, len(p.file.Text), items)
	for i, it := range items {
		if i > 0 && (it.gap || !closeTogether(f.Decls[i-1], f.Decls[i])) {
			p.out.WriteByte('\n')
		}
		p.write(it, 0)
	}
	if len(rest) > 0 && len(items) > 0 {
		p.out.WriteByte('\n')
	}
	p.lead(rest, 0)
}

// closeTogether reports whether no empty line need stand between two declarations.
func closeTogether(a, b syntax.Decl) bool { return isLine(a) && isLine(b) }

func isLine(d syntax.Decl) bool {
	switch d := d.(type) {
	case *syntax.Let, *syntax.Fn, *syntax.List:
		return true
	case *syntax.Table:
		return d.Path != nil
	}
	return false
}

// decl lays a declaration out, without a line end.
func (p *printer) decl(d syntax.Decl) string {
	switch d := d.(type) {
	case *syntax.Event:
		return p.event(d)
	case *syntax.Rule:
		return p.rule(d)
	case *syntax.Test:
		return p.test(d)
	case *syntax.Table:
		if d.Path == nil {
			return p.projection(d)
		}
	case *syntax.List:
		return p.list(d)
	}
	return p.broken(p.flow(p.of(d.DeclSpan()), flowDecl), p.of(d.DeclSpan()), flowDecl, indent, isLogic)
}

// head lays out what stands before a brace. It ends with a line end where a comment does
// not let the brace follow on its line.
func (p *printer) head(from, open int, kind flowKind) string {
	toks := p.within(from, open)
	text := p.flow(toks, kind)
	if last := toks[len(toks)-1]; last.Kind == syntax.CommentToken && strings.HasPrefix(p.text(last), "//") {
		text += "\n"
	}
	return text
}

// joined puts a text behind a head.
func joined(head, text string) string {
	if strings.HasSuffix(head, "\n") {
		return head + text
	}
	return head + " " + text
}

// body is where the braces of a declaration stand: of the last that are not within another
// bracket.
func (p *printer) body(span source.Span) (open, end int) {
	toks, depth := p.of(span), 0
	for i := len(toks) - 1; i >= 0; i-- {
		switch p.text(toks[i]) {
		case "}", ")", "]":
			depth++
		case "{", "(", "[":
			if depth--; depth == 0 {
				return toks[i].Start, span.End - 1
			}
		}
	}
	return span.End, span.End
}

func (p *printer) event(d *syntax.Event) string {
	open, end := p.body(d.Span)
	var items []*item
	columns := 0
	names := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		names[i] = f.Name.Span.Text()
		columns = max(columns, length(names[i]))
	}
	for i, f := range d.Fields {
		items = append(items, p.item(f.Span, func(it *item) string {
			if it.holdsComment {
				return p.flow(p.of(f.Span), flowDecl)
			}
			return pad(names[i], columns) + " " + typeText(f.Type)
		}))
	}
	return p.block(p.head(d.Span.Start, open, flowDecl), open, end, items, keepGaps)
}

// typeText writes a type.
func typeText(t *syntax.Type) string {
	text := ""
	switch t.Kind {
	case syntax.ListType:
		text = "[" + typeText(t.Elem) + "]"
	case syntax.RecordType:
		parts := []string{"{"}
		for i, f := range t.Fields {
			space := ""
			if i > 0 {
				space = " "
			}
			parts = append(parts, space+f.Name.Span.Text()+" "+typeText(f.Type))
		}
		text = strings.Join(parts, " ") + " }"
	default:
		text = t.Name.Span.Text()
	}
	if t.Optional {
		text += "?"
	}
	return text
}

// clauseOrder is the order of clauses in a rule.
var clauseOrder = []string{
	"severity", "tags", "label", "runbook", "mode", "from", "by", "let", "window", "match", "within", "until",
	"having", "once", "limit", "emit", "suppress", "to",
}

func (p *printer) rule(d *syntax.Rule) string {
	open, end := p.body(d.Span)
	emits := map[int]*syntax.Emit{}
	for _, e := range append(slices.Clone(d.Derived), d.Emit) {
		if e != nil {
			emits[e.Span.Start] = e
		}
	}
	var items []*item
	for _, c := range d.Clauses {
		items = append(items, p.item(c.Span, func(*item) string { return p.clause(c, emits[c.Span.Start]) }))
		items[len(items)-1].order = slices.Index(clauseOrder, c.Keyword.Text())
	}
	return p.block(p.head(d.Span.Start, open, flowDecl), open, end, items, inOrder)
}

// clause lays a clause out.
func (p *printer) clause(c syntax.Clause, emit *syntax.Emit) string {
	toks := p.of(c.Span)
	switch keyword := c.Keyword.Text(); {
	case emit != nil:
		return p.emit(emit)
	case keyword == "match" || keyword == "until":
		return p.broken(p.flow(toks, flowPattern), toks, flowPattern, len("match "), isArrow)
	}
	return p.broken(p.flow(toks, flowExpr), toks, flowExpr, indent, isLogic)
}

func (p *printer) emit(e *syntax.Emit) string {
	open, end := p.body(e.Span)
	return p.fields(p.head(e.Span.Start, open, flowExpr), open, end, e.Fields, indent)
}

func (p *printer) projection(d *syntax.Table) string {
	open, end := p.body(d.Span)
	return p.fields(p.head(d.Span.Start, open, flowDecl), open, end, d.Fields, 0)
}

// fields writes named values in braces: on one line where they fit and hold no comment,
// else a line each, the values in one column.
func (p *printer) fields(head string, open, end int, fields []*syntax.Field, at int) string {
	if text := joined(head, p.inline(fields)); !p.anyComment(open, end) && length(text)+at <= width {
		return text
	}
	columns := 0
	for _, f := range fields {
		columns = max(columns, length(f.Name.Span.Text()))
	}
	var items []*item
	for _, f := range fields {
		items = append(items, p.item(f.Span, func(it *item) string {
			if it.holdsComment {
				return p.flow(p.of(f.Span), flowExpr)
			}
			return pad(f.Name.Span.Text()+":", columns+1) + " " + p.flow(p.of(f.Expr.Span), flowValue)
		}))
	}
	return p.block(head, open, end, items, keepGaps)
}

// inline writes named values in braces on one line.
func (p *printer) inline(fields []*syntax.Field) string {
	if len(fields) == 0 {
		return "{}"
	}
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name.Span.Text() + ": " + p.flow(p.of(f.Expr.Span), flowValue)
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func (p *printer) test(d *syntax.Test) string {
	open, end := p.body(d.Span)
	columns := 0
	for _, it := range d.Items {
		if it.At != nil && it.At.Event.Text != "" {
			columns = max(columns, length(it.At.Offset.Span.Text()))
		}
	}
	var items []*item
	for _, it := range d.Items {
		items = append(items, p.item(it.Span, func(own *item) string { return p.testItem(it, own, columns) }))
	}
	return p.block(p.head(d.Span.Start, open, flowExpr), open, end, items, keepGaps)
}

func (p *printer) testItem(it *syntax.TestItem, own *item, columns int) string {
	fields, braces := []*syntax.Field(nil), false
	if x := it.Expect; x != nil {
		fields, braces = x.Fields, len(x.Fields) > 0
	} else {
		fields, braces = it.At.Fields, it.At.Event.Text != ""
	}
	switch {
	case own.holdsComment || !braces:
		return p.flow(p.of(it.Span), flowExpr)
	case it.At != nil:
		return "at " + pad(it.At.Offset.Span.Text(), columns) + " " + it.At.Event.Span.Text() + " " + p.inline(fields) + p.beside(it.At)
	}
	open, _ := p.body(it.Span)
	return p.flow(p.within(it.Span.Start, open), flowExpr) + " " + p.inline(fields)
}

// beside writes the key and the headers of a record that a test sends.
func (p *printer) beside(at *syntax.At) (text string) {
	if at.Key != nil {
		text += " key " + p.flow(p.of(at.Key.Span), flowValue)
	}
	if len(at.Headers) > 0 {
		text += " headers " + p.inline(at.Headers)
	}
	return text
}

// list writes the elements of a list that is too long for a line as many to a line as fit.
func (p *printer) list(d *syntax.List) string {
	text := p.flow(p.of(d.Span), flowDecl)
	if length(text) <= width && !strings.Contains(text, "\n") || len(d.Items) == 0 || p.anyComment(d.Span.Start, d.Span.End) {
		return text
	}
	var b strings.Builder
	b.WriteString("list " + d.Name.Span.Text() + " = [")
	at := width
	for _, x := range d.Items {
		e := p.flow(p.of(x.Span), flowValue) + ","
		if at+1+length(e) > width {
			b.WriteString("\n" + strings.Repeat(" ", indent) + e)
			at = indent + length(e)
			continue
		}
		b.WriteString(" " + e)
		at += 1 + length(e)
	}
	return b.String() + "\n]"
}
