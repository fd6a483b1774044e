package eval

import (
	"math"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
)

func kind(k event.Kind) event.Type { return event.Type{Kind: k, Optional: true} }

func listOf(k event.Kind) event.Type {
	elem := kind(k)
	return event.Type{Kind: event.List, Elem: &elem, Optional: true}
}

// newType is an event type with two fields of each kind.
func newType() *plan.Type {
	t := &plan.Type{Schema: event.Schema{Name: "e"}}
	for i, k := range []event.Kind{event.Bool, event.Int, event.Float, event.String, event.Time, event.Duration, event.IP} {
		name := "bixstda"[i : i+1]
		t.Schema.Fields = append(t.Schema.Fields, event.Field{Name: name + "1", Type: kind(k)}, event.Field{Name: name + "2", Type: kind(k)})
	}
	record := event.Type{Kind: event.Record, Optional: true, Fields: []event.Field{{Name: "x", Type: kind(event.Float)}, {Name: "t", Type: kind(event.Time)}}}
	t.Schema.Fields = append(t.Schema.Fields,
		event.Field{Name: "any1", Type: kind(event.Any)}, event.Field{Name: "any2", Type: kind(event.Any)},
		event.Field{Name: "is", Type: listOf(event.Int)}, event.Field{Name: "xs", Type: listOf(event.Float)},
		event.Field{Name: "ss", Type: listOf(event.String)}, event.Field{Name: "ts", Type: listOf(event.Time)},
		event.Field{Name: "r", Type: record},
	)
	t.Layout.Schema = &t.Schema
	return t
}

// rig compiles and runs expressions in the condition of a repeated step own, after a
// step one and a repeated step many.
type rig struct {
	typ   *plan.Type
	scope *predicate.Scope
	sink  *sink
	files []*plan.File // see withFiles
}

// sink numbers aggregates; the frame answers with the number.
type sink struct{ n int }

func (s *sink) Aggregate(predicate.AggCall) (int, error) { s.n++; return s.n - 1, nil }

func (s *sink) Agg(i int) event.Value     { return event.OfInt(int64(i)) }
func (s *sink) Whole(i int) (int64, bool) { return int64(i), true }
func (s *sink) Float(int) (float64, bool) { return 0, false }

func newRig() *rig {
	r := &rig{typ: newType(), sink: &sink{}}
	r.scope = &predicate.Scope{
		Event: r.typ, Aggs: r.sink, WindowTimes: true, Matches: true,
		Keys: []predicate.Key{{Name: "key", Type: kind(event.String)}},
		Steps: []predicate.Step{
			{Name: "one", Number: 0, Type: r.typ},
			{Name: "many", Number: 1, Type: r.typ, Repeats: true},
			{Name: "own", Number: 2, Type: r.typ, Repeats: true, Own: true},
		},
	}
	return r
}

func (r *rig) compile(text string) (*plan.Expr, source.Errors) {
	f := &source.File{Name: "t.cep", Text: text}
	return predicate.Compile(source.Span{File: f, End: len(text)}, r.scope, event.Nil)
}

func (r *rig) mustCompile(t testing.TB, text string) *plan.Expr {
	t.Helper()
	e, errs := r.compile(text)
	if errs != nil {
		t.Fatalf("%s: %v", text, errs)
	}
	return e
}

func (r *rig) compiler() Compiler {
	steps := make([]plan.Step, 3)
	return Compiler{Types: []*plan.Type{r.typ}, Event: 0, Steps: steps}
}

// event lays out an event of the values of fields, by path; lists and any are JSON text.
func (r *rig) event(fields map[string]event.Value) *event.Event {
	l := &r.typ.Layout
	e := &event.Event{Text: []byte(" "), Slots: make([]uint64, l.Words()+len(l.Slots))}
	for i, s := range l.Slots {
		v, ok := fields[strings.Join(s.Path, ".")]
		if !ok || v.IsNil() {
			continue
		}
		e.Slots[i>>6] |= 1 << (i & 63)
		n := v.N
		if v.Kind == event.String || v.Kind == event.IP {
			n = uint64(event.MakeRef(len(e.Text), len(v.S)))
			e.Text = append(e.Text, v.S...)
		}
		e.Slots[l.Words()+i] = n
	}
	return e
}

// frame has the event at hand, no steps taken.
func (r *rig) frame(e *event.Event) *Frame {
	return &Frame{
		Event: e, Steps: make([]Binding, 3), Keys: []event.Value{event.OfString("k")}, Aggs: r.sink,
		WindowStart: 5, WindowEnd: 7, Matches: 9,
		World: &World{Types: []*plan.Type{r.typ}, Partitions: []event.Partition{{Source: "src"}}},
	}
}

type eventList []*event.Event

func (l eventList) At(i int) *event.Event { return l[i] }

func taken(es ...*event.Event) Binding {
	if len(es) == 0 {
		return Binding{}
	}
	return Binding{N: len(es), First: es[0], Last: es[len(es)-1], List: eventList(es)}
}

// show writes a value with its kind.
func show(v event.Value) string { return v.Kind.String() + " " + string(event.AppendJSON(nil, v)) }

// same compares values; floats by bits but for the sign of zero.
func same(a, b event.Value) bool {
	if a.Kind == event.Float && b.Kind == event.Float {
		return a.Float() == b.Float() || math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return show(a) == show(b)
}
