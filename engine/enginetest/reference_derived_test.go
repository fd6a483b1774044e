package enginetest

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// derive makes the event of an `emit EVENT`, of the time of its alert.
func (c *common) derive(d *syntax.Emit, time int64, v *view) *occurrence {
	e := &occurrence{kind: d.Event.Text, fields: map[string]any{}, own: time, time: time}
	for _, f := range c.book.types[e.kind].Fields {
		e.fields[f.Name.Text] = nil
	}
	names, values := []string{"type"}, []any{e.kind}
	for _, f := range d.Fields {
		x := v.eval(expr(f.Expr))
		if e.fields[f.Name.Text] = x; x != nil {
			names, values = append(names, f.Name.Text), append(values, x)
		}
	}
	e.raw = object(names, values)
	return e
}

// projection is a `table … by`: the rows of an aggregate each.
type projection struct {
	decl *syntax.Table
	lets map[string]*node
	rows []*windowKey
}

// row is what an expression gets of a projection by a key; nil: there is none.
type row struct {
	of     *projection
	events []*occurrence
}

func (p *projection) take(e *occurrence) {
	v := &view{at: e, lets: p.lets}
	if p.decl.From.Text != e.kind || p.decl.Where != nil && !truth(v.eval(expr(p.decl.Where))) {
		return
	}
	key := v.eval(expr(p.decl.By))
	if key == nil {
		return
	}
	r := p.find(key)
	if r == nil {
		r = &windowKey{key: []any{key}}
		p.rows = append(p.rows, r)
	}
	r.events = append(r.events, e)
}

func (p *projection) find(key any) *windowKey {
	i := slices.IndexFunc(p.rows, func(r *windowKey) bool { return same(r.key[0], key) })
	if i < 0 {
		return nil
	}
	return p.rows[i]
}

// read is the row of a key as it was before an event.
func (p *projection) read(key any, before *occurrence) *row {
	r := p.find(key)
	if r == nil {
		return nil
	}
	events := slices.DeleteFunc(slices.Clone(r.events), func(e *occurrence) bool { return e.seq >= before.seq })
	if len(events) == 0 {
		return nil
	}
	return &row{of: p, events: events}
}

// field is one aggregate of a row.
func (r *row) field(name string) any {
	if r == nil {
		return nil
	}
	for _, f := range r.of.decl.Fields {
		if f.Name.Text == name {
			return (&view{lets: r.of.lets, here: r.events}).eval(expr(f.Expr))
		}
	}
	panic("reference: no field " + name)
}
