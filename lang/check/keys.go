package check

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// nameKeys names the parts of the rule's key.
func (r *rule) nameKeys() {
	names := make([]syntax.Name, 0, len(r.decl.By))
	for _, k := range r.decl.By {
		name := k.As
		if name.Text == "" {
			name = syntax.Name{Span: k.Expr.Span, Text: plainName(k.Expr.Span.Text())}
		}
		if name.Text == "" {
			r.fail(codeKeyName, k.Span, "write "+k.Expr.Span.Text()+" as NAME",
				"a key part that is not a plain field needs a name")
		} else {
			names = append(names, name)
		}
		r.keys = append(r.keys, predicate.Key{Name: name.Text, Type: event.Type{Kind: event.Nil}})
	}
	r.unique(codeDuplicateItem, "key part", names)
}

// finishKeys hands the key over. A part whose type is not known by now had an error.
func (r *rule) finishKeys() {
	for _, k := range r.keys {
		r.out.Keys = append(r.out.Keys, plan.Key{Name: k.Name, Type: k.Type})
	}
}

// key compiles key parts over the events of a type: those of the rule, or, in a step
// that has its own, those. mend says what to do about a type that lacks a field.
func (r *rule) key(t *plan.Type, parts []*syntax.Key, mend string) []*plan.Expr {
	key := make([]*plan.Expr, len(parts))
	for i, part := range parts {
		if r.lacksField(t, part, mend) {
			continue
		}
		s := r.scope("a key part", t, nil)
		s.Keys, s.Lets = nil, r.lets
		s.NoAggs = "a key is taken from one event"
		s.NoReads = "the key is taken before anything is looked up"
		for _, other := range r.types {
			if other != t && !slices.Contains(s.Others, other) {
				s.Others = append(s.Others, other)
			}
		}
		key[i] = r.compile(part.Expr.Span, s, event.Nil)
		if key[i] != nil && r.keyable(part.Expr.Span, key[i]) {
			r.typeKey(i, t, part.Expr.Span, key[i])
		}
	}
	return key
}

// lacksField reports a key part that is a field which the type does not have: by it,
// none of its events would have a key.
func (r *rule) lacksField(t *plan.Type, part *syntax.Key, mend string) bool {
	name := plainName(part.Expr.Span.Text())
	record := t.Schema.Type()
	if name == "" || r.isLet(name) || r.names[name] != nil || record.Field(name) != nil {
		return false
	}
	found := r.near(name, fieldNames(t.Schema.Fields), mend)
	r.report(source.Error{
		Code: codeKeyField, Span: part.Expr.Span, Mend: found,
		Message: "events of type " + t.Schema.Name + " have no field \"" + name + "\" to be the key",
	})
	return true
}

// typeKey gives part i its type, or compares with the one it has: two values are one
// key only if they are of one type.
func (r *rule) typeKey(i int, t *plan.Type, at source.Span, e *plan.Expr) {
	if i >= len(r.keys) {
		return
	}
	have := &r.keys[i].Type
	if have.Kind == event.Nil {
		*have = e.Type
		have.Optional = false
		return
	}
	if have.Kind != e.Type.Kind {
		r.fail(codeTwoTypes, at, "convert one of them", "key part %q is %s for %s, and %s for the types before it",
			r.keys[i].Name, article(e.Type), t.Schema.Name, article(*have))
	}
}
