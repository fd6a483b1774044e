package syntax

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// Parse reads a rule file. It returns what parsed, never nil, and all errors, sorted
// and at most source.MaxErrors and one; a file of which nothing can be read (too big,
// not UTF-8, brackets nested too deep) has no declarations and says why.
func Parse(f *source.File) (*File, source.Errors) {
	out, errs := &File{Source: f}, &report{}
	if !isText(f, errs) {
		return out, errs.done()
	}
	controls(f, errs)
	toks, ok := scan(f, errs)
	if !ok {
		return out, errs.done()
	}
	s, ok := balance(f, toks, errs)
	if !ok {
		return out, errs.done()
	}
	out.Comments = comments(f, toks)
	p := &parser{
		stream: s, out: out, errs: errs, lex: peeking(s.toks),
		lacking: map[*Rule][]string{}, attrs: map[*Event]source.Span{},
	}
	p.file()
	p.markBroken()
	return out, errs.done()
}

func comments(f *source.File, toks []lexer.Token) []Comment {
	var out []Comment
	for _, t := range toks {
		if t.Type == commentToken {
			out = append(out, Comment{Span: tokenSpan(f, t)})
		}
	}
	return out
}

// peeking prepares the tokens for participle; it cannot fail, for replay does not.
func peeking(toks []lexer.Token) *lexer.PeekingLexer {
	lex, err := lexer.Upgrade(&replay{toks: toks}, spaceToken, commentToken, badToken)
	if err != nil {
		panic(err)
	}
	return lex
}

// parser reads one file. It goes from declaration to declaration and, within their
// bodies, from item to item, gives each to its production of the grammar, and after
// an error goes on at the next one.
type parser struct {
	*stream
	out    *File
	errs   *report
	lex    *lexer.PeekingLexer
	failed int // index of the token of the last error

	lacking map[*Rule][]string     // the clauses that a rule has not
	attrs   map[*Event]source.Span // the attributes of an event, their parentheses included
}

// read parses one production at the place at hand. Where it fails, that is reported,
// and what was captured before comes along: for a name, which others may refer to.
func read[P any](p *parser) (*P, bool) {
	v, err := production[P]().ParseFromLexer(p.lex, participle.AllowTrailing(true))
	if err != nil {
		p.reject(err)
	}
	return v, err == nil
}

// at is the index of the next token that is not elided.
func (p *parser) at() int {
	i := int(p.lex.RawCursor())
	for i < len(p.toks)-1 && elided(p.toks[i].Type) {
		i++
	}
	return i
}

// nextIndex is the index of the token after the i-th that is not elided.
func (p *parser) nextIndex(i int) int {
	for i++; i < len(p.toks)-1 && elided(p.toks[i].Type); i++ {
	}
	return min(i, len(p.toks)-1)
}

// taken is the index of the last token taken.
func (p *parser) taken() int { return max(int(p.lex.RawCursor())-1, 0) }

// jump moves forward to the token of that index.
func (p *parser) jump(i int) { p.lex.FastForward(lexer.RawCursor(i - 1)) }

// since is the place from a token to the last one taken.
func (p *parser) since(i int) source.Span {
	return tokenSpan(p.stream.file, p.toks[i]).To(tokenSpan(p.stream.file, p.toks[p.taken()]))
}

func (p *parser) file() {
	for i := p.at(); !p.toks[i].EOF(); i = p.at() {
		if !p.declaration(i) {
			p.resume(i, len(p.toks)-1, p.startsDecl)
		}
	}
}

// declaration reads one declaration, and reports false where it did not get to its
// end.
func (p *parser) declaration(i int) bool {
	switch p.toks[i].Value {
	case "event":
		return p.event(i)
	case "let":
		return p.let(i)
	case "fn":
		return p.fn(i)
	case "list":
		return p.list(i)
	case "table":
		return p.table(i)
	case "rule":
		return p.rule(i)
	case "test":
		return p.test(i)
	}
	p.unknown(codeDecl, i, "declaration", declWords)
	return false
}

// startsDecl reports whether a declaration seems to start at the token: its word at
// the start of a line or after a closing brace.
func (p *parser) startsDecl(i int) bool {
	return p.startsItem(i, declWords)
}

func (p *parser) startsItem(i int, words []string) bool {
	t := p.toks[i]
	return t.Type == wordToken && slices.Contains(words, t.Value) &&
		(startsLine(p.toks, i) || p.before(i).Value == "}")
}

// before returns the token before the i-th that is not elided.
func (p *parser) before(i int) lexer.Token { return p.toks[p.beforeIndex(i)] }

