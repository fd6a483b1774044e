package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// checkTests proves the test blocks: the rules, events and fields that they name are there,
// their values are constants of the right types, and every alert they expect lies within
// the time that they let pass. What a broken declaration may have said is not judged.
func (c *checker) checkTests() {
	for _, d := range c.tests {
		c.test(d)
	}
}

func (c *checker) test(d *syntax.Test) {
	c.unique(codeDuplicateItem, "rule of test", d.Rules)
	for _, name := range d.Rules {
		c.ruleNamed(name)
	}
	out := &plan.Test{Span: d.Span}
	for _, name := range d.Rules {
		out.Rules = append(out.Rules, name.Text)
	}
	if d.Title != nil {
		out.Title = d.Title.Value
	}
	for _, item := range d.Items {
		if item.At != nil {
			out.Events = append(out.Events, c.testEvent(item.At))
		} else {
			out.Expects = append(out.Expects, c.expectation(item.Expect))
		}
	}
	c.set.Tests = append(c.set.Tests, out)
	if !d.Broken {
		c.testTime(d)
	}
}

// ruleNamed returns the rule that a test names, nil where there is none, which is
// reported.
func (c *checker) ruleNamed(name syntax.Name) *syntax.Rule {
	d, ok := c.rules[name.Text]
	if !ok {
		c.fail(codeUnknownRule, name.Span, c.near(name.Text, c.ruleNames(), ""), "unknown rule %q", name.Text)
		return nil
	}
	return d
}

// ruleNames lists the declared rules, sorted.
func (c *checker) ruleNames() []string {
	if c.ruleWords == nil {
		for name := range c.rules {
			c.ruleWords = append(c.ruleWords, name)
		}
		slices.Sort(c.ruleWords)
	}
	return c.ruleWords
}

// testEvent checks `at D EVENT { … }`. Fields may be left out: a test may show what a
// rule makes of a record without them.
func (c *checker) testEvent(at *syntax.At) plan.TestEvent {
	out := plan.TestEvent{Span: at.Span, At: at.Offset.Nanos, Type: -1}
	if at.Event.Text == "" {
		return out
	}
	t, ok := c.typeNamed(at.Event)
	c.unique(codeDuplicateItem, "field of "+at.Event.Text, fieldDeclNames(at.Fields))
	if ok {
		out.Type = slices.Index(c.set.Types, t)
	}
	for _, f := range at.Fields {
		e := c.testValue(f.Expr)
		out.Fields = append(out.Fields, plan.Field{Name: f.Name.Text, Expr: e})
		if !ok {
			continue
		}
		record := t.Schema.Type()
		field := record.Field(f.Name.Text)
		switch {
		case field == nil:
			c.fail(codeNoSuchField, f.Name.Span, c.near(f.Name.Text, fieldNames(record.Fields), ""),
				"unknown field %q of %s", f.Name.Text, t.Schema.Name)
		case e != nil && !c.poison[f.Name.Text]:
			c.fits(f, e, field.Type, t.Schema.Name)
		}
	}
	c.beside(at, &out)
	return out
}

// beside checks the key and the headers of the record of an event: texts.
func (c *checker) beside(at *syntax.At, out *plan.TestEvent) {
	if at.Key != nil {
		out.Key = c.testText(at.Key, "the key")
	}
	c.unique(codeDuplicateItem, "header", fieldDeclNames(at.Headers))
	for _, f := range at.Headers {
		out.Headers = append(out.Headers, plan.Field{Name: f.Name.Text, Expr: c.testText(f.Expr, fmt.Sprintf("header %q", f.Name.Text))})
	}
}

// testText compiles a value of a test that is text; nil where it is none.
func (c *checker) testText(x *syntax.Expr, what string) *plan.Expr {
	e := c.testValue(x)
	if e == nil || e.Type.Kind == event.String {
		return e
	}
	c.fail(codeTestValue, x.Span, "put it in quotes", "%s of a record is text, this is %s", what, article(e.Type))
	return nil
}

// testValue compiles a value of a test: an expression over constants.
func (c *checker) testValue(x *syntax.Expr) *plan.Expr {
	return c.compile(x.Span, &predicate.Scope{Place: "a test", Globals: c.globals, NoAggs: "a value of a test is a constant"}, event.Nil)
}

// fits reports a value that a field never has. Text stands for what records write as
// text, so that only a literal can be judged.
func (c *checker) fits(f *syntax.Field, e *plan.Expr, to event.Type, of string) {
	switch {
	case assignable(to, e.Type):
		return
	case e.Type.Kind != event.String:
	case to.Kind == event.Time || to.Kind == event.IP:
		scope := &predicate.Scope{Place: "a test", Globals: c.globals}
		c.compile(f.Expr.Span, scope, to.Kind)
		return
	case to.Kind == event.Duration:
		return
	}
	c.fail(codeTestValue, f.Expr.Span, "", "field %q of %s is %s, this is %s", f.Name.Text, of, article(to), article(e.Type))
}

