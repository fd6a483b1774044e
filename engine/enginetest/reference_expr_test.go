package enginetest

import (
	"strconv"
	"strings"
	"unicode"
)

// node is an expression of the reference: the plainest tree.
type node struct {
	op   string // lit, name, member, index, call, list, text, ?:, not, neg, or a binary operator
	text string // of name, member, call
	val  any    // of lit
	args []*node
}

// lexeme is one token of an expression. kind is n(umber or duration), s(tring), i(dentifier), o(perator).
type lexeme struct {
	kind  byte
	text  string
	val   any
	parts []*node // an interpolated string
}

// exprParser reads an expression that the rule's compiler has found to be right, so it
// panics where it is not.
type exprParser struct {
	toks []lexeme
	at   int
}

func parseExpr(text string) *node {
	p := &exprParser{toks: lexemes(text)}
	n := p.ternary()
	if p.at != len(p.toks) {
		panic("reference: cannot read expression " + text)
	}
	return n
}

// precedences are those of expr-lang.
var precedences = map[string]int{
	"or": 10, "||": 10, "and": 15, "&&": 15,
	"==": 20, "!=": 20, "<": 20, ">": 20, "<=": 20, ">=": 20, "in": 20, "not in": 20,
	"contains": 20, "startsWith": 20, "endsWith": 20,
	"+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
}

func (p *exprParser) peek() string {
	if p.at == len(p.toks) || p.toks[p.at].kind == 's' || p.toks[p.at].kind == 'n' {
		return ""
	}
	if p.toks[p.at].text == "not" && p.at+1 < len(p.toks) && p.toks[p.at+1].text == "in" {
		return "not in"
	}
	return p.toks[p.at].text
}

func (p *exprParser) accept(text string) bool {
	if p.peek() != text {
		return false
	}
	p.at += len(strings.Fields(text))
	return true
}

func (p *exprParser) expect(text string) {
	if !p.accept(text) {
		panic("reference: expected " + text + " before " + p.peek())
	}
}

func (p *exprParser) ternary() *node {
	c := p.binary(0)
	if !p.accept("?") {
		return c
	}
	a := p.ternary()
	p.expect(":")
	return &node{op: "?:", args: []*node{c, a, p.ternary()}}
}

func (p *exprParser) binary(least int) *node {
	left := p.unary()
	for {
		op := p.peek()
		prec, ok := precedences[op]
		if !ok || prec < least {
			return left
		}
		p.accept(op)
		left = &node{op: op, args: []*node{left, p.binary(prec + 1)}}
	}
}

func (p *exprParser) unary() *node {
	switch {
	case p.accept("not"), p.accept("!"):
		return &node{op: "not", args: []*node{p.binary(50)}}
	case p.accept("-"):
		return &node{op: "neg", args: []*node{p.binary(90)}}
	}
	return p.postfix(p.primary())
}

func (p *exprParser) postfix(n *node) *node {
	for {
		switch {
		case p.accept("."):
			n = &node{op: "member", text: p.toks[p.at].text, args: []*node{n}}
			p.at++
		case p.accept("["):
			n = &node{op: "index", args: []*node{n, p.ternary()}}
			p.expect("]")
		default:
			return n
		}
	}
}

func (p *exprParser) primary() *node {
	if p.accept("(") {
		n := p.ternary()
		p.expect(")")
		return n
	}
	if p.accept("[") {
		return &node{op: "list", args: p.list("]")}
	}
	t := p.toks[p.at]
	p.at++
	switch {
	case t.parts != nil:
		return &node{op: "text", args: t.parts}
	case t.kind == 'n' || t.kind == 's':
		return &node{op: "lit", val: t.val}
	case t.kind != 'i':
		panic("reference: expected an operand, found " + t.text)
	case p.accept("("):
		return &node{op: "call", text: t.text, args: p.list(")")}
	}
	switch t.text {
	case "true", "false":
		return &node{op: "lit", val: t.text == "true"}
	case "nil":
		return &node{op: "lit"}
	}
	return &node{op: "name", text: t.text}
}

