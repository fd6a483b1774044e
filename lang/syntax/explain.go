package syntax

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// reject reports an error of the grammar in the author's words, and notes where to go
// on from. Errors at a bracket that was put in are not reported: that it was missing
// was.
func (p *parser) reject(err error) {
	var perr participle.Error
	if !errors.As(err, &perr) {
		panic(fmt.Sprintf("participle answered with an error without a place: %v", err))
	}
	p.failed = p.indexOf(perr.Position().Offset)
	if p.errs.full() {
		return
	}
	var malformed *exprError
	if errors.As(err, &malformed) {
		p.rejectToken(codeExpr, malformed.at, malformed.message, malformed.mend)
		return
	}
	t := p.toks[p.failed]
	var unexpected *participle.UnexpectedTokenError
	if errors.As(err, &unexpected) {
		t = unexpected.Unexpected
	}
	first := firstOf(perr.Message())
	mend := ""
	if !startsLine(p.toks, p.failed) {
		mend = first.mend(t)
	}
	if mend == "" && slices.Contains(first.literals, "]") {
		mend = asElsewhere(t)
	}
	p.rejectToken(codeUnexpected, t, first.String()+p.after(t)+", found "+found(t), mend)
}

// expected reports that something else should stand at token i.
func (p *parser) expected(i int, what, mend string) {
	p.failed = i
	p.rejectToken(codeUnexpected, p.toks[i], "expected "+what+", found "+found(p.toks[i]), mend)
}

func (p *parser) rejectToken(code string, t lexer.Token, message, mend string) {
	at := tokenSpan(p.stream.file, t)
	switch {
	case inserted(t):
		return
	case t.EOF():
		at = p.lastSpan()
	case strings.Contains("|&||&&", t.Value) && mend == "":
		mend = "alternatives stand in parentheses: (a | b), (a & b)"
	}
	p.fail(code, at, message, mend)
}

// elsewhere are words and signs that go on with an expression in other languages, in
// small letters, with what stands for them here.
var elsewhere = map[string]string{
	"=":       "to compare write ==",
	"=>":      "to compare write >=",
	";":       "leave it out",
	"is":      "write == nil or != nil",
	"like":    "write startsWith, endsWith, contains or matches",
	"between": "write a <= x and x <= b",
}

// asElsewhere is the mend where t does not go on with the expression before it; it may
// be empty.
func asElsewhere(t lexer.Token) string {
	word := strings.ToLower(t.Value)
	if word != t.Value && slices.Contains(infixWords, word) {
		return "write " + word
	}
	return elsewhere[word]
}

// after names the token before t, where that says what t should have been.
func (p *parser) after(t lexer.Token) string {
	i := p.indexOf(t.Pos.Offset)
	if i == 0 {
		return ""
	}
	before := p.before(i)
	if before.Type != wordToken && before.Value != "->" && before.Value != "=>" && before.Value != "," {
		return ""
	}
	return " after " + show(before.Value)
}

// lastSpan is the end of the last token: where something is missing at the end of the
// file.
func (p *parser) lastSpan() source.Span {
	last := tokenSpan(p.stream.file, p.before(len(p.toks)-1))
	last.Start = last.End
	return last
}

// found names a token in a message.
func found(t lexer.Token) string {
	switch {
	case t.EOF():
		return "the end of the file"
	case t.Type == stringToken || t.Type == rawToken:
		return "the text " + shorten(t.Value)
	}
	return show(t.Value)
}

// firsts are the ways in which what was expected can begin: words and signs as the
// author writes them, and descriptions of the rest.
type firsts struct {
	literals []string
	kinds    []string
}

// said tells how a message calls a production, or a type of token.
var said = map[string]string{
	"DurationG": "a duration such as 10m", "<duration>": "a duration such as 10m",
	"NameG": "a name", "<word>": "a name", "<quoted>": "a name",
	"TextG": `a text in quotes`, "<string>": "a text in quotes", "<raw>": "a text in quotes",
	"NumberG": "a whole number", "<int>": "a whole number",
	"exprG": "an expression", "KeyG": "an expression", "FieldG": "a field", "FieldDeclG": "a field",
	"TypeG": "a type", "SeqG": "a step", "PartG": "a step", "StepG": "a step", "AnyG": "a step", "GroupG": `"("`,
	"SideG": `")"`, "NextG": `"->"`, "LinkG": `"->"`, "TagG": "a name", "RepeatG": "a repetition",
}

