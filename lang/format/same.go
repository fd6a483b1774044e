package format

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Same reports whether two files hold the same tokens and comments, whatever their order and
// their commas: what formatting must never change. Who overwrites a file asks first.
func Same(a, b *source.File) bool { return slices.Equal(words(a), words(b)) }

// words lists the tokens of a file but for commas, sorted.
func words(f *source.File) []string {
	p := &printer{file: f, toks: syntax.Tokens(f)}
	var out []string
	for _, t := range p.toks {
		switch text := p.text(t); {
		case text == ",":
		case t.Kind == syntax.CommentToken:
			out = append(out, p.comment(t))
		default:
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}