func (p *exprParser) list(end string) []*node {
	var out []*node
	for !p.accept(end) {
		out = append(out, p.ternary())
		p.accept(",")
	}
	return out
}

func lexemes(text string) []lexeme {
	var out []lexeme
	for text = skip(text); text != ""; text = skip(text) {
		var t lexeme
		t, text = lexOne(text)
		out = append(out, t)
	}
	return out
}

// skip passes over white space and comments.
func skip(text string) string {
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		switch {
		case strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/")
		default:
			return text
		}
	}
}

func lexOne(text string) (lexeme, string) {
	c := rune(text[0])
	switch {
	case c == '"':
		return lexString(text)
	case c == '\'':
		end := strings.IndexByte(text[1:], '\'') + 1
		return lexeme{kind: 's', val: text[1:end]}, text[end+1:]
	case c == '`':
		end := strings.IndexByte(text[1:], '`') + 1
		return lexeme{kind: 'i', text: text[1:end]}, text[end+1:]
	case unicode.IsDigit(c):
		return lexNumber(text)
	case unicode.IsLetter(c) || c == '_':
		end := wordEnd(text)
		return lexeme{kind: 'i', text: text[:end]}, text[end:]
	}
	for _, op := range []string{"==", "!=", "<=", ">=", "&&", "||", "??", "**"} {
		if strings.HasPrefix(text, op) {
			return lexeme{kind: 'o', text: op}, text[2:]
		}
	}
	return lexeme{kind: 'o', text: text[:1]}, text[1:]
}

func wordEnd(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return len(text)
	}
	return end
}

// lexNumber reads a number or a duration such as 1h30m.
func lexNumber(text string) (lexeme, string) {
	end := 0
	for end < len(text) && (unicode.IsDigit(rune(text[end])) || text[end] == '_' ||
		text[end] == '.' && end+1 < len(text) && unicode.IsDigit(rune(text[end+1])) && !strings.Contains(text[:end], ".")) {
		end++
	}
	if unit := wordEnd(text[end:]); unit > 0 {
		word := wordEnd(text)
		return lexeme{kind: 'n', val: span(nanos(text[:word]))}, text[word:]
	}
	digits := strings.ReplaceAll(text[:end], "_", "")
	if i, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return lexeme{kind: 'n', val: i}, text[end:]
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err)
	}
	return lexeme{kind: 'n', val: f}, text[end:]
}

var unitNanos = map[string]int64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9, "w": 7 * 86400e9}

// nanos reads a compound of whole numbers with units.
func nanos(text string) int64 {
	var sum, n int64
	for text != "" {
		if unicode.IsDigit(rune(text[0])) {
			n, text = n*10+int64(text[0]-'0'), text[1:]
			continue
		}
		end := strings.IndexFunc(text, unicode.IsDigit)
		if end < 0 {
			end = len(text)
		}
		sum, n, text = sum+n*unitNanos[text[:end]], 0, text[end:]
	}
	return sum
}

// lexString reads "…" with its escapes and interpolations.
func lexString(text string) (lexeme, string) {
	var parts []*node
	var plain strings.Builder
	for i := 1; ; i++ {
		switch {
		case text[i] == '"' && parts == nil:
			return lexeme{kind: 's', val: plain.String()}, text[i+1:]
		case text[i] == '"':
			return lexeme{kind: 's', parts: append(parts, &node{op: "lit", val: plain.String()})}, text[i+1:]
		case text[i] == '\\':
			i++
			plain.WriteString(map[byte]string{'n': "\n", 't': "\t", '"': `"`, '\\': `\`, '$': "$"}[text[i]])
		case strings.HasPrefix(text[i:], "${"):
			end := i + closing(text[i:])
			parts = append(parts, &node{op: "lit", val: plain.String()}, parseExpr(text[i+2:end]))
			plain.Reset()
			i = end
		default:
			plain.WriteByte(text[i])
		}
	}
}

// closing finds the bracket that closes the first one.
func closing(text string) int {
	depth := 0
	for i := range text {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	panic("reference: no closing bracket in " + text)
}