func (p *parser) beforeIndex(i int) int {
	for i--; i > 0 && elided(p.toks[i].Type); i-- {
	}
	return max(i, 0)
}

// resume goes on after an error in the item that began at token from: at the next
// token, outside of that item's brackets and not before the error, which starts an
// item, or at end.
func (p *parser) resume(from, end int, starts func(int) bool) {
	least := max(from+1, p.failed, p.at())
	for i := from; i < end; i++ {
		if i >= least && !elided(p.toks[i].Type) && starts(i) {
			p.jump(i)
			return
		}
		if partner := int(p.pair[i]); partner > i && partner < end {
			i = partner
		}
	}
	p.jump(end)
}

// body finds the brace that opens the body of a declaration whose head, from token
// from, is wrong; -1 if there is none.
func (p *parser) body(from int) int {
	for i := from + 1; i < len(p.toks)-1; i++ {
		switch {
		case p.startsDecl(i):
			return -1
		case p.toks[i].Type == punctToken && p.toks[i].Value == "{":
			return i
		case int(p.pair[i]) > i:
			i = int(p.pair[i])
		}
	}
	return -1
}

// items reads what stands between the bracket at token open and its partner, item by
// item, and moves behind it. It reports whether all items were well.
func (p *parser) items(open int, item func(i int) bool, starts func(i int) bool) bool {
	end, well := int(p.pair[open]), true
	p.jump(open + 1)
	for i := p.at(); i < end; i = p.at() {
		if !item(i) {
			well = false
			p.resume(i, end, starts)
		}
	}
	p.jump(end + 1)
	return well
}

// head reads the head of a declaration with a body. Where it is wrong it still finds
// the body, if there is one.
func head[P any](p *parser, from int) (g *P, open int, well bool) {
	g, well = read[P](p)
	if well {
		return g, p.taken(), true
	}
	return g, p.body(from), false
}

// comma takes a comma between items, if there is one.
func (p *parser) comma(well bool) bool {
	if well && p.lex.Peek().Type == punctToken && p.lex.Peek().Value == "," {
		p.lex.Next()
	}
	return well
}

// startsField reports whether `name:` begins at the token, on a line of its own or
// after a comma.
func (p *parser) startsField(i int) bool {
	return following(p.toks, i).Value == ":" && p.startsName(i)
}

// startsName reports whether a name stands at the token, first on its line or after a
// comma.
func (p *parser) startsName(i int) bool {
	return isName(p.toks[i]) && (startsLine(p.toks, i) || p.before(i).Value == ",")
}

// fields reads the fields between braces; commas between them may be left out.
func (p *parser) fields(open int) ([]*Field, bool) {
	var out []*Field
	well := p.items(open, func(i int) bool {
		if !isName(p.toks[i]) {
			p.expected(i, "a field", "")
			return false
		}
		start := p.lex.MakeCheckpoint()
		g, ok := read[fieldG](p)
		if ok && p.giveBack(i, p.taken(), start) {
			return true
		}
		if ok {
			out = append(out, p.field(g))
		}
		return p.comma(ok)
	}, p.startsField)
	return out, well
}

// giveBack looks whether the expression of the field at token i, which took token
// last, swallowed the name of the next field because its own end is missing. It
// reports that and goes back to that name.
func (p *parser) giveBack(i, last int, start lexer.Checkpoint) bool {
	if p.toks[p.at()].Value != ":" || !isName(p.toks[last]) || !startsLine(p.toks, last) {
		return false
	}
	p.lex.LoadCheckpoint(start)
	p.jump(last)
	p.fail(codeExpr, tokenSpan(p.stream.file, p.toks[i]), fmt.Sprintf("the expression of %s is missing or ends too early", show(p.toks[i].Value)), "")
	return true
}

func isName(t lexer.Token) bool { return t.Type == wordToken || t.Type == quotedToken }

// declared reads the fields that an event declares.
func (p *parser) declared(open int) ([]*FieldDecl, bool) {
	var out []*FieldDecl
	well := p.items(open, func(i int) bool {
		if !isName(p.toks[i]) {
			p.expected(i, "a field", "")
			return false
		}
		if next := p.nextIndex(i); isName(p.toks[next]) && startsLine(p.toks, next) && !slices.Contains(typeWords, p.toks[next].Value) {
			p.fail(codeUnexpected, tokenSpan(p.stream.file, p.toks[i]), fmt.Sprintf("the field %s has no type", show(p.toks[i].Value)), "")
			p.jump(next)
			return true
		}
		g, ok := read[fieldDeclG](p)
		if ok {
			out = append(out, p.fieldDecl(g, true))
		}
		return p.comma(ok)
	}, p.startsName)
	return out, well
}

