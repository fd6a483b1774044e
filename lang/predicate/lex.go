package predicate

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// maxLength bounds an expression's text, in bytes.
const maxLength = 64 << 10

type tokenKind uint8

const (
	tokPunct    tokenKind = iota
	tokWord               // a word that is no operator and no literal
	tokName               // a name in backticks
	tokOperator           // a word that is an operator, or true, false, nil, let
	tokLiteral            // value
	tokText               // a text with interpolations: a call of its parts
)

// token is one token of an expression. Those that interpolation puts in have the
// place of what they stand for.
type token struct {
	kind       tokenKind
	start, end int    // byte offsets in the file
	out        int    // offset in the emitted text
	text       string // a name's or word's text, a punctuation mark
	value      event.Value
	emit       string
	match      int // of a bracket: index of its partner
}

// parsed is the text of one expression: its tokens, in order.
type parsed struct {
	file *source.File
	span source.Span
	toks []token
}

// lexer turns a span into tokens.
type lexer struct {
	parsed
	text  string
	at    int
	end   int
	open  []int // indices of brackets that are open
	errs  *source.Errors
	stuck bool // nothing after this place can be understood
}

// lex returns the tokens of an expression; what is wrong is reported.
func lex(span source.Span, errs *source.Errors) *parsed {
	l := &lexer{parsed: parsed{file: span.File, span: span}, text: span.File.Text, at: span.Start, end: span.End, errs: errs}
	if span.End-span.Start > maxLength {
		l.fail(codeTooLarge, span.Start, span.Start+1, "the expression is longer than 64 KB", "name its parts with let or fn")
		return &l.parsed
	}
	l.run("")
	if len(l.open) > 0 && !l.stuck {
		t := l.toks[l.open[len(l.open)-1]]
		l.fail(codeBracket, t.start, t.end, fmt.Sprintf("%q is never closed", t.text), "")
	}
	return &l.parsed
}

func (l *lexer) fail(code string, from, to int, message, mend string) {
	*l.errs = append(*l.errs, source.Error{
		Code: code, Span: source.Span{File: l.file, Start: from, End: to}, Message: message, Mend: mend,
	})
}

// run reads tokens to the end, or to the closing mark of an interpolation.
func (l *lexer) run(until string) {
	depth := len(l.open)
	for !l.stuck {
		l.space()
		if l.at >= l.end {
			return
		}
		if until != "" && len(l.open) == depth && strings.HasPrefix(l.text[l.at:l.end], until) {
			return
		}
		l.token()
	}
}

// space moves past white space and comments.
func (l *lexer) space() {
	for l.at < l.end {
		rest := l.text[l.at:l.end]
		switch {
		case rest[0] <= ' ' || rest[0] == 0x7F:
			l.at++
		case strings.HasPrefix(rest, "//"):
			l.at += lineLen(rest)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				l.at = l.end
				return
			}
			l.at += n + 4
		default:
			return
		}
	}
}

func lineLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

func (l *lexer) token() {
	rest := l.text[l.at:l.end]
	c := rest[0]
	switch {
	case c == '"':
		l.quoted()
	case c == '\'' || c == '`':
		l.raw(c)
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]) && !l.afterOperand():
		l.number(rest)
	default:
		if n := wordLen(rest); n > 0 {
			l.word(rest[:n])
		} else {
			l.punct(rest)
		}
	}
}

// afterOperand reports whether the token before ends an operand, so that a dot is
// access to a field.
func (l *lexer) afterOperand() bool {
	if len(l.toks) == 0 {
		return false
	}
	t := l.toks[len(l.toks)-1]
	return t.kind != tokPunct && t.kind != tokOperator || t.text == ")" || t.text == "]"
}

// put appends a token of n bytes of text and moves past it.
func (l *lexer) put(t token, n int) {
	t.start, t.end = l.at, l.at+n
	l.toks = append(l.toks, t)
	l.at += n
}

// insert appends a token that takes no room.
func (l *lexer) insert(text string) {
	l.put(token{kind: tokPunct, text: text, emit: text}, 0)
	l.bracket(text)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func wordLen(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r)) {
			continue
		}
		return i
	}
	return len(s)
}

func (l *lexer) word(w string) {
	t := token{kind: tokWord, text: w, emit: "x"}
	member := len(l.toks) > 0 && (l.toks[len(l.toks)-1].text == "." || l.toks[len(l.toks)-1].text == "?.") &&
		l.toks[len(l.toks)-1].kind == tokPunct
	call := w == "matches" && !l.afterOperand() && strings.HasPrefix(l.text[l.at+len(w):l.end], "(")
	if syntax.Reserved(w) && !member && !call {
		t.kind, t.emit = tokOperator, w
	}
	l.put(t, len(w))
}

