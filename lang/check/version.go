package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// fingerprint gathers canonical text, line by line, to be hashed.
type fingerprint struct {
	text  []byte
	types []*plan.Type // of the set
	files []*plan.File // of the set
	set   *plan.Set
}

func newFingerprint(s *plan.Set) *fingerprint {
	return &fingerprint{types: s.Types, files: s.Files, set: s, text: make([]byte, 0, 2<<10)}
}

// add writes one line. Texts of users are written with %q, so that no two meanings
// have the same lines.
func (f *fingerprint) add(format string, args ...any) {
	f.text = append(fmt.Appendf(f.text, format, args...), '\n')
}

// expr writes an expression, and the files that it looks into: which they are, not
// what they hold.
func (f *fingerprint) expr(what string, e *plan.Expr) {
	f.text = append(append(f.text, what...), ' ')
	if e != nil {
		f.text = e.Append(f.text)
	}
	f.text = append(append(append(f.text, ' '), typeOf(e)...), '\n')
	eachExpr(e, func(e *plan.Expr) {
		if e.Op == plan.OpInFile || e.Op == plan.OpRow {
			f.file(f.files[e.Index])
		}
		if e.Op == plan.OpRead {
			f.projection(e.Name)
		}
	})
}

func (f *fingerprint) file(d *plan.File) { f.add("file %q %q %q", d.Name, d.Path, d.Key) }

// projection writes which projection of that name an expression reads.
func (f *fingerprint) projection(name string) {
	for _, p := range f.set.Projections {
		if p.Name == name {
			f.add("projection %q %s", p.Name, p.Version)
		}
	}
}

// projectionVersion names the meaning of a projection.
func projectionVersion(s *plan.Set, p *plan.Projection) string {
	f := newFingerprint(s)
	f.add("projection %q %q %d", p.Name, s.Types[p.Type].Schema.Name, p.Keep)
	f.expr("key", p.Key)
	f.expr("where", p.Where)
	for i, a := range p.Aggs {
		f.add("aggregate %s %s %v", a.Func, a.ArgT, a.Param)
		f.expr("of", p.Args[i].Value)
		f.expr("if", p.Args[i].Cond)
	}
	for _, field := range p.Fields {
		f.expr(fmt.Sprintf("field %q", field.Name), field.Expr)
	}
	return f.sum()
}

func typeOf(e *plan.Expr) string {
	if e == nil {
		return ""
	}
	return e.Type.String()
}

// sum is the first 16 hexadecimal digits of the hash.
func (f *fingerprint) sum() string {
	hash := sha256.Sum256(f.text)
	return hex.EncodeToString(hash[:8])
}

// ruleVersion names the meaning of a rule: all that can change which alerts it gives
// and what they say, and nothing else. Formatting, comments, names of lets and
// functions, files and other rules do not matter; nor do the fields of its events that
// it does not read.
func ruleVersion(s *plan.Set, r *plan.Rule) string {
	f := newFingerprint(s)
	f.add("rule %q %q %d %d %q %q", r.Name, r.Title, r.Severity, r.Mode, r.Tags, r.To)
	f.add("%q %q %t %d", r.Labels, r.Runbook, r.Once, r.Suppress)
	for _, k := range r.Keys {
		f.add("key %q %s", k.Name, k.Type)
	}
	for _, w := range r.Windows {
		f.add("window %q %+v %t", w.Name, w.Spec, w.Early)
	}
	for _, a := range r.Aggs {
		f.add("agg %s %s %d %d %s %v", a.Func, a.Type, a.Window, a.Step, a.ArgT, a.Param)
		f.expr("of", a.Arg.Value)
		f.expr("if", a.Arg.Cond)
	}
	for i := range r.Inputs {
		f.input(&r.Inputs[i])
	}
	f.outputs(r.Having, r.Emit, r.SuppressBy, r.Derived)
	f.pattern(r.Pattern)
	return f.sum()
}

