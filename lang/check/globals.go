package check

import (
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// compileGlobals gathers the top-level names that expressions may use and proves each
// once, so that what no rule uses is checked too.
func (c *checker) compileGlobals() {
	lets, fns := declared[*syntax.Let](c), declared[*syntax.Fn](c)
	lists, tables := declared[*syntax.List](c), declared[*syntax.Table](c)
	c.poisonBroken()
	opened := c.openFiles(lists, tables)
	for _, d := range lets {
		if !d.Broken {
			c.globals.Lets = append(c.globals.Lets, predicate.Let{Name: d.Name.Text, Expr: d.Expr.Span})
		}
	}
	for _, d := range fns {
		c.addFn(d)
	}
	for _, d := range lists {
		if !d.Broken {
			c.globals.Lists = append(c.globals.Lists, predicate.List{Name: d.Name.Text, Expr: listSpan(d), File: opened[d.Name.Text]})
		}
	}
	for _, d := range tables {
		c.globals.Tables = append(c.globals.Tables, predicate.Table{Name: d.Name.Text, File: opened[d.Name.Text]})
	}
	c.proveGlobals(lets, fns, lists)
	c.tables = tables
	c.projections(tables)
}

// poisonBroken marks the names of what did not parse: expressions that use them are
// not judged.
func (c *checker) poisonBroken() {
	for name, d := range c.names {
		if _, isEvent := d.(*syntax.Event); !isEvent && isBroken(d) {
			c.poison[name] = true
		}
	}
}

func (c *checker) addFn(d *syntax.Fn) {
	if d.Broken {
		return
	}
	fn := predicate.Fn{Name: d.Name.Text, Body: d.Expr.Span}
	names := make([]syntax.Name, len(d.Params))
	for i, p := range d.Params {
		param, ok := c.param(p)
		if !ok {
			c.poison[d.Name.Text] = true
		}
		names[i] = p.Name
		fn.Params = append(fn.Params, param)
	}
	c.unique(codeDuplicateItem, "parameter of "+d.Name.Text, names)
	if !c.poison[d.Name.Text] {
		c.globals.Fns = append(c.globals.Fns, fn)
	}
}

// param types one parameter: a basic type, or the name of an event type.
func (c *checker) param(p *syntax.Param) (predicate.Param, bool) {
	out := predicate.Param{Name: p.Name.Text}
	if p.Type.Kind == syntax.NamedType {
		name := p.Type.Name
		if _, basic := basicType(name.Text); !basic {
			if _, isEvent := c.names[name.Text].(*syntax.Event); !isEvent {
				c.fail(codeUnknownType, name.Span, c.near(name.Text, append(basicTypes(), c.eventNames()...), ""),
					"unknown type %q of parameter %q", name.Text, p.Name.Text)
				return out, false
			}
			out.Event = c.types[name.Text]
			return out, out.Event != nil
		}
	}
	out.Type = c.eventType("field of "+p.Name.Text, p.Type)
	return out, true
}

// listSpan is the bracketed part of `list NAME = [ … ]`: the declaration ends with
// its bracket, and only space, comments and = can stand before the first one.
func listSpan(d *syntax.List) source.Span {
	if d.Path != nil {
		return source.Span{}
	}
	text := d.Span.File.Text
	at := d.Name.Span.End
	for at < d.Span.End && text[at] != '[' {
		switch {
		case strings.HasPrefix(text[at:], "//"):
			at += max(strings.IndexByte(text[at:], '\n'), 1)
		case strings.HasPrefix(text[at:], "/*"):
			at += 2 + max(strings.Index(text[at+2:], "*/"), 0) + 2
		default:
			at++
		}
	}
	return source.Span{File: d.Span.File, Start: min(at, d.Span.End), End: d.Span.End}
}

func (c *checker) proveGlobals(lets []*syntax.Let, fns []*syntax.Fn, lists []*syntax.List) {
	for _, d := range lets {
		if !d.Broken {
			c.compile(d.Expr.Span, &predicate.Scope{Place: "the constant " + d.Name.Text, Globals: c.globals}, event.Nil)
		}
	}
	for _, d := range lists {
		if !d.Broken && d.Path == nil {
			c.compile(listSpan(d), &predicate.Scope{Place: "the list " + d.Name.Text, Globals: c.globals}, event.List)
		}
	}
	for _, d := range fns {
		if !d.Broken && !c.poison[d.Name.Text] {
			c.proveFn(d)
		}
	}
}

// proveFn compiles the body of a macro once with stand-ins for its parameters: an
// event is seen like a step, a value like a part of a key.
func (c *checker) proveFn(d *syntax.Fn) {
	scope := &predicate.Scope{Place: "the function " + d.Name.Text, Globals: c.globals, Aggs: &scratchAggs{}}
	for _, fn := range c.globals.Fns {
		if fn.Name != d.Name.Text {
			continue
		}
		for i, p := range fn.Params {
			if slices.ContainsFunc(fn.Params[:i], func(o predicate.Param) bool { return o.Name == p.Name }) {
				continue // told by addFn
			}
			if p.Event != nil {
				scope.Steps = append(scope.Steps, predicate.Step{Name: p.Name, Number: i, Type: scratch(p.Event)})
				continue
			}
			scope.Keys = append(scope.Keys, predicate.Key{Name: p.Name, Type: p.Type})
		}
	}
	c.compile(d.Expr.Span, scope, event.Nil)
}

// scratch is a copy of a type whose layout may take slots that no rule reads.
func scratch(t *plan.Type) *plan.Type {
	out := &plan.Type{Schema: t.Schema}
	out.Layout.Schema = &out.Schema
	return out
}

// scratchAggs takes the aggregates of an expression that is compiled only to prove
// it.
type scratchAggs struct{ n int }

func (s *scratchAggs) Aggregate(predicate.AggCall) (int, error) {
	s.n++
	return s.n - 1, nil
}

// compile compiles one expression and reports what is wrong with it. The result is
// nil where it has errors, or where it rests on what is broken or unknown.
func (c *checker) compile(at source.Span, scope *predicate.Scope, want event.Kind) *plan.Expr {
	if c.full() || c.poisoned(at.Text()) {
		return nil
	}
	e, errs := predicate.Compile(at, scope, want)
	return c.compiled(at, e, errs)
}

// compiled reports what is wrong with an expression, and returns it if nothing is.
func (c *checker) compiled(at source.Span, e *plan.Expr, errs source.Errors) *plan.Expr {
	for _, err := range errs {
		c.report(err)
	}
	if c.globals.Nodes > c.budget {
		c.fail(codeTooMany, at, "use smaller lets and functions",
			"the rule set is too large once its names are put in: no expression is looked at from here on")
	}
	if errs.HasErrors() {
		return nil
	}
	return e
}

// poisoned reports whether a text uses a name that nothing is known of.
func (c *checker) poisoned(text string) bool {
	return len(c.poison) > 0 && usesName(text, func(name string) bool { return c.poison[name] })
}

// usesName reports whether a name that is meant stands in a text. It may find one
// within a string too: then an expression goes unchecked until what broke the name is
// mended.
func usesName(text string, meant func(name string) bool) bool {
	return slices.ContainsFunc(strings.FieldsFunc(text, notOfName), meant)
}

func fieldDeclNames(fields []*syntax.Field) []syntax.Name {
	names := make([]syntax.Name, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// keyable reports an expression whose value cannot be told apart by: a key is made of
// scalars.
func (c *checker) keyable(at source.Span, e *plan.Expr) bool {
	if e == nil || e.Type.Kind.Scalar() {
		return true
	}
	c.fail(codeKeyType, at, "take a part of it that is a string, a number, a bool, a time or an address",
		"a key cannot be %s", article(e.Type))
	return false
}
