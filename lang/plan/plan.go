package plan

import (
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/windows"
)

// Set is a whole compiled rule set.
type Set struct {
	Types []*Type // declared event types, sorted by name
	Rules []*Rule // sorted by name

	Projections []*Projection // sorted by name
	Reads       [][]Read      // by event type: what its events ask of projections
	Files       []*File       // lists and tables read from files, sorted by name
	Tests       []*Test       // in order of files and writing
	Version     string        // of the set: a hash over its types' and rules' versions
}

// Type is a declared event type with the layout that the rules of the set need.
type Type struct {
	Schema event.Schema
	Layout event.Layout // Layout.Schema points to Schema
}

// Severity of a rule's alerts.
type Severity uint8

// The severities.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

// Mode says whether a rule runs.
type Mode uint8

// Live rules alert; Shadow rules are evaluated and their alerts not delivered; Off
// rules are checked and not run.
const (
	Live Mode = iota
	Shadow
	Off
)

// Rule is one compiled rule: a filter (no Windows, no Pattern), a window rule or a
// pattern rule.
type Rule struct {
	Name, Title string
	Version     string // names the meaning
	Memory      string // names what the rule remembers: see MemoryChanges
	Steps       string // names what a pattern remembers, step by step: see KeptSteps
	Severity    Severity
	Tags        []string
	Labels      []Label
	Runbook     string
	Mode        Mode
	To          []string

	Keys   []Key   // parts of the key; empty: the rule has one key
	Inputs []Input // the event types it reads, in order of Set.Types

	Windows []Window // window rules: one, or several named ones
	Pattern *Pattern // pattern rules

	Aggs []Agg // aggregates that its expressions read, by OpAgg index

	// Having, Emit and SuppressBy of rules that are evaluated without an event at
	// hand (patterns; windows evaluated at their end). Rules evaluated at an event
	// have them in each Input. Having may be nil.
	Having     *Expr
	Emit       []Field
	SuppressBy []*Expr

	Once     bool
	Suppress int64 // nanoseconds; 0: off
	Derived  []Derived
	Stratum  int
}

// DerivedAt returns the events that the rule makes when it matches at an event of an
// input; the same types and fields for every input.
func (r *Rule) DerivedAt(input int) []Derived {
	if len(r.Derived) > 0 || len(r.Inputs) == 0 {
		return r.Derived
	}
	return r.Inputs[input].Derived
}

// Label is a name and text carried on alerts.
type Label struct{ Name, Text string }

// Key is one part of a rule's key.
type Key struct {
	Name string
	Type event.Type
}

// Input is how a rule reads one event type. Expressions see the event at hand.
type Input struct {
	Type  int     // index into Set.Types
	Where *Expr   // may be nil
	Key   []*Expr // one a key part; in patterns nil where every step of the type has its own

	// For filters and for windows evaluated at each event:
	Having     *Expr // may be nil
	Emit       []Field
	SuppressBy []*Expr
	Derived    []Derived
	Args       []AggArg // one an aggregate of the rule (window rules)
}

// Field is one field of an alert, in the order written.
type Field struct {
	Name string
	Expr *Expr
}

// Derived is an `emit EVENT`: an event that other rules read.
type Derived struct {
	Type   int
	Fields []Field
}

// Window is one named window of a rule. Name is empty where there is only one.
type Window struct {
	Name  string
	Spec  windows.Spec
	Early bool
}

// Agg is one aggregate of a rule: over a window of a window rule, or over the events
// of a repeated step of a pattern.
type Agg struct {
	Func   windows.Func
	Type   event.Type // of the result
	Window int        // window rules: index into Rule.Windows
	Step   int        // pattern rules: index into Pattern.Steps
	Arg    AggArg     // pattern rules: over the event of the step; window rules: see Input.Args
	ArgT   event.Type // type of the argument; Kind Nil without one
	Param  float64    // percentile's p; k of top and collect
}

// AggArg is what an aggregate takes from one event: both see that event at hand.
// Value is nil for count(); Cond is count(COND)'s condition, else nil.
type AggArg struct {
	Value *Expr
	Cond  *Expr
}

// Select is the selection mode of a pattern.
type Select uint8

// The selection modes.
const (
	SelectFirst Select = iota
	SelectLast
	SelectEvery
	SelectAll
)

// Pattern is the compiled pattern of a rule.
type Pattern struct {
	Select Select
	Limit  int // match all: how many matches are written out an event
	Root   *Node
	Steps  []Step // leaves of Root, until excluded, in order of writing
	Within int64  // nanoseconds; 0: none
	Until  *Step  // nil: none
	Types  []int  // the types that the pattern and `from` name: what => and strict look at
}

// Step is one event of a pattern.
type Step struct {
	Name    string  // the written name, or the type's where it has none
	Type    int     // index into Set.Types
	Cond    *Expr   // nil: any event of the type. Sees the event at hand and steps bound earlier
	Key     []*Expr // one a key part: the step's own `by`, or those of the type's Input
	Repeats bool    // it, or a group around it, is repeated: it may take several events
	KeepAll bool    // all its events are read (indexed, or compared), not only first, last and aggregates
}

// NodeKind is the kind of a pattern node.
type NodeKind uint8

// The kinds of pattern nodes.
const (
	NodeStep NodeKind = iota // Step
	NodeSeq                  // Kids in order, joined by Links
	NodeOr                   // one of Kids
	NodeAnd                  // all of Kids in any order
	NodeAny                  // Need of Kids in any order
)

// Node is a part of a pattern. A negated node is a step, or an Or of steps.
type Node struct {
	Kind   NodeKind
	Step   int // NodeStep: index into Pattern.Steps
	Kids   []*Node
	Links  []Link // NodeSeq: Links[i] stands before Kids[i]; Links[0] is empty
	Need   int    // NodeAny
	Min    int    // repetition; 1 and 1 without
	Max    int    // -1: no bound
	Strict bool
	Neg    bool
	For    int64 // !A for D; 0: none
}

// Link joins a part of a sequence with the one before it.
type Link struct {
	Next   bool  // =>: the key's next event
	MinGap int64 // at least; 0: none
	MaxGap int64 // less than; 0: none
}

// Projection is a `table NAME by KEY from EVENT`: aggregates by key, kept by the engine
// and read by rules. It is as if it were a rule that never alerts.
type Projection struct {
	Name    string
	Version string // names the meaning
	Memory  string // names what it remembers: see MemoryChanges
	Type    int    // the event type it is fed by
	Where   *Expr  // may be nil
	Key     *Expr
	KeyType event.Type
	Keep    int64 // nanoseconds after its last event that a row goes; 0: never
	Aggs    []Agg // Window and Step do not count
	Args    []AggArg
	Fields  []Field // of a row: they see the aggregates and, as OpKey 0, the key
	Stratum int
}

// Read is a question that every event of a type asks of a projection, before rules of
// later strata see the event: an OpRead has its place among the Reads of the type.
type Read struct {
	Projection int   // index into Set.Projections
	Key        *Expr // over the event at hand
}
