package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/windows"
)

// Readable writes an expression of the rule as an author would: names of steps, keys and
// aggregates in place of numbers, brackets only where they are needed. Names (let, fn) and
// lists are written out, as the plan has them. It is for messages: what it writes need not
// be what was written, nor parse.
func (r *Rule) Readable(e *Expr) string {
	w := &reader{rule: r}
	w.expr(e, 0)
	return w.b.String()
}

// reader writes one expression.
type reader struct {
	rule *Rule
	b    strings.Builder
}

// level is how strongly an operator binds its operands.
func level(op Op) int {
	switch op {
	case OpCond:
		return 1
	case OpOr:
		return 2
	case OpAnd:
		return 3
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpIn, OpContains, OpStartsWith, OpEndsWith, OpMatch, OpInFile:
		return 4
	case OpAdd, OpSub:
		return 5
	case OpMul, OpDiv, OpMod:
		return 6
	case OpNot, OpNeg:
		return 7
	case OpPow, OpCoalesce:
		return 8
	}
	return 9
}

// expr writes e, in brackets where it binds less than what is around it.
func (w *reader) expr(e *Expr, around int) {
	own := level(e.Op)
	if own < around {
		w.b.WriteByte('(')
		defer w.b.WriteByte(')')
	}
	switch e.Op {
	case OpNot:
		w.b.WriteString("not ")
		w.expr(e.Args[0], own+1)
	case OpNeg:
		w.b.WriteByte('-')
		w.expr(e.Args[0], own)
	case OpCond:
		w.list(" ? ", own+1, e.Args[:2]...)
		w.b.WriteString(" : ")
		w.expr(e.Args[2], own)
	case OpInFile:
		w.expr(e.Args[0], own+1)
		w.b.WriteString(" in " + e.Name)
	case OpAnd, OpOr:
		w.list(" "+opWords[e.Op]+" ", own, e.Args...)
	default:
		if word := opWords[e.Op]; own < 9 && word != "" {
			w.expr(e.Args[0], own)
			w.b.WriteString(" " + word + " ")
			w.expr(e.Args[1], own+1)
			return
		}
		w.atom(e)
	}
}

func (w *reader) list(between string, around int, list ...*Expr) {
	for i, a := range list {
		if i > 0 {
			w.b.WriteString(between)
		}
		w.expr(a, around)
	}
}

// atom writes what needs no brackets around it.
func (w *reader) atom(e *Expr) {
	switch e.Op {
	case OpConst:
		w.constant(e)
	case OpField:
		w.b.WriteString(e.Name)
	case OpMeta:
		w.b.WriteString("meta." + e.Name)
	case OpStepField, OpStepMeta, OpTaken:
		w.step(e)
	case OpKey:
		w.b.WriteString(w.rule.Keys[e.Index].Name)
	case OpAgg:
		w.aggregate(e.Index)
	case OpWindow:
		w.b.WriteString("window." + e.Name)
	case OpMatches:
		w.b.WriteString("matches()")
	case OpElem:
		w.b.WriteByte('#')
	case OpElemNo:
		w.b.WriteString("#index")
	case OpAcc:
		w.b.WriteString("#acc")
	default:
		w.compound(e)
	}
}

// compound writes what has arguments.
func (w *reader) compound(e *Expr) {
	switch e.Op {
	case OpConvert:
		w.expr(e.Args[0], 0)
	case OpConcat:
		w.text(e.Args)
	case OpList:
		w.b.WriteByte('[')
		w.list(", ", 0, e.Args...)
		w.b.WriteByte(']')
	case OpRecord:
		w.record(e)
	case OpIndex:
		w.expr(e.Args[0], 9)
		w.b.WriteByte('[')
		w.expr(e.Args[1], 0)
		w.b.WriteByte(']')
	case OpMember:
		w.expr(e.Args[0], 9)
		w.b.WriteString("." + e.Name)
	case OpRow, OpRead:
		w.b.WriteString(e.Name + "[")
		w.list(", ", 0, e.Args...)
		w.b.WriteByte(']')
	default:
		w.call(e)
	}
}

