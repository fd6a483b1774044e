package predicate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// meaning is one thing that a name could mean at its place. Exactly one of the
// pointers is set, or one of the flags.
type meaning struct {
	local  *local
	field  *plan.Type // a field of the event at hand
	step   *Step
	prev   *Step
	key    int // part plus one
	let    *Let
	global *Let
	list   *List
	table  *Table
	window int // number plus one
	times  bool
	meta   bool
}

// what describes a meaning in a message.
func (m meaning) what() string {
	switch {
	case m.local != nil:
		return "a local name"
	case m.field != nil:
		return "a field of " + m.field.Schema.Name
	case m.step != nil:
		return "a step"
	case m.prev != nil:
		return "the step's previous event"
	case m.key > 0:
		return "a part of the key"
	case m.let != nil:
		return "a let of the rule"
	case m.global != nil:
		return "a constant"
	case m.list != nil:
		return "a list"
	case m.table != nil:
		return "a table"
	case m.window > 0:
		return "a window"
	case m.times:
		return "the window's times"
	}
	return "the event's own data"
}

var metaNames = []string{"type", "id", "time", "source", "key", "headers"}

// meanings lists what a name could mean, next being the name of the field read of it.
func (c *checker) meanings(cx *context, name, next string) []meaning {
	var ms []meaning
	for l := cx.locals; l != nil; l = l.next {
		if l.name == name {
			ms = append(ms, meaning{local: l})
			break
		}
	}
	if !cx.macro {
		ms = c.placeMeanings(ms, cx, name, next)
	}
	if g := c.sc.Globals; g != nil {
		ms = globalMeanings(ms, g, name)
	}
	return ms
}

// placeMeanings adds what the place of the expression gives names to.
func (c *checker) placeMeanings(ms []meaning, cx *context, name, next string) []meaning {
	isField := c.hasField(cx, name) && !(name == "meta" && c.ownMeta(cx, next))
	if isField {
		ms = append(ms, meaning{field: cx.events})
	}
	for i := range c.sc.Steps {
		s := &c.sc.Steps[i]
		if s.Name == name {
			ms = append(ms, meaning{step: s})
		}
		if name == "prev" && s.Own && s.Repeats {
			ms = append(ms, meaning{prev: s})
		}
	}
	for i, k := range c.sc.Keys {
		if name != "" && k.Name == name && !(isField && k.IsField) {
			ms = append(ms, meaning{key: i + 1})
		}
	}
	for i := range c.sc.Lets {
		if c.sc.Lets[i].Name == name {
			ms = append(ms, meaning{let: &c.sc.Lets[i]})
		}
	}
	if cx.agg != nil && name != "" {
		if i := slices.Index(c.sc.Windows, name); i >= 0 {
			ms = append(ms, meaning{window: i + 1})
		}
	}
	if name == "window" && c.sc.WindowTimes && (next == "start" || next == "end") {
		ms = append(ms, meaning{times: true})
	}
	if name == "meta" && cx.events != nil && cx.bare && slices.Contains(metaNames, next) {
		ms = append(ms, meaning{meta: true})
	}
	return ms
}

// ownMeta reports whether meta.next is the event's own data although the event has a
// field meta: a record without such a field.
func (c *checker) ownMeta(cx *context, next string) bool {
	f := c.fieldOf(cx.events, "meta")
	return slices.Contains(metaNames, next) && f.Type.Kind == event.Record && f.Type.Field(next) == nil
}

// hasField reports whether a bare name is a field of the event at hand, or of
// another type that the rule reads.
func (c *checker) hasField(cx *context, name string) bool {
	if cx.events == nil || !cx.bare {
		return false
	}
	return c.fieldOf(cx.events, name) != nil
}

// fieldOf looks for a field in a type, and in the other types of the rule where it is
// the type at hand.
func (c *checker) fieldOf(t *plan.Type, name string) *event.Field {
	typ := t.Schema.Type()
	if f := typ.Field(name); f != nil || t != c.sc.Event {
		return f
	}
	for _, o := range c.sc.Others {
		other := o.Schema.Type()
		if f := other.Field(name); f != nil {
			return f
		}
	}
	return nil
}

func globalMeanings(ms []meaning, g *Globals, name string) []meaning {
	for i := range g.Lets {
		if g.Lets[i].Name == name {
			ms = append(ms, meaning{global: &g.Lets[i]})
		}
	}
	for i := range g.Lists {
		if g.Lists[i].Name == name {
			ms = append(ms, meaning{list: &g.Lists[i]})
		}
	}
	for i := range g.Tables {
		if g.Tables[i].Name == name {
			ms = append(ms, meaning{table: &g.Tables[i]})
		}
	}
	return ms
}

