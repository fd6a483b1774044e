package predicate

import (
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/windows"
)

// Scope says what one place of a rule lets an expression see. The zero Scope sees
// only literals and functions. [Compile] does not change it, but it adds slots to the
// layouts of the types it names, marks steps as kept, and calls Aggs. It is used by
// one goroutine at a time.
type Scope struct {
	// Place names the place for messages, e.g. `the condition of step "big"`.
	Place string

	// Event is the type of the event that bare names are fields of: the event at
	// hand, or, where Bare forbids it, the events an aggregate's argument sees. Nil:
	// there is none. Where a rule reads several types compile once a type, with the
	// other types in Others: a field that only they have is nil (of its declared
	// type, and not folded away, so that the canonical text of an aggregate's
	// argument is the same for every type).
	Event  *plan.Type
	Others []*plan.Type

	// NoBare, if not empty, forbids bare fields outside aggregates: "having" and
	// "emit" of windows that are evaluated at their end, and of patterns. It says why,
	// e.g. "the window is evaluated at its end"; the mend last(x) is added where
	// aggregates are allowed.
	NoBare string

	// Steps are the named steps of the pattern, also those that may not be read here
	// (with Why set). A step's own condition has itself among them with Own set.
	Steps []Step

	Keys    []Key // names of the rule's key parts, by part; empty name: none
	Lets    []Let // names local to the rule, each an expression over this same scope
	Globals *Globals

	// Aggs takes the aggregates over windows and over repeated steps; nil forbids
	// them, and NoAggs says why, e.g. "a filter has no window".
	Aggs   AggSink
	NoAggs string
	// Windows are the names of the rule's windows, by number; one empty name for a
	// window without a name. Empty in patterns.
	Windows []string

	// NoReads, if not empty, forbids reading projections, and says why, e.g. "the key is
	// taken before".
	NoReads string

	WindowTimes bool // window.start and window.end are set here
	Matches     bool // matches() may be read here
}

// Step is a named step of a pattern, as one place sees it.
type Step struct {
	Name    string
	Number  int // index into plan.Pattern.Steps
	Type    *plan.Type
	Repeats bool // may take several events
	Own     bool // the expression is this step's own condition; prev is its last event
	// Why, if not empty, forbids reading the step here, e.g. "is taken later" or
	// "is negated: it never has an event".
	Why string
	// LastOnly, if not empty, forbids reading more of a repeated step than its last event,
	// and says why.
	LastOnly string
	Mend     string // what to do about Why or LastOnly; may be empty
	// KeepAll is set to true when an expression indexes the step's events. May be nil.
	KeepAll *bool
}

// Key is one part of the rule's key. In `by card` the name is card; in `by x.y as z`
// it is z; a part that is no name and has no `as` has the empty name.
type Key struct {
	Name string
	Type event.Type
	// IsField says that the part's expression for the event at hand is the bare field
	// of that name, so that field and key part are the same thing.
	IsField bool
}

// Let is `let NAME = EXPR` of a rule or of the top level. It is compiled at each
// place that uses it; a let that leads to itself is an error.
type Let struct {
	Name string
	Expr source.Span
}

// Globals are the top-level names of a rule set.
type Globals struct {
	Lets   []Let // constants
	Fns    []Fn
	Lists  []List
	Tables []Table
	Types  []*plan.Type // declared event types, for parameters of a Fn

	// Nodes is how many nodes Compile has checked in all expressions so far, macros
	// expanded: what bounds the work of a whole rule set. Compile adds to it.
	Nodes int
}

// Fn is `fn NAME(params) = EXPR`: a macro, expanded at each use.
type Fn struct {
	Name   string
	Params []Param
	Body   source.Span
}

// Param is a parameter of a Fn: of an event type (Event not nil), or of a value type.
type Param struct {
	Name  string
	Event *plan.Type
	Type  event.Type
}

// List is `list NAME = [ … ]`, with the span of the expression in brackets (brackets
// included), or a list from a file.
type List struct {
	Name string
	Expr source.Span
	File *File // nil: Expr
}

// Table is a `table` declaration: exactly one of File and Projection is set.
type Table struct {
	Name       string
	File       *File
	Projection *Projection
}

// File is the file of a list or table. Compile says what kinds of value expressions look
// up in it.
type File struct {
	*plan.File
	Number int                   // its place in plan.Set.Files
	Asked  func(kind event.Kind) // called for each look-up; nil: File.Ask is
}

func (f *File) ask(kind event.Kind) {
	if f.Asked == nil {
		f.Ask(kind)
		return
	}
	f.Asked(kind)
}

// AggSink collects the aggregates of a rule.
type AggSink interface {
	// Aggregate returns the rule's number (plan.Expr.Index of an OpAgg) for an
	// aggregate, the same for calls with the same Func, Window, Step, Param and Text.
	// An error's text becomes a message at the call's place: lower case, no final stop.
	Aggregate(call AggCall) (int, error)
}

// AggCall is one aggregate as an expression wrote it.
type AggCall struct {
	Func   windows.Func
	Window int         // index into Scope.Windows; 0 in patterns
	Step   int         // pattern rules: the repeated step; -1 over a window
	Arg    plan.AggArg // over the event of the window or step, laid out by the type compiled for
	ArgT   event.Type  // of Arg.Value; Kind Nil without one
	Type   event.Type  // of the result
	Param  float64     // percentile's p; k of top and collect
	Text   string      // canonical text of Arg, the same whatever event type it was compiled for
	Span   source.Span
}
