package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// stream is the tokens of a file with every bracket matched. Closing brackets that
// were missing are put in, as tokens that take no room in the text; those that close
// nothing are made bad tokens. So one missing bracket does not make the rest of the
// file wrong, and nothing after this has to look for the end of a bracket.
type stream struct {
	file *source.File
	toks []lexer.Token // the last is EOF
	pair []int32       // of a bracket: index of its partner; else -1
}

// balance matches the brackets. If they do not match, it does so once more with
// guesses of where the author meant brackets to end. It returns false where they are
// nested too deep.
func balance(file *source.File, toks []lexer.Token, errs *report) (*stream, bool) {
	if pair, ok := pairs(toks); ok {
		return &stream{file: file, toks: toks, pair: pair}, true
	}
	plain := &balancer{stream: stream{file: file}, in: toks, errs: &report{}}
	plain.run()
	switch {
	case plain.deep:
		errs.add(nestingError(file, len(plain.toks)-1, plain.toks))
		return nil, false
	case len(plain.errs.errs) == 0:
		return &plain.stream, true
	}
	guess := &balancer{stream: stream{file: file}, in: toks, errs: errs, guess: true}
	guess.run()
	return &guess.stream, true
}

// pairs finds the partners of brackets that match and are not nested too deep, as most
// do; false of others.
func pairs(toks []lexer.Token) ([]int32, bool) {
	pair, open := make([]int32, len(toks)), []int32{}
	for i, t := range toks {
		pair[i] = -1
		if t.Type != punctToken {
			continue
		}
		switch last := len(open) - 1; {
		case closing(t.Value) != "":
			open = append(open, int32(i))
			if len(open) > MaxNesting {
				return nil, false
			}
		case t.Value != ")" && t.Value != "]" && t.Value != "}":
		case last < 0 || closing(toks[open[last]].Value) != t.Value:
			return nil, false
		default:
			pair[i], pair[open[last]] = open[last], int32(i)
			open = open[:last]
		}
	}
	return pair, len(open) == 0
}

func nestingError(f *source.File, i int, toks []lexer.Token) source.Error {
	return source.Error{
		Code: codeNesting, Span: tokenSpan(f, toks[i]),
		Message: fmt.Sprintf("brackets are nested more than %d levels deep", MaxNesting),
		Mend:    "name the inner parts with let or fn; or was one not closed?",
	}
}

type balancer struct {
	stream
	in    []lexer.Token
	open  []int32 // indices into toks of the brackets that are open
	errs  *report
	guess bool
	deep  bool // nested too deep; guessing closes brackets earlier, never later
}

func (b *balancer) run() {
	b.toks = make([]lexer.Token, 0, len(b.in))
	b.pair = make([]int32, 0, len(b.in))
	for i, t := range b.in {
		if b.guess {
			b.recover(i)
		}
		switch {
		case t.EOF():
			b.closeTo(0, t.Pos)
			b.put(t)
		case t.Type != punctToken:
			b.put(t)
		case closing(t.Value) != "":
			b.open = append(b.open, b.put(t))
		case t.Value == ")" || t.Value == "]" || t.Value == "}":
			b.close(t)
		default:
			b.put(t)
		}
		if len(b.open) > MaxNesting {
			b.deep = true
			return
		}
	}
}

// put appends a token and returns its index.
func (b *balancer) put(t lexer.Token) int32 {
	b.toks = append(b.toks, t)
	b.pair = append(b.pair, -1)
	return int32(len(b.toks) - 1)
}

// closing is the bracket that closes the one that is given.
func closing(open string) string {
	switch open {
	case "(":
		return ")"
	case "[":
		return "]"
	case "{":
		return "}"
	}
	return ""
}

// close takes a closing bracket: it closes the innermost bracket of its kind, and those
// within it were not closed.
func (b *balancer) close(t lexer.Token) {
	for i, at := range slices.Backward(b.open) {
		if closing(b.toks[at].Value) == t.Value {
			b.closeTo(i+1, t.Pos)
			b.open = b.open[:i]
			b.match(at, b.put(t))
			return
		}
	}
	b.fail(codeStray, t, fmt.Sprintf("%q closes nothing", t.Value), "")
	t.Type = badToken
	b.put(t)
}

func (b *balancer) match(open, end int32) {
	b.pair[open], b.pair[end] = end, open
}

// closeTo puts in what closes all open brackets but the first n.
func (b *balancer) closeTo(n int, pos lexer.Position) {
	for len(b.open) > n {
		at := b.open[len(b.open)-1]
		b.open = b.open[:len(b.open)-1]
		end := closing(b.toks[at].Value)
		b.fail(codeUnclosed, b.toks[at], fmt.Sprintf("%q is never closed", b.toks[at].Value), fmt.Sprintf("close it with %q", end))
		pos.Line = insertedLine
		b.match(at, b.put(lexer.Token{Type: punctToken, Value: end, Pos: pos}))
	}
}

// recover guesses where brackets were meant to end: a declaration at the very start of
// a line is within none; a clause at the start of a line is within no ( or [.
func (b *balancer) recover(i int) {
	if len(b.open) == 0 || b.in[i].Type != wordToken || !startsLine(b.in, i) {
		return
	}
	t := b.in[i]
	next := following(b.in, i)
	switch {
	case isDeclWord(t.Value) && b.atMargin(t) && (next.Type == wordToken || next.Type == quotedToken):
		b.closeTo(0, t.Pos)
	case isClauseWord(t.Value) && next.Value != ":" && next.Value != ",":
		n := len(b.open)
		for n > 0 && b.toks[b.open[n-1]].Value != "{" {
			n--
		}
		b.closeTo(n, t.Pos)
	}
}

func (b *balancer) atMargin(t lexer.Token) bool {
	before := b.file.Text[:t.Pos.Offset]
	return before == "" || strings.HasSuffix(before, "\n")
}

func (b *balancer) fail(code string, t lexer.Token, message, mend string) {
	b.errs.add(source.Error{Code: code, Span: tokenSpan(b.file, t), Message: message, Mend: mend})
}

// insertedLine marks the place of a bracket that was put in. The lines of tokens are
// not used otherwise: they are worked out from offsets.
const insertedLine = -1

// inserted reports whether the token was put in and takes no room in the text.
func inserted(t lexer.Token) bool { return t.Pos.Line == insertedLine }

// tokenEnd is the offset behind the token.
func tokenEnd(t lexer.Token) int {
	if inserted(t) {
		return t.Pos.Offset
	}
	return t.Pos.Offset + len(t.Value)
}

func tokenSpan(f *source.File, t lexer.Token) source.Span {
	return source.Span{File: f, Start: t.Pos.Offset, End: tokenEnd(t)}
}

// elided reports whether the parser does not see tokens of the type.
func elided(kind lexer.TokenType) bool { return kind >= spaceToken }

// startsLine reports whether nothing but white space and comments stands before the
// token on its line.
func startsLine(toks []lexer.Token, i int) bool {
	for i--; i >= 0; i-- {
		if !elided(toks[i].Type) {
			return false
		}
		if toks[i].Type != badToken && strings.Contains(toks[i].Value, "\n") {
			return true
		}
	}
	return true
}

// following returns the next token that the parser sees.
func following(toks []lexer.Token, i int) lexer.Token {
	for i++; i < len(toks)-1 && elided(toks[i].Type); i++ {
	}
	return toks[min(i, len(toks)-1)]
}