// name compiles a name and the fields read of it.
func (c *checker) name(cx *context, n *ast.IdentifierNode, parts []ast.Node) *plan.Expr {
	name, next := cx.text.tok(n).text, ""
	if len(parts) > 0 {
		next = cx.text.tok(parts[0]).text
	}
	if kind := cx.text.tok(n).kind; kind == tokText {
		return bad()
	}
	ms := c.meanings(cx, name, next)
	switch {
	case len(ms) == 0 && name == "meta" && cx.events != nil && cx.bare && !cx.macro:
		return c.metaField(cx, n, &reference{typ: cx.events}, parts)
	case len(ms) == 0:
		return c.unknown(cx, n, name, next)
	case len(ms) > 1:
		return c.failAt(cx, n, codeAmbiguous, fmt.Sprintf("%q could mean two things: %s, or %s", name, ms[0].what(), ms[1].what()), "rename one of them")
	}
	return c.meant(cx, n, ms[0], parts)
}

// meant compiles a name whose meaning is known.
func (c *checker) meant(cx *context, n *ast.IdentifierNode, m meaning, parts []ast.Node) *plan.Expr {
	switch {
	case m.local != nil, m.step != nil, m.prev != nil, m.let != nil:
		if r := c.reference(cx, n); r != nil {
			return c.refField(cx, n, r, parts)
		}
	case m.field != nil:
		if cx.agg != nil {
			cx.agg.bare = true
		}
		return c.path(cx, &reference{typ: m.field}, append([]ast.Node{n}, parts...))
	case m.table != nil:
		return c.tableName(cx, n, m.table, parts)
	case m.meta:
		if cx.agg != nil {
			cx.agg.bare = true
		}
		return c.metaField(cx, n, &reference{typ: cx.events}, parts)
	case m.times:
		e := &plan.Expr{Op: plan.OpWindow, Name: cx.text.tok(parts[0]).text, Type: event.Type{Kind: event.Time}}
		return c.members(cx, e, parts[1:])
	case m.window > 0:
		return c.windowField(cx, n, m.window-1, parts)
	}
	return c.members(cx, c.plainName(cx, n, m), parts)
}

// plainName compiles a name that is a value by itself.
func (c *checker) plainName(cx *context, n *ast.IdentifierNode, m meaning) *plan.Expr {
	switch {
	case m.local != nil:
		return c.localValue(cx, n, m.local)
	case m.key > 0:
		if cx.agg != nil {
			return c.failAt(cx, n, codeStep, "a part of the key is not seen in an aggregate's argument", "use it outside the aggregate")
		}
		return &plan.Expr{Op: plan.OpKey, Index: m.key - 1, Type: c.sc.Keys[m.key-1].Type}
	case m.let != nil:
		return c.expand(cx, n, use{kind: "let", name: m.let.Name}, m.let.Expr, false)
	case m.global != nil:
		return c.expand(cx, n, use{kind: "constant", name: m.global.Name}, m.global.Expr, true)
	}
	if m.list.File != nil {
		return c.failAt(cx, n, codeNoSuchPlace, fmt.Sprintf("the list %q comes from a file and is no value of its own", m.list.Name), "write x in "+m.list.Name)
	}
	e := c.expand(cx, n, use{kind: "list", name: m.list.Name}, m.list.Expr, true)
	if !isBad(e) && (e.Type.Kind != event.List || !isLiteral(e)) {
		return c.failAt(cx, n, codeConstant, fmt.Sprintf("the list %q holds more than constants", m.list.Name), "")
	}
	return e
}

// unknown reports a name that means nothing here, next being the name of the field read
// of it.
func (c *checker) unknown(cx *context, n ast.Node, name, next string) *plan.Expr {
	if why := c.whyNot(cx, name); why != "" {
		return c.failAt(cx, n, codeNoBareField, why, c.bareMend(cx, name))
	}
	candidates := c.candidates(cx)
	if slices.Contains(candidates, name) {
		return c.failAt(cx, n, codeSyntax, fmt.Sprintf("%q cannot stand alone", name), "")
	}
	events := c.eventNames(cx, next)
	candidates = append(candidates, events...)
	mend := source.DidYouMean(name, candidates)
	if mend == "" && (strings.EqualFold(name, "null") || name == "None") {
		mend = "what is missing is nil"
	}
	near, _ := source.Near(name, candidates)
	if cx.events != nil && cx.bare && !cx.macro && !slices.Contains(events, near) {
		return c.failAt(cx, n, codeUnknownField, fmt.Sprintf("unknown field %q of %s", name, cx.events.Schema.Name), mend)
	}
	return c.failAt(cx, n, codeUnknownName, fmt.Sprintf("unknown name %q", name), mend)
}

