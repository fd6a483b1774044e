package eval

import (
	"math"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

func fromBits(n uint64) float64 { return math.Float64frombits(n) }

func toBits(x float64) uint64 { return math.Float64bits(x) }

// slot is where an event keeps a field: the word and bit of the nil bitmap and the
// place of the value.
type slot struct {
	at, word int
	mask     uint64
}

// slotOf places slot i of a layout.
func slotOf(l *event.Layout, i int) slot {
	return slot{at: l.Words() + i, word: i >> 6, mask: 1 << (i & 63)}
}

// slot places the field of an OpField.
func (u *unit) slot(e *plan.Expr) slot { return slotOf(&u.Types[u.Event].Layout, e.Index) }

// get returns the slot's bits and whether the field is there.
func (s slot) get(e *event.Event) (uint64, bool) {
	return e.Slots[s.at], e.Slots[s.word]&s.mask != 0
}

func (s slot) isTrue(f *Frame) bool {
	n, ok := s.get(f.Event)
	return ok && n != 0
}

func (s slot) whole(f *Frame) (int64, bool) {
	n, ok := s.get(f.Event)
	return int64(n), ok
}

func (s slot) float(f *Frame) (float64, bool) {
	n, ok := s.get(f.Event)
	return fromBits(n), ok
}

func (s slot) text(f *Frame) (string, bool) {
	n, ok := s.get(f.Event)
	if !ok {
		return "", false
	}
	return f.Event.String(n), true
}

// pick compiles the choice of a step's event; it gives nil where there is none.
func (u *unit) pick(e *plan.Expr) func(*Frame) *event.Event {
	step := e.Step
	switch e.Pick {
	case plan.PickFirst:
		return func(f *Frame) *event.Event { return f.Steps[step].First }
	case plan.PickLast, plan.PickPrev:
		return func(f *Frame) *event.Event { return f.Steps[step].Last }
	}
	index := u.whole(e.Args[0])
	return func(f *Frame) *event.Event {
		i, ok := index(f)
		if !ok {
			return nil
		}
		return f.Steps[step].at(i)
	}
}

// at returns the event at an index, counted from the end where negative; nil where
// there is none.
func (b *Binding) at(i int64) *event.Event {
	if i < 0 {
		i += int64(b.N)
	}
	switch {
	case i < 0 || i >= int64(b.N):
		return nil
	case b.List != nil:
		return b.List.At(int(i))
	case i == 0:
		return b.First
	case i == int64(b.N)-1:
		return b.Last
	}
	return nil
}

// stepSlot compiles the bits of a step's field, for the picks that need no index.
func (u *unit) stepSlot(e *plan.Expr) func(*Frame) (uint64, bool) {
	s, step := slotOf(&u.Types[u.Steps[e.Step].Type].Layout, e.Index), e.Step
	switch e.Pick {
	case plan.PickFirst:
		return func(f *Frame) (uint64, bool) {
			b := &f.Steps[step]
			if b.First == nil {
				return 0, false // untaken, or dropped for a limit
			}
			return s.get(b.First)
		}
	case plan.PickLast, plan.PickPrev:
		return func(f *Frame) (uint64, bool) {
			b := &f.Steps[step]
			if b.Last == nil {
				return 0, false
			}
			return s.get(b.Last)
		}
	}
	return nil
}

// stepText compiles a step's field that is text, for the picks that need no index.
func (u *unit) stepText(e *plan.Expr) textFn {
	if e.Pick == plan.PickAt {
		return nil
	}
	s, pick := slotOf(&u.Types[u.Steps[e.Step].Type].Layout, e.Index), u.pick(e)
	return func(f *Frame) (string, bool) {
		ev := pick(f)
		if ev == nil {
			return "", false
		}
		n, ok := s.get(ev)
		if !ok {
			return "", false
		}
		return ev.String(n), true
	}
}

// stepValue compiles a step's field of any kind and pick.
func (u *unit) stepValue(e *plan.Expr) valueFn {
	read := reader(&u.Types[u.Steps[e.Step].Type].Layout, e.Index, e.Type)
	pick, step := u.pick(e), e.Step
	return func(f *Frame) event.Value {
		if f.Steps[step].N == 0 {
			return event.Value{}
		}
		ev := pick(f)
		if ev == nil {
			return event.Value{}
		}
		return read(ev)
	}
}

// fieldValue compiles a field of the event at hand of any kind.
func (u *unit) fieldValue(e *plan.Expr) valueFn {
	read := reader(&u.Types[u.Event].Layout, e.Index, e.Type)
	return func(f *Frame) event.Value { return read(f.Event) }
}

// reader returns how a slot becomes a value of the type. A whole record's slot holds
// its JSON text without a type: the expression's type gives its fields theirs.
func reader(l *event.Layout, i int, t event.Type) func(*event.Event) event.Value {
	if t.Kind != event.Record {
		return func(e *event.Event) event.Value { return e.Value(l, i) }
	}
	s := slotOf(l, i)
	return func(e *event.Event) event.Value {
		ref, ok := s.get(e)
		if !ok {
			return event.Value{}
		}
		return event.ParseAs(event.Ref(ref).Bytes(e.Text), &t)
	}
}
