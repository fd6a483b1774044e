package predicate

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	exprfile "github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// maxNodes bounds the nodes of one expression's tree, and of what its macros expand to.
const maxNodes = 10_000

// maxPrefix bounds how many prefix operators (not, !, -, +) stand in a row.
const maxPrefix = 200

// parse makes expr's tree of an expression. It is nil where errors were reported.
func parse(span source.Span, errs *source.Errors) (*parsed, ast.Node) {
	before := len(*errs)
	p := lex(span, errs)
	if len(*errs) > before {
		return p, nil
	}
	if len(p.toks) == 0 {
		p.fail(errs, codeSyntax, span, "an expression is missing", "")
		return p, nil
	}
	p.shape(errs)
	if len(*errs) > before {
		return p, nil
	}
	node, err := p.tree(p.emit())
	if err != nil {
		p.syntaxError(errs, err)
		return p, nil
	}
	return p, node
}

func (p *parsed) fail(errs *source.Errors, code string, span source.Span, message, mend string) {
	*errs = append(*errs, source.Error{Code: code, Span: span, Message: message, Mend: mend})
}

func (p *parsed) at(i int) source.Span {
	return source.Span{File: p.file, Start: p.toks[i].start, End: p.toks[i].end}
}

// is reports whether token i is the punctuation mark or operator.
func (p *parsed) is(i int, text string) bool {
	return i >= 0 && i < len(p.toks) && p.toks[i].text == text &&
		(p.toks[i].kind == tokPunct || p.toks[i].kind == tokOperator)
}

// shape reports what expr's grammar has and the language has not, and rows of prefix
// operators too long for a recursive parser.
func (p *parsed) shape(errs *source.Errors) {
	var open []string
	lets, prefix := []int{0}, 0
	for i, t := range p.toks {
		prefix++
		switch {
		case t.kind == tokPunct && strings.Contains("([{", t.text):
			open, lets = append(open, t.text), append(lets, 0)
		case t.kind == tokPunct && strings.Contains(")]}", t.text):
			open, lets = open[:len(open)-1], lets[:len(lets)-1]
		case p.is(i, "let"):
			lets[len(lets)-1]++
			if len(open) == 0 || open[len(open)-1] != "(" {
				p.fail(errs, codePipe, p.at(i), "let within an expression stands in parentheses only", "write (let x = …; …)")
			}
		case p.is(i, ";"):
			if lets[len(lets)-1]--; lets[len(lets)-1] < 0 {
				p.fail(errs, codePipe, p.at(i), "expressions in a row are not part of the language", "")
				lets[len(lets)-1] = 0
			}
		case t.text == "if" && t.kind == tokWord && p.isIf(i):
			p.fail(errs, codePipe, p.at(i), "if … else is not part of the language", "write condition ? value : other")
		}
		if !p.prefix(i) {
			prefix = 0
		}
		if prefix > maxPrefix {
			p.fail(errs, codeNesting, p.at(i), "more than 200 operators in a row", "")
			return
		}
	}
}

// prefix reports whether token i may be a prefix operator.
func (p *parsed) prefix(i int) bool {
	return p.is(i, "not") || p.is(i, "!") || p.is(i, "-") || p.is(i, "+")
}

// isIf reports whether the word if begins a conditional: a block comes after it
// before anything that could not be part of its condition.
func (p *parsed) isIf(i int) bool {
	if p.is(i+1, "(") && p.is(p.toks[i+1].match+1, "{") {
		return true
	}
	return i+1 < len(p.toks) && p.toks[i+1].kind != tokPunct && p.toks[i+1].kind != tokOperator
}

// lambdas are the functions whose last argument is evaluated for each element:
// expr's parser must know them by name.
func lambda(name string) bool {
	switch name {
	case "all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex",
		"groupBy", "sortBy", "reduce":
		return true
	}
	return false
}

