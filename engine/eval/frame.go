package eval

import (
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Frame is what an expression sees while it is evaluated. The machine that owns it
// fills the fields that the place of the expression has, and reuses it: nothing in it
// is kept by the evaluator after it returns. Owned by one goroutine.
type Frame struct {
	Event *event.Event // the event at hand; nil where there is none
	Steps []Binding    // by step number; empty outside patterns
	Keys  []event.Value
	Aggs  Aggregates // nil where the rule has none

	WindowStart, WindowEnd int64
	Matches                int64

	World *World
	Fault Fault

	elems [plan.MaxEach]elem // the list predicates being evaluated, by nesting level
	args  [4]argRoom         // arguments of the calls being evaluated, a stack of size calls
	calls int
	work  int // spent by the evaluation at hand, see spend
}

// elem is what # and its relatives are in one list predicate.
type elem struct {
	value, acc event.Value
	no         int
}

// World is what does not change while events are looked at: names for meta.* fields,
// and what lists and tables hold.
type World struct {
	Types      []*plan.Type
	Partitions []event.Partition // grows only between epochs
	Files      []*Lookup         // by place in plan.Set.Files; an element is exchanged only while nothing evaluates
}

// Aggregates gives results of the rule's aggregates, asked for only when an
// expression reads them.
type Aggregates interface {
	Agg(i int) event.Value
	Whole(i int) (int64, bool)   // of one whose type is int, time or duration; false for nil
	Float(i int) (float64, bool) // of one whose type is float; false for nil
}

// Binding is what one step of the run at hand has taken: N events, in order. An
// untaken step has N 0. For a step that is not repeated First and Last are the same.
type Binding struct {
	N           int
	First, Last *event.Event
	List        List // nil unless the step keeps all its events (plan.Step.KeepAll)
}

// List gives the i-th event that a repeated step took, 0 ≤ i < N.
type List interface {
	At(i int) *event.Event
}

// Fault counts evaluations that failed as they ran; Last says what the latest was.
type Fault struct {
	Count uint64
	Last  string
}