// eventNames lists what names events where an aggregate takes them, or a field, next, is
// read of them: windows, and steps.
func (c *checker) eventNames(cx *context, next string) []string {
	if cx.macro || cx.agg == nil && next == "" {
		return nil
	}
	var names []string
	if cx.agg != nil {
		names = append(names, c.sc.Windows...)
	}
	for _, s := range c.sc.Steps {
		names = append(names, s.Name)
	}
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// whyNot says why a name that exists elsewhere means nothing here.
func (c *checker) whyNot(cx *context, name string) string {
	switch {
	case cx.macro:
		return ""
	case cx.events != nil && !cx.bare && c.fieldOf(cx.events, name) != nil:
		return fmt.Sprintf("the field %q cannot be read here: %s", name, c.sc.NoBare)
	case name == "meta" && !cx.bare:
		return "there is no event at hand here"
	case name == "window":
		return "window.start and window.end are set in tumbling, hopping, session and batch windows only"
	case name == "prev":
		return "prev is the previous event of a repeated step, in its own condition only"
	}
	return ""
}

func (c *checker) bareMend(cx *context, name string) string {
	if c.sc.Aggs == nil || cx.agg != nil || name == "meta" || name == "window" || name == "prev" {
		return ""
	}
	return "write last(" + name + "), or another aggregate"
}

// candidates are the names that could stand here.
func (c *checker) candidates(cx *context) []string {
	var names []string
	for l := cx.locals; l != nil; l = l.next {
		names = append(names, l.name)
	}
	if !cx.macro {
		names = append(names, c.placeNames(cx)...)
	}
	if g := c.sc.Globals; g != nil {
		for _, l := range g.Lets {
			names = append(names, l.Name)
		}
		for _, l := range g.Lists {
			names = append(names, l.Name)
		}
		for _, t := range g.Tables {
			names = append(names, t.Name)
		}
	}
	return names
}

func (c *checker) placeNames(cx *context) []string {
	var names []string
	if cx.events != nil && cx.bare {
		names = append(names, fieldNames(cx.events.Schema.Fields)...)
		for _, o := range c.sc.Others {
			names = append(names, fieldNames(o.Schema.Fields)...)
		}
	}
	for _, s := range c.sc.Steps {
		names = append(names, s.Name)
	}
	for _, k := range c.sc.Keys {
		names = append(names, k.Name)
	}
	for _, l := range c.sc.Lets {
		names = append(names, l.Name)
	}
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// member compiles access to fields and elements.
func (c *checker) member(cx *context, n *ast.MemberNode) *plan.Expr {
	base, parts := unwind(n)
	if id, ok := base.(*ast.IdentifierNode); ok && len(parts) > 0 {
		return c.name(cx, id, parts)
	}
	if r := c.reference(cx, base); r != nil {
		return c.refField(cx, base, r, parts)
	}
	if row := c.row(cx, base); row != nil {
		return c.members(cx, row, parts)
	}
	if len(parts) == 0 {
		return c.index(cx, n)
	}
	return c.members(cx, c.check(cx, base), parts)
}

// unwind takes the names of fields off a node: base.a["b"].c has a, b and c.
func unwind(n ast.Node) (base ast.Node, parts []ast.Node) {
	for {
		switch m := n.(type) {
		case *ast.ChainNode:
			n = m.Node
			continue
		case *ast.MemberNode:
			if _, ok := m.Property.(*ast.StringNode); ok {
				parts = append(parts, m.Property)
				n = m.Node
				continue
			}
		}
		slices.Reverse(parts)
		return n, parts
	}
}

// index compiles an element of a list, or a computed field.
func (c *checker) index(cx *context, n *ast.MemberNode) *plan.Expr {
	x, i := c.check(cx, n.Node), c.check(cx, n.Property)
	if anyBad(x, i) {
		return bad()
	}
	switch k := x.Type.Kind; {
	case k == event.List && (i.Type.Kind == event.Int || i.Type.Kind == event.Any):
		t := elemOf(x.Type)
		return &plan.Expr{Op: plan.OpIndex, Type: t, Args: []*plan.Expr{x, i}}
	case k == event.Any:
		return typed(plan.OpIndex, event.Any, x, i)
	case k == event.List:
		return c.fail(cx, n.Property, codeType, "an index is a whole number, this is "+a(i.Type), "")
	}
	return c.fail(cx, n, codeType, a(x.Type)+" has no elements", "")
}

// members compiles the fields read of a value.
func (c *checker) members(cx *context, e *plan.Expr, parts []ast.Node) *plan.Expr {
	for _, part := range parts {
		if isBad(e) {
			return e
		}
		name := cx.text.tok(part).text
		t := event.Type{Kind: event.Any}
		switch e.Type.Kind {
		case event.Any, event.Nil:
		case event.Record:
			f := e.Type.Field(name)
			if f == nil {
				return c.failAt(cx, part, codeUnknownField, fmt.Sprintf("unknown field %q%s", name, ofTable(e)), source.DidYouMean(name, fieldNames(e.Type.Fields)))
			}
			t = f.Type
		default:
			return c.failAt(cx, part, codeType, a(e.Type)+" has no fields", "")
		}
		e = &plan.Expr{Op: plan.OpMember, Name: name, Index: columnOf(e, name), Type: t, Args: []*plan.Expr{e}}
	}
	return e
}

func fieldNames(fields []event.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// pathName joins a path for canonical text; names that are no identifiers, or that
// look like literals, are quoted.
func pathName(path []string) string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = p
		if wordLen(p) != len(p) || p == "nil" || p == "true" || p == "false" {
			out[i] = strconv.Quote(p)
		}
	}
	return strings.Join(out, ".")
}