// number reads digits with a fraction and an exponent, or a duration.
func (l *lexer) number(rest string) {
	n := numberLen(rest)
	text := rest[:n]
	v, code, message := numberValue(text)
	if code != "" {
		l.fail(code, l.at, l.at+n, message, "")
	}
	l.put(token{kind: tokLiteral, text: text, value: v, emit: "0"}, n)
}

// numberLen is the length of what looks like a number: letters and digits, one
// fraction, and the sign of an exponent.
func numberLen(s string) int {
	n := wordLen("_"+s) - 1
	if n < len(s)-1 && s[n] == '.' && isDigit(s[n+1]) {
		n += 1 + wordLen("_"+s[n+1:]) - 1
	}
	last := s[max(n-1, 0)]
	if n < len(s)-1 && (last == 'e' || last == 'E') && !based(s) && (s[n] == '+' || s[n] == '-') && isDigit(s[n+1]) {
		n += 1 + wordLen("_"+s[n+1:]) - 1
	}
	return n
}

func based(s string) bool {
	return len(s) > 1 && s[0] == '0' && strings.IndexByte("xXbBoO", s[1]) >= 0
}

// numberValue reads a number or a duration; the code is empty where it is one.
func numberValue(text string) (v event.Value, code, message string) {
	if n, err := strconv.ParseInt(plainDigits(text), 0, 64); err == nil {
		return event.OfInt(n), "", ""
	}
	if !based(text) && strings.ContainsAny(text, ".eE") {
		if x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); err == nil {
			return event.OfFloat(x), "", ""
		}
	}
	if strings.Trim(text, "0123456789_") == "" || based(text) || strings.ContainsAny(text, ".") {
		return event.OfInt(0), codeNumber, fmt.Sprintf("malformed or too great number %q", text)
	}
	n, err := syntax.ParseDuration(text)
	if err != nil {
		return event.OfKind(event.Duration, 0), codeDuration, err.Error()
	}
	return event.OfKind(event.Duration, n), "", ""
}

// plainDigits drops grouping marks and, where no base is named, leading zeros: they
// make nothing octal.
func plainDigits(text string) string {
	if based(text) {
		return text
	}
	text = strings.ReplaceAll(text, "_", "")
	if t := strings.TrimLeft(text, "0"); t != "" || text == "" {
		return t
	}
	return "0"
}

// raw reads a '…' string or a name in backticks.
func (l *lexer) raw(quote byte) {
	rest := l.text[l.at+1 : l.end]
	n := strings.IndexByte(rest, quote)
	if n < 0 || strings.Contains(rest[:n], "\n") {
		l.fail(codeString, l.at, l.at+1, "the quote does not end on its line", "close it with "+string(quote))
		l.at, l.stuck = l.end, true
		return
	}
	t := token{kind: tokLiteral, text: rest[:n], value: event.OfString(rest[:n]), emit: "''"}
	if quote == '`' {
		t = token{kind: tokName, text: rest[:n], emit: "x"}
	}
	l.put(t, n+2)
}

// quoted reads a "…" string. One with interpolations becomes a call of its parts.
func (l *lexer) quoted() {
	first, parts, start := len(l.toks), 0, l.at
	l.put(token{kind: tokText, emit: "f"}, 1)
	l.insert("(")
	for !l.stuck {
		n, stop := textLen(l.text[l.at:l.end])
		if stop == "" {
			l.fail(codeString, start, start+1, "the string does not end on its line", `close it with "`)
			l.at, l.stuck = l.end, true
			return
		}
		if n > 0 || stop == `"` && parts == 0 {
			l.part(&parts, n)
		}
		if stop == `"` {
			break
		}
		l.interpolation(&parts)
	}
	if l.stuck {
		return
	}
	l.at++
	if parts == 1 && l.toks[len(l.toks)-1].kind == tokLiteral {
		l.plain(first, start)
		return
	}
	l.insert(")")
	l.toks[first].end = l.at
}

// plain replaces the call of one literal part by the part.
func (l *lexer) plain(first, start int) {
	t := l.toks[len(l.toks)-1]
	t.start, t.end = start, l.at
	l.toks = append(l.toks[:first], t)
	l.open = l.open[:len(l.open)-1]
}

