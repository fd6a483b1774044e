package plan

import "github.com/cepheus-cep/cepheus/event"

// Op is the operation of an expression node.
type Op uint8

// The operations. "nil" below is the run-time value that is not there; the rules
// for it are those of docs/language.md (expressions): comparisons by order with nil are false,
// arithmetic with nil is nil, == and != compare it, nil counts as false in And, Or, Not.
const (
	OpConst     Op = iota // Const
	OpField               // slot Index of the event at hand
	OpMeta                // Meta of the event at hand: Name is type, id, time or source
	OpStepField           // slot Index of the event of step Step, picked by Pick
	OpStepMeta            // Meta (Name) of the event of step Step, picked by Pick
	OpTaken               // whether step Step has taken an event: Bool
	OpKey                 // part Index of the rule's key
	OpAgg                 // result of aggregate Index of the rule
	OpWindow              // Name start or end of the window at hand: Time
	OpMatches             // number of matches at this event (match all): Int

	OpNot
	OpNeg
	OpAnd
	OpOr
	OpCoalesce // Args[0] ?? Args[1]
	OpCond     // Args[0] ? Args[1] : Args[2]
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpAdd // numbers, time+duration, duration+duration, string concatenation
	OpSub
	OpMul
	OpDiv // always Float, but for duration/number, which is a Duration
	OpMod
	OpPow
	OpIn // Args[0] in Args[1]: a list, or a Const list
	OpContains
	OpStartsWith
	OpEndsWith
	OpMatch  // Args[0] matches Args[1]: a Const regular expression (checked), or a computed one
	OpConcat // string interpolation: every argument written as text, nil as empty
	OpConvert
	OpList   // Args are the elements
	OpRecord // Names name Args
	OpIndex  // Args[0][Args[1]]; out of range is nil
	OpMember // Args[0].Name, of a record or any; missing is nil
	OpLen
	OpCall   // function Name with Args
	OpNative // Native over the values of Args: what has no operation of its own

	// List predicates: function Name (any, all, none, one, filter, map, count, sum,
	// find, findIndex, findLast, findLastIndex, sortBy, reduce) over the list Args[0]
	// with the body Args[1]; sortBy may have a Const order in Args[2], reduce a first
	// value. Index is the nesting level of the body, from 0. A nil list gives nil.
	OpEach
	OpElem   // the element at hand of the OpEach at level Index
	OpElemNo // its index in the list: Int
	OpAcc    // what reduce has made so far at level Index

	// Of Set.Files[Index], whose name is Name: whether Args[0] is in the list, or the
	// key of a row; nil is not. OpRow is the row of the key Args[0], a Record of the
	// table's columns, nil where there is none. An OpMember over an OpRow has the number
	// of the column in Index.
	OpInFile
	OpRow

	// OpRead is the row that read Index of the type of the event at hand has found in the
	// projection Name under the key Args[0]: a Record as it was before the event, nil
	// where there was none. It is evaluated from the event's Side.
	OpRead
)

// Mirror is a comparison with its operands exchanged; of other operations it is the same.
func (op Op) Mirror() Op {
	switch op {
	case OpLt:
		return OpGt
	case OpLe:
		return OpGe
	case OpGt:
		return OpLt
	case OpGe:
		return OpLe
	}
	return op
}

// MaxEach bounds how deep list predicates (OpEach) nest.
const MaxEach = 8

// Pick says which event of a step an OpStepField reads.
type Pick uint8

// PickFirst is the first event (the only one of a step that is not repeated),
// PickLast the last, PickAt the one at index Args[0] (nil when out of range),
// PickPrev the event that the repeated step's previous turn took.
const (
	PickFirst Pick = iota
	PickLast
	PickAt
	PickPrev
)

// Expr is one node of a typed expression. Which fields count is said at each Op.
//
// OpField and OpStepField carry the path of the field in Name as well ("a.b"), for
// canonical text. A Const that stands for a field which the event's type does not
// have is a nil with the field's path in Name.
type Expr struct {
	Op     Op
	Type   event.Type // of the result; Kind Any where it is known at run time only
	Args   []*Expr
	Const  event.Value
	Index  int
	Step   int
	Pick   Pick
	Name   string
	Names  []string
	Native func(args []event.Value) (event.Value, error) // OpNative; safe for concurrent use
	Text   string                                        // OpNative: its canonical text
}

// Chain appends the parts of an and, or of an or, to into: they are the same in any grouping.
func (e *Expr) Chain(op Op, into []*Expr) []*Expr {
	if e.Op != op {
		return append(into, e)
	}
	for _, arg := range e.Args {
		into = arg.Chain(op, into)
	}
	return into
}
