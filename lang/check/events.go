package check

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// compileTypes makes the plan's types out of the event declarations. One that is broken
// is taken where all its fields are there: what reads them can be judged.
func (c *checker) compileTypes() {
	for _, d := range declared[*syntax.Event](c) {
		if d.Partial {
			continue
		}
		from := len(c.errs)
		t := &plan.Type{Schema: c.schema(d)}
		if d.Broken {
			c.forget(from, toldByParser)
			c.poisonFields(d.Fields)
		}
		t.Layout.Schema = &t.Schema
		c.types[d.Name.Text] = t
		c.set.Types = append(c.set.Types, t)
	}
	c.globals.Types = c.set.Types
	for _, d := range c.doubles {
		c.schema(d)
	}
}

// toldByParser reports messages about an event that may be there only because a part of
// it is malformed: an attribute that another needs, a word that is no type.
func toldByParser(e source.Error) bool {
	return e.Code == codeUnknownType || e.Code == codeMissing || e.Code == codeAttributeType
}

// poisonFields marks the names of fields whose type is not known: expressions that use
// them are not judged.
func (c *checker) poisonFields(fields []*syntax.FieldDecl) {
	for _, f := range fields {
		if !typeKnown(f.Type) {
			c.poison[f.Name.Text] = true
		}
	}
}

func typeKnown(t *syntax.Type) bool {
	switch t.Kind {
	case syntax.ListType:
		return typeKnown(t.Elem)
	case syntax.RecordType:
		return !slices.ContainsFunc(t.Fields, func(f *syntax.FieldDecl) bool { return !typeKnown(f.Type) })
	}
	_, ok := basicType(t.Name.Text)
	return ok
}

func (c *checker) schema(d *syntax.Event) event.Schema {
	s := event.Schema{
		Name:     d.Name.Text,
		Fields:   c.fields("field of "+d.Name.Text, d.Fields),
		Dedup:    nanos(d.Dedup),
		Lateness: nanos(d.Lateness),
		Ahead:    nanos(d.Ahead),
	}
	if d.Late != nil && d.Late.Drop {
		s.Late = event.LateDrop
	}
	if d.Time != nil {
		c.timeField(&s, d.Time)
	}
	if d.ID != nil {
		c.idField(&s, *d.ID)
	}
	if d.Dedup != nil && d.ID == nil {
		c.fail(codeMissing, d.Dedup.Span, "name the identity: id: FIELD", "dedup of %s needs an id", s.Name)
	}
	return s
}

func nanos(d *syntax.Duration) int64 {
	if d == nil {
		return 0
	}
	return d.Nanos
}

func (c *checker) fields(what string, decls []*syntax.FieldDecl) []event.Field {
	names := make([]syntax.Name, len(decls))
	fields := make([]event.Field, len(decls))
	for i, d := range decls {
		names[i] = d.Name
		fields[i] = event.Field{Name: d.Name.Text, Type: c.eventType(what, d.Type)}
	}
	c.unique(codeDuplicateItem, what, names)
	return fields
}

// eventType is the type that a written one means; Any where it means none, which is
// reported.
func (c *checker) eventType(what string, t *syntax.Type) event.Type {
	out := event.Type{Kind: event.Any, Optional: t.Optional}
	switch t.Kind {
	case syntax.ListType:
		elem := c.eventType(what, t.Elem)
		out.Kind, out.Elem = event.List, &elem
	case syntax.RecordType:
		out.Kind, out.Fields = event.Record, c.fields(what, t.Fields)
	case syntax.NamedType:
		kind, ok := basicType(t.Name.Text)
		if !ok {
			c.fail(codeUnknownType, t.Name.Span, c.near(t.Name.Text, basicTypes(), ""), "unknown type %q", t.Name.Text)
			break
		}
		out.Kind = kind
	}
	return out
}

func basicType(name string) (event.Kind, bool) {
	for k := event.Bool; k <= event.Any; k++ {
		if k != event.List && k != event.Record && k.String() == name {
			return k, true
		}
	}
	return event.Any, false
}

func basicTypes() []string {
	var out []string
	for k := event.Bool; k <= event.Any; k++ {
		if _, ok := basicType(k.String()); ok {
			out = append(out, k.String())
		}
	}
	return out
}

// timeField takes `time: FIELD(unit)`: a field of type time, text that holds RFC 3339
// times, or numbers, which need their unit.
func (c *checker) timeField(s *event.Schema, a *syntax.TimeAttr) {
	f := c.attributeField(s, "time", a.Field)
	if f == nil {
		return
	}
	s.TimeField, s.TimeUnit = f.Name, unit(a.Unit.Text)
	switch f.Type.Kind {
	case event.Int, event.Float:
		if s.TimeUnit == event.UnitNone {
			c.fail(codeAttributeType, a.Span, "write time: "+f.Name+"(ms), or the unit s, us or ns",
				"the time field %q is %s: it needs a unit", f.Name, article(f.Type))
		}
	case event.String:
		if s.TimeUnit != event.UnitNone {
			c.fail(codeAttributeType, a.Unit.Span, "leave the unit out",
				"the time field %q is text: it holds RFC 3339 times and has no unit", f.Name)
		}
	case event.Time:
	default:
		c.fail(codeAttributeType, a.Field.Span, "", "the time field %q is %s, not a time, a number or text",
			f.Name, article(f.Type))
	}
}

func unit(name string) event.Unit {
	switch name {
	case "s":
		return event.Second
	case "ms":
		return event.Milli
	case "us":
		return event.Micro
	case "ns":
		return event.Nanosecond
	}
	return event.UnitNone
}

func (c *checker) idField(s *event.Schema, name syntax.Name) {
	f := c.attributeField(s, "id", name)
	if f == nil {
		return
	}
	if f.Type.Kind != event.String && f.Type.Kind != event.Int {
		c.fail(codeAttributeType, name.Span, "", "the id field %q is %s, not a string or an int", f.Name, article(f.Type))
	}
	s.IDField = f.Name
}

// attributeField finds the declared field that an attribute names.
func (c *checker) attributeField(s *event.Schema, attribute string, name syntax.Name) *event.Field {
	t := s.Type()
	f := t.Field(name.Text)
	if f == nil {
		c.fail(codeNoSuchField, name.Span, c.near(name.Text, fieldNames(s.Fields), ""),
			"the %s field %q is no field of %s", attribute, name.Text, s.Name)
	}
	return f
}

func fieldNames(fields []event.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// article writes the kind of a type with its article.
func article(t event.Type) string {
	switch t.Kind {
	case event.Int, event.IP, event.Any:
		return "an " + t.Kind.String()
	case event.Nil:
		return "nil"
	}
	return "a " + t.Kind.String()
}
