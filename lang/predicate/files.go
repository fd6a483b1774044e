package predicate

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// named is a list or table that a node names: exactly one is set.
type named struct {
	list  *List
	table *Table
}

// file is where it comes from; nil: from no file.
func (m named) file() *File {
	if m.list != nil {
		return m.list.File
	}
	return m.table.File
}

// fileNamed returns the list or table from a file, or the table of any kind, that a
// node names; false where it names none.
func (c *checker) fileNamed(cx *context, n ast.Node) (named, bool) {
	if chain, ok := n.(*ast.ChainNode); ok {
		return c.fileNamed(cx, chain.Node)
	}
	id, ok := n.(*ast.IdentifierNode)
	if !ok || cx.text.tok(id).kind == tokText {
		return named{}, false
	}
	ms := c.meanings(cx, cx.text.tok(id).text, "")
	switch {
	case len(ms) != 1:
	case ms[0].table != nil, ms[0].list != nil && ms[0].list.File != nil:
		return named{list: ms[0].list, table: ms[0].table}, true
	}
	return named{}, false
}

// inFile compiles x in NAME, NAME being a list from a file, or a table, whose keys are
// meant; nil where the node is something else.
func (c *checker) inFile(cx *context, n *ast.BinaryNode) *plan.Expr {
	if n.Operator != "in" {
		return nil
	}
	m, ok := c.fileNamed(cx, n.Right)
	if !ok {
		return nil
	}
	return c.lookup(cx, plan.OpInFile, n.Left, m)
}

// row compiles NAME[x], NAME being a table; nil where the node is something else.
func (c *checker) row(cx *context, n ast.Node) *plan.Expr {
	at, ok := n.(*ast.MemberNode)
	if !ok {
		return nil
	}
	m, ok := c.fileNamed(cx, at.Node)
	if !ok || m.table == nil {
		return nil
	}
	return c.lookup(cx, plan.OpRow, at.Property, m)
}

// tableName compiles the name of a table with what is read of it by name: NAME["x"]
// has its key there.
func (c *checker) tableName(cx *context, n *ast.IdentifierNode, t *Table, parts []ast.Node) *plan.Expr {
	if len(parts) == 0 || !c.isQuoted(cx, parts[0]) {
		return c.failAt(cx, n, codeNoSuchPlace, fmt.Sprintf("the table %q is read by key", t.Name), "write "+t.Name+"[x].field")
	}
	return c.members(cx, c.lookup(cx, plan.OpRow, parts[0], named{table: t}), parts[1:])
}

// isQuoted reports whether the name of a field is written as text in brackets.
func (c *checker) isQuoted(cx *context, n ast.Node) bool {
	return cx.text.tok(n).kind == tokLiteral
}

// lookup compiles the look-up of a value.
func (c *checker) lookup(cx *context, op plan.Op, operand ast.Node, m named) *plan.Expr {
	f := m.file()
	if f == nil {
		return c.read(cx, op, operand, m.table)
	}
	x := c.check(cx, operand)
	if isBad(x) {
		return x
	}
	t := event.Type{Kind: event.Bool}
	if op == plan.OpRow {
		t = event.Type{Kind: event.Record, Optional: true, Fields: f.Columns}
	}
	switch k := x.Type.Kind; k {
	case event.Nil:
		return noRow(op)
	case event.String, event.Int, event.Float, event.IP, event.Any:
		f.ask(k)
	default:
		what := "a list from a file holds"
		if m.table != nil {
			what = "the keys of a table are"
		}
		return c.fail(cx, operand, codeType, what+" text, numbers or addresses, this is "+a(x.Type), "")
	}
	return &plan.Expr{Op: op, Index: f.Number, Name: f.Name, Type: t, Args: []*plan.Expr{x}}
}

// noRow is what a look-up of nil gives.
func noRow(op plan.Op) *plan.Expr {
	if op == plan.OpInFile {
		return constant(event.OfBool(false))
	}
	return &plan.Expr{Op: plan.OpConst}
}

// rowTest makes of NAME[x] == nil, and of !=, the question whether there is a row; nil
// where the comparison is another one.
func rowTest(op plan.Op, x, y *plan.Expr) *plan.Expr {
	if isNil(x) {
		x, y = y, x
	}
	if x.Op != plan.OpRow || !isNil(y) || op != plan.OpEq && op != plan.OpNe {
		return nil
	}
	e := &plan.Expr{Op: plan.OpInFile, Index: x.Index, Name: x.Name, Type: event.Type{Kind: event.Bool}, Args: x.Args}
	if op == plan.OpNe {
		return e
	}
	return negate(e)
}

// columnOf is the number of a column of a row; 0 of all else.
func columnOf(e *plan.Expr, name string) int {
	if e.Op != plan.OpRow {
		return 0
	}
	return slices.IndexFunc(e.Type.Fields, func(f event.Field) bool { return f.Name == name })
}

func ofTable(e *plan.Expr) string {
	if e.Op != plan.OpRow {
		return ""
	}
	return " of the table " + e.Name
}