// indexOf returns the index of the first token that ends behind the offset.
func (p *parser) indexOf(offset int) int {
	return sort.Search(len(p.toks)-1, func(i int) bool {
		return tokenEnd(p.toks[i]) > offset
	})
}

func (p *parser) event(from int) bool {
	g, open, well := head[eventG](p, from)
	e := &Event{Name: p.name(g.Name)}
	if well && g.Attrs {
		p.attrs[e] = p.spanOf(open)
		well = p.attributes(e, open)
		open = p.at()
		if p.toks[open].Value != "{" {
			p.expected(open, `"{" and the event's fields`, "")
			well, open = false, p.body(open)
		}
	}
	return p.declare(from, open, &e.Span, &e.Broken, well, func() (ok bool) {
		e.Fields, ok = p.declared(open)
		return ok
	}, func() { p.out.Events = append(p.out.Events, e); p.out.Decls = append(p.out.Decls, e) })
}

// declare finishes a declaration with a body: it reads the body if there is one, notes
// extent and health, and adds the declaration to the file. It reports false if there
// was no body to move behind.
func (p *parser) declare(from, open int, span *source.Span, broken *bool, well bool, body func() bool, add func()) bool {
	if open >= 0 {
		well = body() && well
	}
	*span, *broken = p.since(from), !well
	add()
	return open >= 0
}

func (p *parser) attributes(e *Event, open int) bool {
	seen := map[string]source.Span{}
	return p.items(open, func(i int) bool {
		if t := p.toks[i]; t.Type == wordToken && !slices.Contains(attrWords, t.Value) {
			p.unknown(codeClause, i, "attribute", attrWords)
			return false
		}
		g, ok := read[attrG](p)
		if ok {
			p.once(seen, "attribute", i)
			p.attribute(e, g)
		}
		return p.separated(ok, int(p.pair[open]))
	}, p.startsAttr)
}

func (p *parser) startsAttr(i int) bool { return p.before(i).Value == "," }

// separated takes the comma that must stand between two items in a list that ends at
// token end.
func (p *parser) separated(well bool, end int) bool {
	i := p.at()
	if well && i < end && p.toks[i].Value != "," {
		p.expected(i, `","`, "")
		return false
	}
	return p.comma(well)
}

func (p *parser) attribute(e *Event, g *attrG) {
	switch {
	case g.Time != nil:
		e.Time = p.timeAttr(g)
	case g.ID != nil:
		id := p.name(g.ID)
		e.ID = &id
	case g.SpanKey == "dedup":
		e.Dedup = p.duration(g.Duration)
	case g.SpanKey == "lateness":
		e.Lateness = p.duration(g.Duration)
	case g.SpanKey == "ahead":
		e.Ahead = p.duration(g.Duration)
	case g.Late != nil:
		word := p.word(g.Late, "fate of late events", lateWords)
		e.Late = &Late{Span: word.Span, Drop: word.Text == "drop"}
	}
}

func (p *parser) timeAttr(g *attrG) *TimeAttr {
	t := &TimeAttr{Field: p.name(g.Time)}
	t.Span = t.Field.Span
	if g.Unit != nil {
		t.Unit = p.word(g.Unit, "unit of time", unitWords)
		t.Span = t.Span.To(p.span(g.place))
	}
	return t
}

func (p *parser) let(from int) bool {
	g, well := read[letG](p)
	l := &Let{Name: p.name(g.Name), Broken: !well}
	if well {
		l.Expr = p.expr(g.Expr)
	}
	l.Span = p.since(from)
	p.out.Lets, p.out.Decls = append(p.out.Lets, l), append(p.out.Decls, l)
	return well
}

func (p *parser) fn(from int) bool {
	g, well := read[fnG](p)
	f := &Fn{Name: p.name(g.Name), Broken: !well}
	if well {
		f.Expr = p.expr(g.Expr)
		for _, param := range g.Params {
			d := p.fieldDecl(param, false)
			f.Params = append(f.Params, &Param{Span: d.Span, Name: d.Name, Type: d.Type})
		}
	}
	f.Span = p.since(from)
	p.out.Fns, p.out.Decls = append(p.out.Fns, f), append(p.out.Decls, f)
	return well
}

func (p *parser) list(from int) bool {
	g, well := read[listG](p)
	l := &List{Name: p.name(g.Name), Broken: !well}
	if well {
		l.Items, l.Path = p.exprs(g.Items), p.text(g.Path)
	}
	l.Span = p.since(from)
	p.out.Lists, p.out.Decls = append(p.out.Lists, l), append(p.out.Decls, l)
	return well
}