func (w *reader) call(e *Expr) {
	name := e.Name
	switch e.Op {
	case OpLen:
		name = "len"
	case OpNative:
		name, _, _ = strings.Cut(e.Text, "(")
	}
	w.b.WriteString(name + "(")
	w.list(", ", 0, e.Args...)
	w.b.WriteByte(')')
}

func (w *reader) record(e *Expr) {
	w.b.WriteByte('{')
	for i, a := range e.Args {
		if i > 0 {
			w.b.WriteString(", ")
		}
		w.b.WriteString(e.Names[i] + ": ")
		w.expr(a, 0)
	}
	w.b.WriteByte('}')
}

// text writes a string with interpolations.
func (w *reader) text(args []*Expr) {
	w.b.WriteByte('"')
	for _, a := range args {
		if a.Op == OpConst && a.Const.Kind == event.String {
			quoted := strconv.Quote(a.Const.S)
			w.b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		w.b.WriteString("${")
		w.expr(a, 0)
		w.b.WriteByte('}')
	}
	w.b.WriteByte('"')
}

// maxReadable is how many elements of a constant list are written.
const maxReadable = 8

func (w *reader) constant(e *Expr) {
	if e.Name != "" {
		w.b.WriteString(e.Name)
		return
	}
	w.b.WriteString(ReadableValue(e.Const))
}

// ReadableValue writes a value as rule files do; of a long list its beginning.
func ReadableValue(v event.Value) string {
	switch v.Kind {
	case event.Nil:
		return "nil"
	case event.Duration:
		return string(event.AppendDuration(nil, v.Int()))
	case event.List:
		if elems := v.Elems(); len(elems) > maxReadable {
			short := string(event.AppendJSON(nil, event.Value{Kind: event.List, C: &event.Compound{Elems: elems[:maxReadable]}}))
			return fmt.Sprintf("%s, … %d more]", short[:len(short)-1], len(elems)-maxReadable)
		}
	}
	return string(event.AppendJSON(nil, v))
}

func (w *reader) step(e *Expr) {
	name := "step"
	if p := w.rule.Pattern; p != nil && e.Step < len(p.Steps) {
		name = p.Steps[e.Step].Name
	}
	if e.Op == OpTaken {
		w.b.WriteString(name)
		return
	}
	field := e.Name
	if e.Op == OpStepMeta {
		field = "meta." + field
	}
	switch e.Pick {
	case PickLast:
		name = "last(" + name + ")"
	case PickPrev:
		name = "prev"
	case PickAt:
		w.b.WriteString(name + "[")
		w.expr(e.Args[0], 0)
		w.b.WriteString("]." + field)
		return
	case PickFirst:
		if w.rule.Pattern != nil && w.rule.Pattern.Steps[e.Step].Repeats {
			name = "first(" + name + ")"
		}
	}
	w.b.WriteString(name + "." + field)
}

// aggregate writes an aggregate of the rule by its number.
func (w *reader) aggregate(i int) {
	a := &w.rule.Aggs[i]
	w.b.WriteString(a.Func.String() + "(")
	arg, over := a.Arg, ""
	switch {
	case w.rule.Pattern != nil:
		over = w.rule.Pattern.Steps[a.Step].Name
	case len(w.rule.Inputs) > 0 && i < len(w.rule.Inputs[0].Args):
		arg = w.rule.Inputs[0].Args[i]
		over = w.rule.Windows[a.Window].Name
	}
	w.argument(arg, over)
	switch a.Func {
	case windows.Percentile, windows.Top, windows.Collect:
		w.b.WriteString(", " + strconv.FormatFloat(a.Param, 'g', -1, 64))
	}
	w.b.WriteByte(')')
}

// argument writes what an aggregate takes of an event, with the step or window it is over.
func (w *reader) argument(arg AggArg, over string) {
	of := arg.Value
	if arg.Cond != nil {
		of = arg.Cond
	}
	if of == nil {
		w.b.WriteString(over)
		return
	}
	if over != "" {
		w.b.WriteString(over + ".")
	}
	w.expr(of, 0)
}

// Aggregate writes an aggregate of the rule by its number, as Readable does.
func (r *Rule) Aggregate(i int) string {
	w := &reader{rule: r}
	w.aggregate(i)
	return w.b.String()
}
