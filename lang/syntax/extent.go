package syntax

import (
	"fmt"
	"slices"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// exprG finds where an expression ends, without reading it: package predicate does.
// The rule is that of the language: after a complete operand a word that is no
// operator ends the expression, and where an operand is expected a word is a name.
// What stands in brackets belongs to it whatever it is.
type exprG struct {
	Start, End int // bytes in the file
}

// exprError is what is wrong with the extent of an expression.
type exprError struct {
	at            lexer.Token
	message, mend string
}

func (e *exprError) Error() string            { return e.message }
func (e *exprError) Message() string          { return e.message }
func (e *exprError) Position() lexer.Position { return e.at.Pos }

// Parse takes the tokens of one expression; NextMatch where none begins.
func (e *exprG) Parse(lex *lexer.PeekingLexer) error {
	first := *lex.Peek()
	if !startsOperand(first) && !countsMatches(lex) {
		return participle.NextMatch
	}
	x := extent{lex: lex, last: first}
	if err := x.run(); err != nil {
		return err
	}
	e.Start, e.End = first.Pos.Offset, tokenEnd(x.last)
	return nil
}

// extent is the state of the search: the tokens ahead, the last one taken, and the
// question marks that still wait for their colon.
type extent struct {
	lex   *lexer.PeekingLexer
	last  lexer.Token
	conds []lexer.Token
}

// run alternates between operands and infix operators until there is no operator.
func (x *extent) run() *exprError {
	for {
		if err := x.operand(); err != nil {
			return err
		}
		if err := x.postfix(); err != nil {
			return err
		}
		if !x.infix() {
			break
		}
	}
	if len(x.conds) > 0 {
		at := x.conds[len(x.conds)-1]
		return &exprError{at: at, message: `"?" without its ":"`, mend: "write CONDITION ? THEN : ELSE"}
	}
	return nil
}

func (x *extent) take() lexer.Token {
	x.last = *x.lex.Next()
	return x.last
}

// operand takes prefix operators and then one operand without its postfixes.
func (x *extent) operand() *exprError {
	for isPrefix(*x.lex.Peek()) {
		x.take()
	}
	t := *x.lex.Peek()
	switch {
	case t.Type == wordToken && t.Value == "let":
		return &exprError{at: t, message: `"let" within an expression stands only in parentheses`, mend: "write (let NAME = …; …)"}
	case !startsOperand(t) && !countsMatches(x.lex):
		mend := ""
		if x.last.Value == "<" && t.Value == ">" {
			mend = "to compare write !="
		}
		return &exprError{at: t, message: fmt.Sprintf("expected an operand after %q, found %s", x.last.Value, found(t)), mend: mend}
	}
	x.take()
	switch t.Value {
	case "(":
		if x.lex.Peek().Value == ")" {
			return &exprError{at: t, message: "the parentheses are empty", mend: "put an expression into them"}
		}
		x.close()
	case "[", "{":
		x.close()
	case "#":
		x.pointer(t)
	case ".":
		return x.member(t)
	}
	return nil
}

// countsMatches reports whether matches() is ahead: where an operand is expected the
// word is no operator if it is called.
func countsMatches(lex *lexer.PeekingLexer) bool {
	if t := lex.Peek(); t.Type != wordToken || t.Value != "matches" {
		return false
	}
	here := lex.MakeCheckpoint()
	defer lex.LoadCheckpoint(here)
	lex.Next()
	return lex.Peek().Value == "("
}

// pointer takes the name that belongs to the # before it, as in #acc.
func (x *extent) pointer(hash lexer.Token) {
	if next := x.lex.Peek(); next.Type == wordToken && next.Pos.Offset == hash.Pos.Offset+1 {
		x.take()
	}
}

// member takes the name after a dot; any word is one there.
func (x *extent) member(dot lexer.Token) *exprError {
	t := *x.lex.Peek()
	if t.Type != wordToken && t.Type != quotedToken {
		return &exprError{at: t, message: fmt.Sprintf("expected the name of a field after %q, found %s", dot.Value, found(t))}
	}
	x.take()
	return nil
}

// postfix takes members, indices and arguments.
func (x *extent) postfix() *exprError {
	for {
		switch t := *x.lex.Peek(); {
		case t.Type != punctToken:
			return nil
		case t.Value == "(" || t.Value == "[":
			x.take()
			x.close()
		case t.Value == "?." || t.Value == ".":
			x.take()
			if t.Value == "?." && x.lex.Peek().Value == "[" {
				continue
			}
			if err := x.member(t); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// close takes everything up to the end of the bracket just taken. All brackets match.
func (x *extent) close() {
	for open := 1; open > 0; {
		t := x.take()
		switch {
		case t.EOF():
			return
		case t.Type != punctToken:
		case closing(t.Value) != "":
			open++
		case t.Value == ")" || t.Value == "]" || t.Value == "}":
			open--
		}
	}
}

// infix takes an operator between operands, and reports false where the expression
// ends.
func (x *extent) infix() bool {
	t := *x.lex.Peek()
	switch t.Type {
	case wordToken:
		return x.infixWord(t)
	case punctToken:
		return x.infixSign(t)
	}
	return false
}

func (x *extent) infixWord(t lexer.Token) bool {
	switch {
	case slices.Contains(infixWords, t.Value):
		x.take()
		return true
	case t.Value == "not" && notable(second(x.lex).Value):
		x.take()
		x.take()
		return true
	}
	return false
}

func (x *extent) infixSign(t lexer.Token) bool {
	switch t.Value {
	case "?":
		if x.repeats() {
			return false
		}
		x.conds = append(x.conds, t)
	case ":":
		if len(x.conds) == 0 {
			return false
		}
		x.conds = x.conds[:len(x.conds)-1]
	case "+", "*":
		if x.repeats() {
			return false
		}
	case "-", "/", "%", "^", "**", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "??", "..":
	default:
		return false
	}
	x.take()
	return true
}

// repeats reports whether the sign at hand repeats a step whose key the expression is,
// as in `a by x+ -> b`: what follows belongs to a pattern.
func (x *extent) repeats() bool {
	switch second(x.lex).Value {
	case "->", "=>", "|", "&", ")", ",":
		return true
	}
	return false
}

// second returns the token after the next one.
func second(lex *lexer.PeekingLexer) lexer.Token {
	ahead := *lex
	ahead.Next()
	return *ahead.Peek()
}

func isPrefix(t lexer.Token) bool {
	return t.Type == wordToken && t.Value == "not" ||
		t.Type == punctToken && (t.Value == "-" || t.Value == "+" || t.Value == "!")
}

// startsOperand reports whether an operand, or its prefix, can begin with the token.
func startsOperand(t lexer.Token) bool {
	switch t.Type {
	case wordToken:
		return !slices.Contains(infixWords, t.Value)
	case quotedToken, intToken, floatToken, durationToken, stringToken, rawToken:
		return true
	case punctToken:
		return isPrefix(t) || closing(t.Value) != "" || t.Value == "#" || t.Value == "."
	}
	return false
}

// selectG is the selection mode after match.
type selectG struct {
	Start, End int
	Word       string
}

// Parse takes a mode's word where what follows could not make it a name: `first: a`
// and `first -> b` name a step and an event.
func (m *selectG) Parse(lex *lexer.PeekingLexer) error {
	t := *lex.Peek()
	if t.Type != wordToken || !slices.Contains(selectWords, t.Value) || !beginsPattern(lex) {
		return participle.NextMatch
	}
	lex.Next()
	m.Start, m.End, m.Word = t.Pos.Offset, t.Pos.Offset+len(t.Value), t.Value
	return nil
}

// beginsPattern reports whether a pattern begins after the next token. A word that
// could be the next clause, or belong to a step, begins one only if a step's own signs
// follow it.
func beginsPattern(lex *lexer.PeekingLexer) bool {
	ahead := *lex
	ahead.Next()
	t := *ahead.Next()
	switch {
	case t.Type == quotedToken || t.Value == "(" || t.Value == "!":
		return true
	case t.Type != wordToken:
		return false
	case !isClauseWord(t.Value) && t.Value != "for" && t.Value != "strict":
		return true
	}
	switch ahead.Peek().Value {
	case ":", "[", "->", "=>", "+", "*", "?":
		return true
	case "{":
		return second(&ahead).Type == intToken
	}
	return false
}

// notable reports whether not may stand before the infix word.
func notable(word string) bool {
	return word != "and" && word != "or" && slices.Contains(infixWords, word)
}