func (p *parser) table(from int) bool {
	g, well := read[tableG](p)
	t := &Table{Name: p.name(g.Name), Broken: !well}
	if well {
		t.Key, t.Path = p.name(g.Key), p.text(g.Path)
		t.By, t.From, t.Where, t.Keep = p.expr(g.By), p.name(g.From), p.expr(g.Where), p.duration(g.Keep)
		if g.Open {
			var ok bool
			t.Fields, ok = p.fields(p.taken())
			t.Broken = !ok
		}
	}
	t.Span = p.since(from)
	p.out.Tables, p.out.Decls = append(p.out.Tables, t), append(p.out.Decls, t)
	return well
}

func (p *parser) test(from int) bool {
	g, open, well := head[testG](p, from)
	t := &Test{Rules: p.names(g.Rules), Title: p.text(g.Title)}
	return p.declare(from, open, &t.Span, &t.Broken, well, func() bool {
		return p.items(open, func(i int) bool { return p.testItem(t, i) }, func(i int) bool {
			return p.startsItem(i, testWords)
		})
	}, func() { p.out.Tests = append(p.out.Tests, t); p.out.Decls = append(p.out.Decls, t) })
}

func (p *parser) testItem(t *Test, i int) bool {
	item, well := &TestItem{}, false
	switch p.toks[i].Value {
	case "at":
		item.At, well = p.atItem()
	case "expect":
		item.Expect, well = p.expectItem()
	default:
		p.unknown(codeClause, i, "statement", testWords)
		return false
	}
	if !well {
		return false
	}
	item.Span = p.since(i)
	if item.At != nil {
		item.At.Span = item.Span
	} else {
		item.Expect.Span = item.Span
	}
	t.Items = append(t.Items, item)
	return true
}

func (p *parser) atItem() (*At, bool) {
	g, well := read[atG](p)
	if !well {
		return nil, false
	}
	at := &At{Offset: *p.duration(g.Offset), Event: p.name(g.Event)}
	if g.Open {
		at.Fields, well = p.fields(p.taken())
		well = p.beside(at) && well
	}
	return at, well
}

// beside reads the key and the headers of a record that a test sends, where there are any.
func (p *parser) beside(at *At) bool {
	if word := p.toks[p.at()].Value; word != "key" && word != "headers" {
		return true
	}
	g, well := read[besideG](p)
	if !well {
		return false
	}
	if g.Key != nil {
		at.Key = p.expr(g.Key)
	}
	if g.Open {
		at.Headers, well = p.fields(p.taken())
	}
	return well
}

func (p *parser) expectItem() (*Expect, bool) {
	g, well := read[expectG](p)
	if !well {
		return nil, false
	}
	e := &Expect{Rule: p.name(g.Alert), At: p.duration(g.At)}
	switch {
	case g.Count != nil:
		e.Kind, e.Rule, e.Count = ExpectCount, p.name(g.Rule), p.number(g.Count)
	case g.No:
		e.Kind, e.Rule = ExpectNone, p.name(g.None)
	case g.Open:
		e.Fields, well = p.fields(p.taken())
	}
	return e, well
}

// unknown reports a word that begins no item. Behind the rest of an item it is that
// item which goes on wrong.
func (p *parser) unknown(code string, i int, what string, words []string) {
	t := p.toks[i]
	p.failed = i
	mend := ""
	if t.Type == wordToken {
		mend = among(t.Value, words)
	}
	if t.Type == wordToken && (startsLine(p.toks, i) || strings.Contains("{}(,", p.before(i).Value)) {
		p.fail(code, tokenSpan(p.stream.file, t), fmt.Sprintf("unknown %s %s", what, show(t.Value)), mend)
		return
	}
	if mend == "" && code == codeClause {
		mend = asElsewhere(t) // where the expression before it did not end
	}
	p.expected(i, article(what), mend)
}

// once reports an item that stands twice, and else notes where it stands.
func (p *parser) once(seen map[string]source.Span, what string, i int) bool {
	key, here := p.toks[i].Value, tokenSpan(p.stream.file, p.toks[i])
	first, twice := seen[key]
	if !twice {
		seen[key] = here
		return true
	}
	p.errs.add(source.Error{
		Code: codeTwice, Span: here, Message: fmt.Sprintf("%s %q stands twice", what, key),
		Mend: "keep one of them", Also: first, AlsoText: "first written here",
	})
	return false
}

func article(what string) string {
	if what == "attribute" {
		return "an attribute"
	}
	return "a " + what
}