// firstOf reads what participle expected, which it writes as EBNF behind the word
// "expected", and returns how that can begin.
func firstOf(message string) firsts {
	_, text, ok := strings.Cut(message, "(expected ")
	var f firsts
	if !ok {
		return f
	}
	r := ebnfReader{text: strings.TrimSuffix(text, ")"), out: &f}
	r.sequence()
	return f
}

// ebnfReader walks over the EBNF as far as first elements go.
type ebnfReader struct {
	text string
	at   int
	out  *firsts
}

// sequence collects the first elements of a sequence, and of what follows them while
// they may be left out.
func (r *ebnfReader) sequence() {
	for r.element() {
	}
}

// element collects the firsts of one element and reports whether it may be left out.
func (r *ebnfReader) element() bool {
	r.skip(" ")
	if r.at >= len(r.text) {
		return false
	}
	switch c := r.text[r.at]; {
	case strings.HasPrefix(r.text[r.at:], "(?"):
		r.at = r.closing(r.at) + 1
		return true
	case c == '(':
		end := r.closing(r.at)
		for _, side := range alternatives(r.text[r.at+1 : end]) {
			inner := ebnfReader{text: side, out: r.out}
			inner.sequence()
		}
		r.at = end + 1
	case c == '"':
		end := r.at + 1 + strings.IndexByte(r.text[r.at+1:], '"')
		r.out.literals = append(r.out.literals, r.text[r.at+1:end])
		r.at = end + 1
	default:
		end := r.at + len(r.text[r.at:])
		if n := strings.IndexAny(r.text[r.at:], " ?*+)"); n >= 0 {
			end = r.at + n
		}
		r.out.kinds = append(r.out.kinds, r.text[r.at:end])
		r.at = max(end, r.at+1)
	}
	optional := r.at < len(r.text) && (r.text[r.at] == '?' || r.text[r.at] == '*')
	r.skip("?*+")
	return optional
}

func (r *ebnfReader) skip(chars string) {
	for r.at < len(r.text) && strings.IndexByte(chars, r.text[r.at]) >= 0 {
		r.at++
	}
}

// closing returns the index of the parenthesis that closes the one at open, or the end
// of the text.
func (r *ebnfReader) closing(open int) int {
	end := len(r.text)
	eachOutside(r.text[open:], func(i, depth int) bool {
		if r.text[open+i] == ')' && depth == 0 {
			end = open + i
			return false
		}
		return true
	})
	return end
}

// alternatives cuts the text at the bars outside of its parentheses.
func alternatives(text string) []string {
	var out []string
	from := 0
	eachOutside(text, func(i, depth int) bool {
		if text[i] == '|' && depth == 0 {
			out = append(out, text[from:i])
			from = i + 1
		}
		return true
	})
	return append(out, text[from:])
}

// eachOutside calls f with each character outside of quotes and the depth of
// parentheses after it, until f returns false.
func eachOutside(text string, f func(i, depth int) bool) {
	depth, quoted := 0, false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case quoted:
			continue
		case text[i] == '(':
			depth++
		case text[i] == ')':
			depth--
		}
		if !quoted && !f(i, depth) {
			return
		}
	}
}

// String writes the firsts as a list with "or", after the word expected.
func (f firsts) String() string {
	var parts []string
	for _, kind := range f.kinds {
		if words := said[kind]; words != "" && !slices.Contains(parts, words) {
			parts = append(parts, words)
		}
	}
	for _, l := range f.literals {
		if sign := fmt.Sprintf("%q", l); !slices.Contains(parts, sign) {
			parts = append(parts, sign)
		}
	}
	switch n := len(parts); n {
	case 0:
		return "expected something else"
	case 1:
		return "expected " + parts[0]
	default:
		return "expected " + strings.Join(parts[:n-1], ", ") + " or " + parts[n-1]
	}
}

// mend is the keyword that was meant by a misspelled one, or how the thing is written.
func (f firsts) mend(t lexer.Token) string {
	switch {
	case t.Type == wordToken && source.DidYouMean(t.Value, f.literals) != "":
		return source.DidYouMean(t.Value, f.literals)
	case t.Type == stringToken || len(f.kinds) == 0:
		return ""
	case t.Type == intToken && said[f.kinds[0]] == said["DurationG"]:
		return fmt.Sprintf("add a unit: %ss", t.Value)
	case t.Type == wordToken && f.kinds[0] == "TextG":
		return fmt.Sprintf(`write "%s"`, t.Value)
	}
	return ""
}
