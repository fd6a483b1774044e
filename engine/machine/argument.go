package machine

import (
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// argument gives what one event contributes to one aggregate.
type argument struct {
	value func(*eval.Frame) event.Value // nil: nothing but its being there
	cond  func(*eval.Frame) bool        // nil: always
	slot  int                           // of a plain field: where its value is; 0: no such
	bit   int                           // and the bit that says it is there
	text  bool                          // it is a reference to text
}

func compileArgument(c eval.Compiler, a plan.AggArg) argument {
	var out argument
	if a.Value != nil {
		out.value = c.Value(a.Value)
	}
	if a.Cond != nil {
		out.cond = c.Bool(a.Cond)
	}
	if v := a.Value; v != nil && v.Op == plan.OpField && a.Cond == nil && v.Type.Kind.Scalar() {
		out.slot, out.bit = c.Types[c.Event].Layout.Words()+v.Index, v.Index
		out.text = v.Type.Kind == event.String || v.Type.Kind == event.IP
	}
	return out
}

// put is of for a plain field, without making a value.
func (a *argument) put(ev *event.Event, to *windows.Arg) {
	if to.Take = ev.Has(a.bit); !to.Take {
		return
	}
	if to.N = ev.Slots[a.slot]; a.text {
		to.S = ev.String(to.N)
	}
}

// field is an argument that is a plain field: where its value is, the bit that says it is
// there, and the number of the argument.
type field struct {
	mask            uint64
	slot, word, arg int32
	text            bool
}

// putFields is put for many of them.
func putFields(args []windows.Arg, fields []field, ev *event.Event) {
	slots := ev.Slots
	for i := range fields {
		f := &fields[i]
		to := &args[f.arg]
		if to.Take = slots[f.word]&f.mask != 0; to.Take {
			if to.N = slots[f.slot]; f.text {
				to.S = ev.String(to.N)
			}
		}
	}
}

// of evaluates the argument for the frame's event. Text is valid as long as the
// event is.
func (a *argument) of(f *eval.Frame) windows.Arg {
	if a.cond != nil && !a.cond(f) {
		return windows.Arg{}
	}
	if a.value == nil {
		return windows.Arg{Take: true}
	}
	v := a.value(f)
	switch v.Kind {
	case event.Nil:
		return windows.Arg{}
	case event.List, event.Record, event.Any:
		text := event.AppendJSON(nil, v)
		return windows.Arg{Take: true, S: unsafe.String(unsafe.SliceData(text), len(text))}
	}
	return windows.Arg{Take: true, N: v.N, S: v.S}
}

// arguments evaluates all into the context's room for them.
func (x *Context) arguments(list []argument) []windows.Arg {
	if len(x.args) < len(list) {
		x.args = make([]windows.Arg, len(list))
	}
	args := x.args[:len(list)]
	for i := range list {
		x.argument(&list[i], &args[i])
	}
	return args
}

// argument evaluates one.
func (x *Context) argument(a *argument, to *windows.Arg) {
	switch {
	case a.slot > 0:
		a.put(x.Frame.Event, to)
	case a.value == nil && a.cond == nil:
		to.Take = true
	default:
		*to = a.of(&x.Frame)
	}
}

// aggregatesOf turns the plan's aggregates into those of a window, given what each
// takes from an event; it shares columns where that is the same field.
func aggregatesOf(aggs []plan.Agg, args []plan.AggArg, same func(i, j int) bool) []windows.Agg {
	out := make([]windows.Agg, len(aggs))
	for i, a := range aggs {
		out[i] = windows.Agg{Func: a.Func, Arg: a.ArgT.Kind, Param: a.Param}
		switch {
		case args[i].Cond != nil:
			out[i].Arg = event.Bool // counted where the condition holds: see argument.of
		case a.ArgT.Kind == event.List || a.ArgT.Kind == event.Record:
			out[i].As = &aggs[i].ArgT
		}
		for j := range i {
			if out[j].Same == 0 && same(i, j) {
				out[i].Same = j + 1
				break
			}
		}
	}
	return out
}