func (f *fingerprint) input(in *plan.Input) {
	f.event(&f.types[in.Type].Schema)
	f.expr("where", in.Where)
	for _, k := range in.Key {
		f.expr("key", k)
	}
	f.outputs(in.Having, in.Emit, in.SuppressBy, in.Derived)
	for _, a := range in.Args {
		f.expr("of", a.Value)
		f.expr("if", a.Cond)
	}
	for _, line := range fieldTypes(append(exprsBesideKey(in), in.Key...)) {
		f.add("%s", line)
	}
}

// event writes what of a declaration any rule that reads it rests on.
func (f *fingerprint) event(s *event.Schema) {
	f.add("event %q time %q %d id %q", s.Name, s.TimeField, s.TimeUnit, s.IDField)
	f.add("%d %d %d %d", s.Dedup, s.Lateness, s.Ahead, s.Late)
}

// fieldTypes lists the fields that expressions read, with their types, sorted.
func fieldTypes(exprs []*plan.Expr) []string {
	var lines []string
	eachExprOf(exprs, func(e *plan.Expr) {
		if e.Op == plan.OpField || e.Op == plan.OpStepField {
			lines = append(lines, fmt.Sprintf("field %d %q %s", e.Step, e.Name, e.Type))
		}
	})
	slices.Sort(lines)
	return slices.Compact(lines)
}

func (f *fingerprint) outputs(having *plan.Expr, emit []plan.Field, by []*plan.Expr, derived []plan.Derived) {
	f.expr("having", having)
	for _, e := range emit {
		f.expr(fmt.Sprintf("emit %q", e.Name), e.Expr)
	}
	for _, e := range by {
		f.expr("suppress by", e)
	}
	for _, d := range derived {
		f.add("derived %q", f.types[d.Type].Schema.Name)
		for _, e := range d.Fields {
			f.expr(fmt.Sprintf("field %q", e.Name), e.Expr)
		}
	}
	for _, line := range fieldTypes(outputExprs(having, emit, by, derived)) {
		f.add("%s", line)
	}
}

func (f *fingerprint) pattern(p *plan.Pattern) {
	if p == nil {
		return
	}
	f.add("pattern %d %d %d", p.Select, p.Limit, p.Within)
	for i := range p.Steps {
		f.step("step", &p.Steps[i])
	}
	if p.Until != nil {
		f.step("until", p.Until)
	}
	for _, t := range p.Types {
		f.add("type %q", f.types[t].Schema.Name)
	}
	f.node(p.Root)
}

func (f *fingerprint) step(what string, s *plan.Step) {
	f.add("%s %q %q", what, s.Name, f.types[s.Type].Schema.Name)
	f.expr("if", s.Cond)
	for _, k := range s.Key {
		f.expr("key", k)
	}
	for _, line := range fieldTypes(append([]*plan.Expr{s.Cond}, s.Key...)) {
		f.add("%s", line)
	}
}

func (f *fingerprint) node(n *plan.Node) {
	f.add("(%d %d %d %d %d %t %t %d", n.Kind, n.Step, n.Need, n.Min, n.Max, n.Strict, n.Neg, n.For)
	for i, kid := range n.Kids {
		if n.Kind == plan.NodeSeq {
			f.add("%+v", n.Links[i])
		}
		f.node(kid)
	}
	f.add(")")
}

// setVersion names the meaning of a whole set: its rules, and its event types with
// all their fields, for they say which records can be read.
func setVersion(s *plan.Set) string {
	f := newFingerprint(s)
	for _, t := range s.Types {
		f.event(&t.Schema)
		f.add("%s", t.Schema.Type())
	}
	for _, d := range s.Files {
		f.file(d)
	}
	for _, p := range s.Projections {
		f.add("projection %q %s", p.Name, p.Version)
	}
	f.text = slices.Grow(f.text, 50*len(s.Rules))
	for _, r := range s.Rules {
		f.text = strconv.AppendQuote(append(f.text, "rule "...), r.Name)
		f.text = append(append(append(f.text, ' '), r.Version...), '\n')
	}
	return f.sum()
}