// expectation checks `expect RULE at D { … }` and its like.
func (c *checker) expectation(x *syntax.Expect) plan.Expect {
	out := plan.Expect{Span: x.Span, Rule: x.Rule.Text, At: -1}
	if x.Kind != syntax.ExpectAlert {
		out.Kind = plan.ExpectCount
	}
	if x.Count != nil {
		out.N = x.Count.Value
	}
	if x.At != nil {
		out.At = x.At.Nanos
	}
	d := c.ruleNamed(x.Rule)
	c.unique(codeDuplicateItem, "field of expect "+x.Rule.Text, fieldDeclNames(x.Fields))
	if d != nil && tooLong(d) {
		d = nil // told by bound
	}
	shown := c.alertFields(d)
	for _, f := range x.Fields {
		e := c.testValue(f.Expr)
		out.Fields = append(out.Fields, plan.Field{Name: f.Name.Text, Expr: e})
		if d == nil || d.Broken {
			continue
		}
		t, ok := shown[f.Name.Text]
		switch {
		case !ok:
			c.fail(codeExpectField, f.Name.Span, c.near(f.Name.Text, namesOf(shown), fmt.Sprintf("alerts of %s have the parts of its key and the fields of emit", d.Name.Text)),
				"alerts of rule %q have no field %q", d.Name.Text, f.Name.Text)
		case e != nil && !mayEqual(t, e.Type):
			c.fits(f, e, t, "the alert")
		}
	}
	return out
}

// tooLong reports a rule of which not all fields are looked at.
func tooLong(d *syntax.Rule) bool {
	return len(d.By) > maxKeys || d.Emit != nil && len(d.Emit.Fields) > maxFields
}

// mayEqual reports whether an alert's value of type t can equal one of type u.
func mayEqual(t, u event.Type) bool {
	return t.Kind == event.Nil || t.Kind == event.Int && u.Kind == event.Float || assignable(t, u)
}

// alertFields lists what alerts of a rule show beside what all alerts do: the parts of
// its key and its fields, with their types; of kind Nil where they are not known.
func (c *checker) alertFields(d *syntax.Rule) map[string]event.Type {
	if d == nil {
		return nil
	}
	if c.shown[d] == nil {
		c.shown[d] = c.fieldsShown(d)
	}
	return c.shown[d]
}

func (c *checker) fieldsShown(d *syntax.Rule) map[string]event.Type {
	shown := map[string]event.Type{}
	for _, k := range d.By {
		shown[cmp.Or(k.As.Text, plainName(k.Expr.Span.Text()))] = event.Type{}
	}
	if d.Emit != nil {
		for _, f := range d.Emit.Fields {
			shown[f.Name.Text] = event.Type{}
		}
	}
	n, found := slices.BinarySearchFunc(c.set.Rules, d.Name.Text, func(r *plan.Rule, name string) int { return cmp.Compare(r.Name, name) })
	if found {
		typesShown(c.set.Rules[n], shown)
	}
	return shown
}

// typesShown notes the types that the plan of a rule knows. A field of an alert that is
// made of several event types may have several: then none is noted.
func typesShown(r *plan.Rule, shown map[string]event.Type) {
	emit := r.Emit
	if len(r.Inputs) == 1 && len(emit) == 0 {
		emit = r.Inputs[0].Emit
	}
	for _, f := range emit {
		if f.Expr != nil {
			shown[f.Name] = f.Expr.Type
		}
	}
	for _, k := range r.Keys {
		if _, isField := shown[k.Name]; isField && !slices.ContainsFunc(emit, func(f plan.Field) bool { return f.Name == k.Name }) {
			shown[k.Name] = k.Type
		}
	}
}

func namesOf(types map[string]event.Type) []string {
	var out []string
	for name := range types {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// testTime reports alerts that are expected after all time that a test lets pass. An
// event that brings its own time may move it on further.
func (c *checker) testTime(d *syntax.Test) {
	var end int64
	for _, item := range d.Items {
		if item.At == nil {
			continue
		}
		if c.bringsTime(item.At) {
			return
		}
		end = max(end, item.At.Offset.Nanos)
	}
	for _, item := range d.Items {
		if x := item.Expect; x != nil && x.At != nil && x.At.Nanos > end {
			c.fail(codeTestTime, x.At.Span, "let time pass: at "+duration(x.At.Nanos),
				"nothing comes at %s: the time of the test ends at %s", duration(x.At.Nanos), duration(end))
		}
	}
}

func (c *checker) bringsTime(at *syntax.At) bool {
	if at.Event.Text == "" {
		return false
	}
	t, known := c.types[at.Event.Text]
	return !known || slices.ContainsFunc(at.Fields, func(f *syntax.Field) bool { return f.Name.Text == t.Schema.TimeField })
}