// textLen is the length of a string's text up to the quote or interpolation that ends
// it.
func textLen(s string) (n int, stop string) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\n':
			return i, ""
		case s[i] == '\\':
			i++
		case s[i] == '"':
			return i, `"`
		case strings.HasPrefix(s[i:], "${"):
			return i, "${"
		}
	}
	return len(s), ""
}

// part puts n bytes of a string's text as an argument.
func (l *lexer) part(parts *int, n int) {
	if *parts > 0 {
		l.insert(",")
	}
	*parts++
	text, bad := syntax.Unquote(`"` + l.text[l.at:l.at+n] + `"`)
	if bad != nil {
		at := l.at + bad.Offset - 1
		l.fail(codeEscape, at, at+bad.Len, fmt.Sprintf("unknown escape %q", l.text[at:min(at+bad.Len, l.end)]), `write \\ for a backslash, or a raw string in '…'`)
	}
	l.put(token{kind: tokLiteral, text: text, value: event.OfString(text), emit: "''"}, n)
}

// interpolation puts ${expr} as an argument in parentheses.
func (l *lexer) interpolation(parts *int) {
	if *parts > 0 {
		l.insert(",")
	}
	*parts++
	start := l.at
	l.at += len("${")
	l.insert("(")
	before := len(l.toks)
	l.run("}")
	if l.stuck {
		return
	}
	if l.at >= l.end {
		l.fail(codeTemplate, start, start+2, "${ is never closed", "")
		l.stuck = true
		return
	}
	if len(l.toks) == before {
		l.fail(codeTemplate, start, l.at+1, "an empty ${}", `write \${ for the characters themselves`)
		l.put(token{kind: tokLiteral, value: event.OfString(""), emit: "''"}, 0)
	}
	l.insert(")")
	l.at++
}

var punctuation = [...]string{
	"->", "=>", "==", "!=", "<=", ">=", "&&", "||", "**", "??", "?.", "..",
}

func (l *lexer) punct(rest string) {
	for _, p := range punctuation {
		if strings.HasPrefix(rest, p) && !(p == "?." && len(rest) > 2 && isDigit(rest[2])) {
			l.put(token{kind: tokPunct, text: p, emit: p}, 2)
			return
		}
	}
	c := rest[:1]
	switch {
	case c == "#":
		l.pointer(rest)
	case c == "|":
		l.fail(codePipe, l.at, l.at+1, "pipes are not part of the language", "call the function with the value as its first argument; for or write or")
		l.put(token{kind: tokPunct, text: c, emit: "or"}, 1)
	case strings.Contains("()[]{}.,:;?!+-*/%^<>=&", c):
		l.put(token{kind: tokPunct, text: c, emit: c}, 1)
		l.bracket(c)
	default:
		r, n := utf8.DecodeRuneInString(rest)
		l.fail(codeBadRune, l.at, l.at+n, fmt.Sprintf("unexpected character %q", r), "")
		l.at += n
	}
}

// pointer reads # and its relatives.
func (l *lexer) pointer(rest string) {
	n := 1 + wordLen(rest[1:])
	text := rest[:n]
	if text != "#" && text != "#index" && text != "#acc" {
		l.fail(codeElement, l.at, l.at+n, fmt.Sprintf("unknown name %q", text), "an element is #, its place #index, what reduce has made so far #acc")
		text = "#"
	}
	l.put(token{kind: tokWord, text: text, emit: text}, n)
}

// bracket keeps the stack of open brackets for the last token.
func (l *lexer) bracket(c string) {
	i := len(l.toks) - 1
	switch c {
	case "(", "[", "{":
		l.open = append(l.open, i)
		if len(l.open) > syntax.MaxNesting {
			l.fail(codeNesting, l.toks[i].start, l.toks[i].start+1, "brackets are nested more than 200 levels deep", "name the inner parts with let or fn")
			l.stuck = true
		}
	case ")", "]", "}":
		if len(l.open) == 0 || closes(l.toks[l.open[len(l.open)-1]].text) != c {
			l.fail(codeBracket, l.toks[i].start, l.toks[i].end, fmt.Sprintf("%q closes nothing", c), "")
			l.stuck = true
			return
		}
		from := l.open[len(l.open)-1]
		l.open = l.open[:len(l.open)-1]
		l.toks[from].match, l.toks[i].match = i, from
	}
}

func closes(open string) string {
	switch open {
	case "(":
		return ")"
	case "[":
		return "]"
	}
	return "}"
}
