package syntax

import "github.com/cepheus-cep/cepheus/lang/source"

// TokenKind is the kind of a [Token].
type TokenKind uint8

// The kinds of tokens. White space is none.
const (
	WordToken TokenKind = iota
	NameToken           // a name in backticks
	NumberToken
	DurationToken
	StringToken
	PunctToken
	CommentToken
)

// Token is a token of a rule file as it is written: comments too, white space not.
type Token struct {
	Kind       TokenKind
	Start, End int // bytes in the file
}

// Tokens returns the tokens of a file of which [Parse] reports no error, in order.
func Tokens(f *source.File) []Token {
	raw, _ := scan(f, &report{})
	var out []Token
	for _, t := range raw {
		kind := PunctToken
		switch t.Type {
		case wordToken:
			kind = WordToken
		case quotedToken:
			kind = NameToken
		case intToken, floatToken:
			kind = NumberToken
		case durationToken:
			kind = DurationToken
		case stringToken, rawToken:
			kind = StringToken
		case commentToken:
			kind = CommentToken
		case punctToken:
		default:
			continue
		}
		out = append(out, Token{kind, t.Pos.Offset, tokenEnd(t)})
	}
	return out
}