// emit writes the text for expr's parser and notes where each token stands in it.
func (p *parsed) emit() string {
	var b strings.Builder
	for i := range p.toks {
		t := &p.toks[i]
		t.out = b.Len()
		switch {
		case t.kind == tokWord && p.is(i+1, "(") && !p.is(i-1, ".") && !p.is(i-1, "?."):
			b.WriteString(p.callee(i))
		default:
			b.WriteString(t.emit)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// callee is how a called name is emitted: as itself where its body is a predicate.
// count and sum have one only with two arguments; with one they are aggregates or
// functions of a list.
func (p *parsed) callee(i int) string {
	name := p.toks[i].text
	if lambda(name) || (name == "count" || name == "sum") && p.arguments(i+1) > 1 {
		return name
	}
	return "f"
}

// arguments counts what is between a bracket and its partner.
func (p *parsed) arguments(open int) int {
	end := p.toks[open].match
	if end <= open+1 {
		return 0
	}
	n := 1
	for i := open + 1; i < end; i++ {
		switch {
		case p.toks[i].kind == tokPunct && strings.Contains("([{", p.toks[i].text):
			i = p.toks[i].match
		case p.is(i, ",") && i < end-1:
			n++
		}
	}
	return n
}

// tree runs expr's parser. A panic in it is an error: the text is a user's.
func (p *parsed) tree(text string) (node ast.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser gave up: %v", r)
		}
	}()
	tree, err := parser.ParseWithConfig(text, parserConfig())
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

func parserConfig() *conf.Config {
	return &conf.Config{MaxNodes: maxNodes, DisableIfOperator: true}
}

// find returns the index of the token at an offset of the emitted text.
func (p *parsed) find(out int) int {
	i := sort.Search(len(p.toks), func(i int) bool { return p.toks[i].out > out })
	return max(i-1, 0)
}

// tok returns the token that a node stands at.
func (p *parsed) tok(n ast.Node) *token { return &p.toks[p.find(n.Location().From)] }

func (p *parsed) syntaxError(errs *source.Errors, err error) {
	var e *exprfile.Error
	if !errors.As(err, &e) {
		p.fail(errs, codeSyntax, p.span, "the expression cannot be read: "+err.Error(), "")
		return
	}
	i := p.find(e.From)
	last := p.toks[len(p.toks)-1]
	switch {
	case strings.Contains(e.Message, "maximum allowed nodes"):
		p.fail(errs, codeTooLarge, p.at(i), "the expression is too large", "name its parts with let or fn")
	case strings.Contains(e.Message, "coalesce"):
		p.fail(errs, codeSyntax, p.at(i), "?? and other operators do not mix without parentheses", "put one of them in parentheses")
	case strings.HasPrefix(p.toks[i].emit, "#"):
		p.fail(errs, codeElement, p.at(i), "# stands in list predicates only", "")
	case strings.Contains(e.Message, "expected at least"):
		p.fail(errs, codeArguments, p.at(i), "an argument is missing", "")
	case e.From > last.out || strings.Contains(e.Message, "EOF") || strings.Contains(e.Message, "unexpected end"):
		end := source.Span{File: p.file, Start: last.start, End: last.end}
		p.fail(errs, codeSyntax, end, fmt.Sprintf("something is missing after %q", p.show(len(p.toks)-1)), "")
	default:
		p.unexpected(errs, i)
	}
}

// unexpected reports token i where expr's parser can make nothing of it. A bracket that
// an interpolation put in stands for the brace that ends it.
func (p *parsed) unexpected(errs *source.Errors, i int) {
	at, found := p.at(i), p.show(i)
	if p.inserted(i) && p.toks[i].text == ")" && at.End < len(p.file.Text) {
		at.End++
		found = at.Text()
	}
	if i > 0 && p.dangles(i-1) {
		p.fail(errs, codeSyntax, at, fmt.Sprintf("expected an operand after %q, found %q", p.show(i-1), found), p.reservedMend(i))
		return
	}
	p.fail(errs, codeSyntax, at, fmt.Sprintf("unexpected %q", found), p.reservedMend(i))
}

// inserted reports whether token i takes no room in the file.
func (p *parsed) inserted(i int) bool { return p.toks[i].start == p.toks[i].end }

// dangles reports whether token i is an operator that wants an operand behind it.
func (p *parsed) dangles(i int) bool {
	t := p.toks[i]
	if t.kind == tokOperator {
		return t.text != "true" && t.text != "false" && t.text != "nil" && t.text != "let"
	}
	return t.kind == tokPunct && t.text != "" && strings.Contains("+-*/%^**==!=<=>=&&||??!..", t.text)
}

func (p *parsed) reservedMend(i int) string {
	if p.toks[i].kind == tokOperator {
		return "a name that is an operator word stands in backticks"
	}
	return ""
}

// show is a token as the file has it, short.
func (p *parsed) show(i int) string {
	s := p.file.Text[p.toks[i].start:p.toks[i].end]
	if s == "" {
		s = p.toks[i].text
	}
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// span is the place of a node and all below it.
func (p *parsed) spanOf(n ast.Node) source.Span {
	lo, hi := p.extent(n)
	return source.Span{File: p.file, Start: p.toks[lo].start, End: p.toks[hi].end}
}

// extent returns the first and last token of a node.
func (p *parsed) extent(n ast.Node) (lo, hi int) {
	lo = p.find(n.Location().From)
	if _, ok := n.(*ast.ConditionalNode); ok {
		lo = len(p.toks) - 1
	}
	hi = lo
	if _, ok := n.(*ast.ConditionalNode); ok {
		hi = 0
	}
	for _, kid := range children(n) {
		from, to := p.extent(kid)
		lo, hi = min(lo, from), max(hi, to)
	}
	return p.closed(n, lo, hi)
}

// closed widens an extent over the bracket that ends the node.
func (p *parsed) closed(n ast.Node, lo, hi int) (int, int) {
	at := p.find(n.Location().From)
	switch n.(type) {
	case *ast.CallNode, *ast.BuiltinNode:
		if p.is(at+1, "(") {
			hi = max(hi, p.toks[at+1].match)
		}
	case *ast.ArrayNode, *ast.MapNode:
		hi = max(hi, p.toks[at].match)
	case *ast.MemberNode, *ast.SliceNode:
		if p.is(hi+1, "]") {
			hi++
		}
	}
	return lo, hi
}

// children returns what is below a node.
func children(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		return some(n.Node, n.From, n.To)
	case *ast.CallNode:
		return append([]ast.Node{n.Callee}, n.Arguments...)
	case *ast.BuiltinNode:
		return n.Arguments
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{n.Value, n.Expr}
	case *ast.SequenceNode:
		return n.Nodes
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	}
	return nil
}

func some(nodes ...ast.Node) []ast.Node {
	var out []ast.Node
	for _, n := range nodes {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}
