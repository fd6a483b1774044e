package format

import (
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// flowKind says how tokens are read: which signs stand between operands.
type flowKind uint8

const (
	flowExpr    flowKind = iota
	flowPattern          // at its own level signs of repetition follow their step
	flowDecl             // as expr; the parentheses of event and table stand off
	flowValue            // an expression alone: a word that it begins with is a name
)

// flow writes tokens with one space or none between them. A line comment ends its line.
func (p *printer) flow(toks []syntax.Token, kind flowKind) string {
	w := p.flowing(toks, kind)
	var b strings.Builder
	for i := range toks {
		b.WriteString(w.before(i))
		b.WriteString(w.texts[i])
	}
	return b.String()
}

// flower decides on the space between the tokens of one item.
type flower struct {
	toks  []syntax.Token
	texts []string
	kind  flowKind
	pairs []pair // open brackets before each token, the innermost
	unary []bool // the token is a sign before an operand
	conds []bool // the token is the colon of a conditional
	steps []bool // the token stands at the level of the pattern
}

// pair is an open bracket.
type pair struct {
	open  string
	conds int  // question marks that wait for their colon
	step  bool // what it holds is of the pattern
	turns bool // it is that of a repetition
	gap   bool // it is that of a gap, or of an index
}

func (p *printer) flowing(toks []syntax.Token, kind flowKind) *flower {
	w := &flower{toks: toks, kind: kind}
	for _, t := range toks {
		text := p.text(t)
		if t.Kind == syntax.CommentToken {
			text = p.comment(t)
		}
		w.texts = append(w.texts, text)
	}
	stack := []pair{{step: kind == flowPattern}}
	for i := range toks {
		stack = w.read(i, stack)
	}
	return w
}

// read notes what a token is, given the open brackets.
func (w *flower) read(i int, stack []pair) []pair {
	top := &stack[len(stack)-1]
	text := w.punct(i)
	w.pairs, w.steps = append(w.pairs, *top), append(w.steps, top.step)
	w.unary = append(w.unary, (text == "-" || text == "+" || text == "!") && w.wantsOperand(i))
	isCond := false
	switch text {
	case "(", "[", "{":
		return append(stack, pair{open: text, step: top.step && text == "(", turns: top.step && text == "{", gap: text == "[" && w.isGap(i)})
	case ")", "]", "}":
		if len(stack) > 1 {
			stack = stack[:len(stack)-1]
		}
	case "?":
		if !top.step {
			top.conds++
		}
	case ":":
		if isCond = top.conds > 0; isCond {
			top.conds--
		}
	}
	for len(w.conds) <= i {
		w.conds = append(w.conds, isCond)
	}
	return stack
}

// isGap reports whether the bracket at a token is that of a gap or an index, and holds no
// condition.
func (w *flower) isGap(i int) bool {
	return w.punct(i-1) == "->" || w.punct(i-1) == "=>" || w.kind != flowPattern && i > 0 && w.punct(i-1) == "" && w.tightIndex(i)
}

func (w *flower) isCond(i int) bool { return i < len(w.conds) && w.conds[i] }

// punct is the sign that a token is, empty for others.
func (w *flower) punct(i int) string {
	if i < 0 || i >= len(w.toks) || w.toks[i].Kind != syntax.PunctToken {
		return ""
	}
	return w.texts[i]
}

// last is the number of the token before the i-th that is no comment; -1: none.
func (w *flower) last(i int) int {
	for i--; i >= 0 && w.toks[i].Kind == syntax.CommentToken; i-- {
	}
	return i
}

var operators = []string{"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith"}

// keywords are words after which an operand or a bracket stands off.
var keywords = []string{
	"where", "by", "having", "let", "match", "until", "from", "of", "first", "last", "every", "all", "suppress", "emit", "as", "window", "within",
}

func (w *flower) isWord(i int, words []string) bool {
	return i >= 0 && w.toks[i].Kind == syntax.WordToken && slices.Contains(words, w.texts[i])
}

// isKeyword reports whether a word opens a clause.
func (w *flower) isKeyword(i int) bool {
	return i == 0 && w.kind != flowValue && w.isWord(i, keywords)
}

// wantsOperand reports whether an operand is expected at a token: a sign there is unary.
func (w *flower) wantsOperand(i int) bool {
	last := w.last(i)
	if last < 0 {
		return true
	}
	if text := w.punct(last); text != "" {
		return text != ")" && text != "]" && text != "}"
	}
	return w.isWord(last, operators) || w.isKeyword(last) || w.isWord(last, []string{"where"})
}

// before is the space before a token: none, a space, or the end of a line.
func (w *flower) before(i int) string {
	if i == 0 {
		return ""
	}
	if w.toks[i-1].Kind == syntax.CommentToken {
		if strings.HasPrefix(w.texts[i-1], "//") {
			return "\n" + strings.Repeat(" ", indent)
		}
		return " "
	}
	if w.toks[i].Kind == syntax.CommentToken {
		return " "
	}
	if w.tight(i) {
		return ""
	}
	return " "
}

// tight reports whether a token follows the one before it without a space.
func (w *flower) tight(i int) bool {
	prev, cur := w.punct(i-1), w.punct(i)
	if w.texts[i-1] == "#" {
		return w.toks[i-1].End == w.toks[i].Start // #acc is one thing, # in is not
	}
	if w.pairs[i].gap && (prev == ".." || cur == ".." || prev == ":" && !w.isCond(i-1)) {
		return w.toks[i].Kind != syntax.NumberToken && w.toks[i-1].Kind != syntax.NumberToken || prev == ":" // 1..2 is two numbers
	}
	switch prev {
	case "(", "[", ".", "?.":
		return true
	case ",":
		return w.pairs[i].turns
	case "{":
		return cur == "}" || w.isRepeat(i-1) || cur == "#" || w.isClosure(i-1)
	}
	if w.unary[i-1] {
		return !w.unary[i]
	}
	switch cur {
	case ")", "]", ",", ";", ".", "?.":
		return true
	case "}":
		return w.isRepeatEnd(i) || w.isClosureEnd(i)
	case ":":
		return !w.isCond(i)
	case "(":
		return w.tightParen(i)
	case "[":
		return w.tightIndex(i)
	case "{":
		return w.steps[i]
	case "+", "*", "?":
		return w.steps[i] && !w.unary[i] && w.isPostfix(i)
	}
	return false
}

// isPostfix reports whether a sign of a pattern repeats the step before it: it is not
// followed by an operand, but in a step's own key.
func (w *flower) isPostfix(i int) bool {
	next := i + 1
	for next < len(w.toks) && w.toks[next].Kind == syntax.CommentToken {
		next++
	}
	switch w.punct(next) {
	case "->", "=>", "|", "&", ")", ",":
		return true
	}
	return next == len(w.toks) || w.isWord(next, []string{"strict", "for", "by"})
}

func (w *flower) tightParen(i int) bool {
	last := i - 1
	switch {
	case w.kind == flowDecl && last <= 1 && w.isWord(0, []string{"event", "table"}):
		return false
	case w.punct(last) == ")" || w.punct(last) == "]":
		return true
	case w.toks[last].Kind != syntax.WordToken && w.toks[last].Kind != syntax.NameToken:
		return false
	case w.isWord(last, operators):
		return w.texts[last] == "matches" && w.wantsOperand(last) // matches()
	case w.steps[i]:
		return false
	}
	return !w.isKeyword(last) && !w.isWord(last, []string{"where"})
}

func (w *flower) tightIndex(i int) bool {
	last := i - 1
	switch {
	case w.punct(last) == "->" || w.punct(last) == "=>" || w.punct(last) == ")" || w.punct(last) == "]":
		return true
	case w.punct(last) != "" || w.isWord(last, operators):
		return false
	case w.toks[last].Kind == syntax.WordToken || w.toks[last].Kind == syntax.NameToken:
		return !w.isKeyword(last) && !w.isWord(last, []string{"where"}) && !(w.kind == flowDecl && w.isWord(0, []string{"event"}))
	}
	return w.toks[last].Kind == syntax.StringToken
}

// isRepeat reports whether the brace at a token is that of a repetition.
func (w *flower) isRepeat(i int) bool { return w.steps[i] }

func (w *flower) isRepeatEnd(i int) bool {
	open := w.opening(i)
	return open >= 0 && w.isRepeat(open)
}

// isClosure reports whether the brace at a token is that of a predicate over a list.
func (w *flower) isClosure(i int) bool {
	return w.kind != flowPattern && !w.isMap(i) && (w.punct(i-1) == "," || w.punct(i-1) == "(")
}

func (w *flower) isClosureEnd(i int) bool {
	open := w.opening(i)
	return open >= 0 && w.isClosure(open)
}

// isMap reports whether a name and a colon follow the brace.
func (w *flower) isMap(i int) bool { return w.punct(i+2) == ":" }

// opening is the number of the bracket that the one at a token closes.
func (w *flower) opening(i int) int {
	depth := 0
	for ; i >= 0; i-- {
		switch w.punct(i) {
		case ")", "]", "}":
			depth++
		case "(", "[", "{":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// isArrow and isLogic say before which tokens a long item is broken.
func isArrow(w *flower, i int) bool { return w.punct(i) == "->" || w.punct(i) == "=>" }

func isLogic(w *flower, i int) bool { return w.isWord(i, []string{"and", "or"}) }

// broken breaks an item that is too long, or has a comment that ends a line, before tokens
// at its own level.
func (p *printer) broken(text string, toks []syntax.Token, kind flowKind, deep int, at func(*flower, int) bool) string {
	if length(text)+indent <= width && !strings.Contains(text, "\n") {
		return text
	}
	w := p.flowing(toks, kind)
	var b strings.Builder
	for i := range toks {
		switch space := w.before(i); {
		case i > 0 && w.pairs[i].open == "" && at(w, i):
			b.WriteString("\n" + strings.Repeat(" ", deep))
		case strings.HasPrefix(space, "\n"):
			b.WriteString("\n" + strings.Repeat(" ", deep))
		default:
			b.WriteString(space)
		}
		b.WriteString(w.texts[i])
	}
	return b.String()
}
