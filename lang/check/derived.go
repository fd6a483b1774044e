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

// derivation is one `emit EVENT` of a rule: an edge of the graph that must have no
// cycle.
type derivation struct {
	rule int // index into Set.Rules
	typ  int
	at   source.Span
}

// derived compiles `emit EVENT { … }`: every field is one of the event's, with a value
// of its type; every field that may not be missing is given.
func (r *rule) derived(d *syntax.Emit, scope func(string) *predicate.Scope) []plan.Derived {
	t, ok := r.typeNamed(d.Event)
	r.unique(codeDuplicateItem, "field of emit "+d.Event.Text, fieldDeclNames(d.Fields))
	record := event.Type{}
	if ok {
		record = t.Schema.Type()
		r.missingFields(d, t)
	}
	out := plan.Derived{Type: r.typeIndex(t)}
	for _, f := range d.Fields {
		e := r.compile(f.Expr.Span, scope("emit "+d.Event.Text), event.Nil)
		out.Fields = append(out.Fields, plan.Field{Name: f.Name.Text, Expr: e})
		if ok {
			r.derivedField(f, t.Schema.Name, &record, e)
		}
	}
	if !ok {
		return nil
	}
	r.work.edges = append(r.work.edges, derivation{len(r.set.Rules) - 1, out.Type, d.Event.Span})
	return []plan.Derived{out}
}

func (r *rule) derivedField(f *syntax.Field, of string, record *event.Type, e *plan.Expr) {
	field := record.Field(f.Name.Text)
	if field == nil {
		r.fail(codeNoSuchField, f.Name.Span, r.near(f.Name.Text, fieldNames(record.Fields), ""),
			"unknown field %q of %s", f.Name.Text, of)
		return
	}
	if e != nil && !assignable(field.Type, e.Type) {
		r.fail(codeDerivedField, f.Expr.Span, "", "field %q of %s is %s, this is %s",
			f.Name.Text, of, article(field.Type), article(e.Type))
	}
}

// assignable reports whether a field of type to can hold a value of type from. An int
// is a float; what is known at run time only is judged then.
func assignable(to, from event.Type) bool {
	switch {
	case to.Kind == event.Any || from.Kind == event.Any || from.Kind == event.Nil:
		return true
	case to.Kind == event.Float && from.Kind == event.Int:
		return true
	case to.Kind == event.List && from.Kind == event.List:
		return from.Elem == nil || assignable(*to.Elem, *from.Elem)
	case to.Kind == event.Record && from.Kind == event.Record:
		return true
	}
	return to.Kind == from.Kind
}

// missingFields reports the fields that an event must have and is not given. Its time
// and identity are those of the alert where they are left out.
func (r *rule) missingFields(d *syntax.Emit, t *plan.Type) {
	var missing []string
	for _, f := range t.Schema.Fields {
		given := slices.ContainsFunc(d.Fields, func(have *syntax.Field) bool { return have.Name.Text == f.Name })
		if !given && !f.Type.Optional && f.Name != t.Schema.TimeField && f.Name != t.Schema.IDField {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		r.fail(codeDerivedField, d.Event.Span, "give what is missing, or declare it with ?",
			"emit %s lacks %s", t.Schema.Name, strings.Join(missing, ", "))
	}
}
