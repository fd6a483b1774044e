package check

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// settle gives every type of the set its layout: the slots that something reads, in the
// order of declaration, so that it depends neither on the order in which rules were
// compiled nor on what was taken over. While rules were compiled, slots were numbered as
// they were found; in what was taken over they have the numbers of the memo's layouts.
// All get their new ones; what is the memo's is not changed, but copied.
func (c *checker) settle() {
	s := &settling{checker: c, fresh: make([]slotMap, len(c.set.Types)), old: make([]slotMap, len(c.set.Types))}
	for i, t := range c.set.Types {
		s.fresh[i].from = t.Layout.Slots
		if i < len(c.memo.types) {
			s.old[i].from = c.memo.types[i].Layout.Slots
		}
	}
	s.mark()
	for i := range c.set.Types {
		s.layOut(i)
	}
	s.renumber()
	c.markKeyed()
	for i := range c.set.Types {
		c.shareType(i)
	}
}

// settling is the work of settle.
type settling struct {
	*checker
	fresh, old []slotMap // by type
}

// slotMap leads from the slots of one layout to those of the one that takes its place.
type slotMap struct {
	from  []event.Slot
	used  []bool // by slot of from; nil: none
	to    []int  // by slot of from
	moved bool   // a slot has another number, or there are more or fewer words of bits
}

func (m *slotMap) use(slot int) {
	if m.used == nil {
		m.used = make([]bool, len(m.from))
	}
	m.used[slot] = true
}

// slotRead is a slot of a type.
type slotRead struct{ typ, slot int32 }

// mark notes which slots are read.
func (s *settling) mark() {
	for i, w := range s.works {
		if w.kept != nil {
			for _, at := range w.slots {
				s.old[at.typ].use(int(at.slot))
			}
			continue
		}
		eachRuleSlot(s.set.Rules[i], func(typ int, e *plan.Expr) {
			at := slotRead{int32(typ), int32(s.markNew(typ, e))}
			if !slices.Contains(w.slots, at) {
				w.slots = append(w.slots, at)
			}
		})
	}
	for _, p := range s.set.Projections {
		eachProjectionSlot(p, func(typ int, e *plan.Expr) { s.markNew(typ, e) })
	}
	for typ, reads := range s.set.Reads {
		for _, r := range reads {
			s.markRead(typ, r.Key)
		}
	}
}

// markNew notes the slot of an expression that is new, and returns it. The number in the
// expression is made negative, so that what several places share is renumbered once.
func (s *settling) markNew(typ int, e *plan.Expr) int {
	if e.Index >= 0 {
		e.Index = ^e.Index
	}
	s.fresh[typ].use(^e.Index)
	return ^e.Index
}

func (s *settling) markRead(typ int, key *plan.Expr) {
	eachSlot(typ, nil, key, func(typ int, e *plan.Expr) {
		if s.oldKeys[key] {
			s.old[typ].use(e.Index)
		} else {
			s.markNew(typ, e)
		}
	})
}

// layOut makes the layout of a type.
func (s *settling) layOut(typ int) {
	t := s.set.Types[typ]
	var slots []event.Slot
	for _, m := range []*slotMap{&s.fresh[typ], &s.old[typ]} {
		for i, used := range m.used {
			if used && !slices.ContainsFunc(slots, isSlot(m.from[i].Path)) {
				slots = append(slots, m.from[i])
			}
		}
	}
	slices.SortFunc(slots, func(a, b event.Slot) int { return declaredFirst(t.Schema.Fields, a.Path, b.Path) })
	for i := range slots {
		slots[i].Path = declaredPath(t.Schema.Fields, slots[i].Path)
	}
	t.Layout.Slots = slots
	s.fresh[typ].lead(&t.Layout)
	s.old[typ].lead(&t.Layout)
}

func isSlot(path []string) func(event.Slot) bool {
	return func(have event.Slot) bool { return slices.Equal(have.Path, path) }
}

// lead notes where the used slots are in a layout.
func (m *slotMap) lead(to *event.Layout) {
	m.to = make([]int, len(m.from))
	m.moved = (&event.Layout{Slots: m.from}).Words() != to.Words()
	for i, used := range m.used {
		if used {
			m.to[i] = slices.IndexFunc(to.Slots, isSlot(m.from[i].Path))
			m.moved = m.moved || m.to[i] != i
		}
	}
}

// declaredFirst compares paths by the places of their fields in the declaration; a record
// comes before what is in it.
func declaredFirst(fields []event.Field, a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(a), len(b))
	}
	if event.IsMeta(a) || event.IsMeta(b) { // before all fields
		return slices.Compare(a, b)
	}
	at := placeOf(fields, a[0])
	if a[0] == b[0] {
		return declaredFirst(fields[at].Type.Fields, a[1:], b[1:])
	}
	return cmp.Compare(at, placeOf(fields, b[0]))
}

