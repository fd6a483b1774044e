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
}

func compileArgument(c eval.Compiler, a plan.AggArg) argument {
	var out argument
	if a.Value != nil {
		out.value = c.Value(a.Value)
	}
	if a.Cond != nil {
		out.cond = c.Bool(a.Cond)
	}
	return out
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
	x.args = x.args[:0]
	for i := range list {
		x.args = append(x.args, list[i].of(&x.Frame))
	}
	return x.args
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
