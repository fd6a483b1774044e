package eval

import (
	"net/netip"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// boxed compiles what gives its result as a value: reads of what the engine keeps as
// values, compounds, functions, and operations on undeclared types.
func (u *unit) boxed(e *plan.Expr) valueFn {
	switch e.Op {
	case plan.OpConst:
		v := e.Const
		return func(*Frame) event.Value { return v }
	case plan.OpField:
		return u.fieldValue(e)
	case plan.OpStepField:
		return u.stepValue(e)
	case plan.OpMeta:
		return u.meta(e)
	case plan.OpStepMeta:
		return u.stepMeta(e)
	case plan.OpKey, plan.OpAgg, plan.OpWindow, plan.OpMatches:
		return engineValue(e)
	case plan.OpElem, plan.OpElemNo, plan.OpAcc:
		return element(e)
	case plan.OpNeg:
		return u.neg(e)
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpDiv, plan.OpMod, plan.OpPow:
		return u.arith(e)
	case plan.OpCoalesce, plan.OpCond:
		return u.choice(e)
	case plan.OpConvert:
		return u.convert(e)
	case plan.OpList, plan.OpRecord:
		return u.compound(e)
	case plan.OpRow:
		return u.row(e)
	case plan.OpRead:
		read := e.Index
		return func(f *Frame) event.Value {
			if f.Event == nil || read >= len(f.Event.Side) {
				return event.Value{}
			}
			return f.Event.Side[read]
		}
	case plan.OpIndex, plan.OpMember, plan.OpLen:
		return u.part(e)
	case plan.OpEach:
		return u.each(e)
	case plan.OpCall:
		return u.call(e)
	case plan.OpNative:
		return u.native(e)
	case plan.OpConcat:
		fn := u.concat(e)
		return func(f *Frame) event.Value {
			s, ok := fn(f)
			if !ok {
				return event.Value{}
			}
			return event.OfString(s)
		}
	}
	fn := u.cond(e)
	return func(f *Frame) event.Value { return event.OfBool(fn(f)) }
}

// engineValue reads what the frame has ready.
func engineValue(e *plan.Expr) valueFn {
	i := e.Index
	switch {
	case e.Op == plan.OpKey:
		return func(f *Frame) event.Value { return f.Keys[i] }
	case e.Op == plan.OpAgg:
		return func(f *Frame) event.Value { return f.Aggs.Agg(i) }
	case e.Op == plan.OpMatches:
		return func(f *Frame) event.Value { return event.OfInt(f.Matches) }
	case e.Name == "start":
		return func(f *Frame) event.Value { return event.OfKind(event.Time, f.WindowStart) }
	}
	return func(f *Frame) event.Value { return event.OfKind(event.Time, f.WindowEnd) }
}

func (u *unit) meta(e *plan.Expr) valueFn {
	read := metaReader(e.Name)
	return func(f *Frame) event.Value { return read(f.World, f.Event) }
}

func (u *unit) stepMeta(e *plan.Expr) valueFn {
	read, pick, step := metaReader(e.Name), u.pick(e), e.Step
	return func(f *Frame) event.Value {
		if f.Steps[step].N == 0 {
			return event.Value{}
		}
		if ev := pick(f); ev != nil {
			return read(f.World, ev)
		}
		return event.Value{}
	}
}

func metaReader(name string) func(*World, *event.Event) event.Value {
	switch name {
	case "time":
		return func(_ *World, e *event.Event) event.Value { return event.OfKind(event.Time, e.Time) }
	case "type":
		return func(w *World, e *event.Event) event.Value { return event.OfString(w.Types[e.Type].Schema.Name) }
	case "source":
		return func(w *World, e *event.Event) event.Value { return event.OfString(w.Partitions[e.Part].Source) }
	}
	return func(w *World, e *event.Event) event.Value {
		if e.ID != 0 {
			return event.OfString(e.String(uint64(e.ID)))
		}
		b := e.AppendIdentity(nil, w.Partitions)
		return event.OfString(unsafe.String(unsafe.SliceData(b), len(b)))
	}
}

// choice compiles ?? and ? : over values.
func (u *unit) choice(e *plan.Expr) valueFn {
	if e.Op == plan.OpCoalesce {
		a, b := u.value(e.Args[0]), u.value(e.Args[1])
		return func(f *Frame) event.Value {
			if v := a(f); !v.IsNil() {
				return v
			}
			return b(f)
		}
	}
	test, then, other := u.cond(e.Args[0]), u.value(e.Args[1]), u.value(e.Args[2])
	return func(f *Frame) event.Value {
		if test(f) {
			return then(f)
		}
		return other(f)
	}
}

// convert compiles an explicit conversion: to float, or text to a time, duration or
// address. Text that is none is nil; a value of a wrong kind is a fault.
func (u *unit) convert(e *plan.Expr) valueFn {
	x, k := u.value(e.Args[0]), e.Type.Kind
	u.faults = u.faults || e.Args[0].Type.Kind == event.Any
	return func(f *Frame) event.Value {
		v := x(f)
		switch {
		case v.IsNil() || v.Kind == k:
			return v
		case k == event.Float && v.Kind == event.Int:
			return event.OfFloat(float64(v.Int()))
		case v.Kind == event.String && k != event.Float:
			return fitText(v.S, k)
		case v.Kind == event.IP && k == event.String:
			return event.OfString(v.S)
		}
		f.fault(v.Kind.String() + " where " + k.String() + " is needed")
		return event.Value{}
	}
}

// fitText reads text as a time (RFC 3339), a duration or an address; what is none is nil.
func fitText(s string, k event.Kind) event.Value {
	var n int64
	var err error
	switch k {
	case event.Time:
		n, err = event.ParseTime(s)
	case event.Duration:
		n, err = event.ParseDuration(s)
	case event.IP:
		a, err := netip.ParseAddr(s)
		if err != nil {
			return event.Value{}
		}
		return event.Value{Kind: event.IP, S: a.Unmap().String()}
	default:
		return event.Value{}
	}
	if err != nil {
		return event.Value{}
	}
	return event.OfKind(k, n)
}

func (u *unit) values(es []*plan.Expr) []valueFn {
	fns := make([]valueFn, len(es))
	for i, e := range es {
		fns[i] = u.value(e)
	}
	return fns
}

func (u *unit) compound(e *plan.Expr) valueFn {
	parts, names, k := u.values(e.Args), e.Names, e.Type.Kind
	return func(f *Frame) event.Value {
		c := &event.Compound{Elems: make([]event.Value, len(parts)), Names: names}
		for i, fn := range parts {
			c.Elems[i] = fn(f)
		}
		return event.Value{Kind: k, C: c}
	}
}

// part compiles what reads a part of a value.
func (u *unit) part(e *plan.Expr) valueFn {
	if isCell(e) {
		return u.cell(e)
	}
	x := u.value(e.Args[0])
	if e.Op == plan.OpMember {
		name := e.Name
		return func(f *Frame) event.Value { v, _ := member(x(f), name); return v }
	}
	u.faults = true
	if e.Op == plan.OpLen {
		return func(f *Frame) event.Value { return length(f, x(f)) }
	}
	index := u.value(e.Args[1])
	return func(f *Frame) event.Value {
		v := x(f)
		return at(f, v, index(f))
	}
}

// at reads an element by number (from the end where negative) or a field by name;
// what is not there is nil.
func at(f *Frame, v, i event.Value) event.Value {
	switch {
	case v.IsNil() || i.IsNil():
		return event.Value{}
	case v.Kind == event.Record && i.Kind == event.String:
		x, _ := member(v, i.S)
		return x
	case v.Kind != event.List || i.Kind != event.Int:
		f.fault("index of " + v.Kind.String() + " by " + i.Kind.String())
		return event.Value{}
	}
	return elementAt(v.Elems(), i.Int())
}

func elementAt(xs []event.Value, i int64) event.Value {
	if i < 0 {
		i += int64(len(xs))
	}
	if i < 0 || i >= int64(len(xs)) {
		return event.Value{}
	}
	return xs[i]
}