// declaredPath is the path in the declaration's own names, so that a layout holds on to
// the text of no rule.
func declaredPath(fields []event.Field, path []string) []string {
	out := make([]string, len(path))
	if event.IsMeta(path) {
		for i, name := range path {
			out[i] = strings.Clone(name)
		}
		return out
	}
	for i, name := range path {
		f := &fields[placeOf(fields, name)]
		out[i], fields = f.Name, f.Type.Fields
	}
	return out
}

func placeOf(fields []event.Field, name string) int {
	return slices.IndexFunc(fields, func(f event.Field) bool { return f.Name == name })
}

// renumber gives every expression the slots of the new layouts.
func (s *settling) renumber() {
	place, tidy := func(typ int, e *plan.Expr) { s.fresh[typ].place(e) }, newTidy()
	for i, w := range s.works {
		if w.kept != nil {
			s.move(i)
			continue
		}
		eachRuleSlot(s.set.Rules[i], place)
		tidy.rule(s.set.Rules[i])
		w.slots = led(w.slots, s.fresh)
	}
	for _, p := range s.set.Projections {
		eachProjectionSlot(p, place)
	}
	for typ, reads := range s.set.Reads {
		for i := range reads {
			if s.oldKeys[reads[i].Key] {
				reads[i].Key = s.movedKey(typ, reads[i].Key)
			} else {
				eachSlot(typ, nil, reads[i].Key, place)
			}
		}
	}
}

// place gives an expression, whose slot is marked, its new one.
func (m *slotMap) place(e *plan.Expr) {
	if e.Index < 0 {
		e.Index = m.to[^e.Index]
	}
}

// led are slots in the layouts that maps lead to.
func led(slots []slotRead, maps []slotMap) []slotRead {
	out := make([]slotRead, len(slots))
	for i, at := range slots {
		out[i] = slotRead{at.typ, int32(maps[at.typ].to[at.slot])}
	}
	return out
}

// move makes rule i, which was taken over, one of the new layouts: a copy if it reads a
// slot that is elsewhere now.
func (s *settling) move(i int) {
	w := s.works[i]
	for n := range w.reads {
		w.reads[n].key = s.movedKey(w.reads[n].typ, w.reads[n].key)
	}
	if !slices.ContainsFunc(w.slots, func(at slotRead) bool { return s.old[at.typ].moved }) {
		return
	}
	r := copyRule(s.set.Rules[i])
	s.set.Rules[i] = r
	eachRuleSlot(r, func(_ int, e *plan.Expr) { e.Index = ^e.Index }) // copies share nothing
	eachRuleSlot(r, func(typ int, e *plan.Expr) { s.old[typ].place(e) })
	w.slots = led(w.slots, s.old)
}

// movedKey is the key of a read in the new layouts.
func (s *settling) movedKey(typ int, key *plan.Expr) *plan.Expr {
	if !s.old[typ].moved {
		return key
	}
	key = copyExpr(key)
	eachSlot(typ, nil, key, func(typ int, e *plan.Expr) { e.Index = s.old[typ].to[e.Index] })
	return key
}

// shareType takes the memo's type where it is the same.
func (c *checker) shareType(i int) {
	if i < len(c.memo.types) && reflect.DeepEqual(c.memo.types[i], c.set.Types[i]) {
		c.set.Types[i] = c.memo.types[i]
	}
}

// eachSlot visits the expressions that read a slot, with the type that the slot is of:
// typ is that of the event at hand.
func eachSlot(typ int, steps []plan.Step, e *plan.Expr, visit func(typ int, e *plan.Expr)) {
	if e == nil {
		return
	}
	switch e.Op {
	case plan.OpField:
		visit(typ, e)
	case plan.OpStepField:
		visit(steps[e.Step].Type, e)
	}
	for _, a := range e.Args {
		eachSlot(typ, steps, a, visit)
	}
}

func eachRuleSlot(r *plan.Rule, visit func(typ int, e *plan.Expr)) {
	var steps []plan.Step
	if r.Pattern != nil {
		steps = r.Pattern.Steps
	}
	eachPlace(r, func(typ int, at **plan.Expr) { eachSlot(typ, steps, *at, visit) })
}

func eachProjectionSlot(p *plan.Projection, visit func(typ int, e *plan.Expr)) {
	eachSlot(p.Type, nil, p.Key, visit)
	eachSlot(p.Type, nil, p.Where, visit)
	for _, a := range p.Args {
		eachSlot(p.Type, nil, a.Value, visit)
		eachSlot(p.Type, nil, a.Cond, visit)
	}
}
