package check

import (
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// tidy makes the plans of rules small and lets go of the texts that they were written in:
// a plan lives on while the file around its rule is changed again and again, and would
// hold every text of the file. What is equal is there once.
type tidy struct {
	texts  map[string]string
	fields map[slotRead]*plan.Expr
}

func newTidy() *tidy { return &tidy{map[string]string{}, map[slotRead]*plan.Expr{}} }

func (t *tidy) text(s *string) {
	if *s == "" {
		return
	}
	own, ok := t.texts[*s]
	if !ok {
		own = strings.Clone(*s)
		t.texts[own] = own
	}
	*s = own
}

func (t *tidy) list(texts []string) {
	for i := range texts {
		t.text(&texts[i])
	}
}

// rule tidies a rule that no set has yet.
func (t *tidy) rule(r *plan.Rule) {
	for _, s := range []*string{&r.Name, &r.Title, &r.Runbook} {
		t.text(s)
	}
	t.list(r.Tags)
	t.list(r.To)
	for i := range r.Labels {
		t.text(&r.Labels[i].Name)
		t.text(&r.Labels[i].Text)
	}
	for i := range r.Keys {
		t.text(&r.Keys[i].Name)
	}
	for i := range r.Windows {
		t.text(&r.Windows[i].Name)
		t.text(&r.Windows[i].Spec.Zone)
	}
	t.outputs(r.Emit, r.Derived)
	for i := range r.Inputs {
		t.outputs(r.Inputs[i].Emit, r.Inputs[i].Derived)
	}
	if p := r.Pattern; p != nil {
		for i := range p.Steps {
			t.text(&p.Steps[i].Name)
		}
		if p.Until != nil {
			t.text(&p.Until.Name)
		}
	}
	eachPlace(r, t.expr)
}

func (t *tidy) outputs(emit []plan.Field, derived []plan.Derived) {
	for i := range emit {
		t.text(&emit[i].Name)
	}
	for _, d := range derived {
		t.outputs(d.Fields, nil)
	}
}

// expr tidies the expression at a place. Those that read the same field are one.
func (t *tidy) expr(typ int, at **plan.Expr) {
	e := *at
	if e == nil {
		return
	}
	if e.Op == plan.OpField {
		slot := slotRead{int32(typ), int32(e.Index)}
		if one := t.fields[slot]; one != nil {
			*at = one
			return
		}
		t.fields[slot] = e
	}
	t.text(&e.Name)
	t.list(e.Names)
	t.value(&e.Const)
	for i := range e.Args {
		t.expr(typ, &e.Args[i])
	}
}

func (t *tidy) value(v *event.Value) {
	t.text(&v.S)
	if v.C == nil {
		return
	}
	t.list(v.C.Names)
	for i := range v.C.Elems {
		t.value(&v.C.Elems[i])
	}
}
