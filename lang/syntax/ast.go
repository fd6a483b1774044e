package syntax

import "github.com/cepheus-cep/cepheus/lang/source"

// File is one parsed rule file. Decls holds every declaration in order of writing;
// the slices after it hold the same declarations by kind, each in order of writing.
// A declaration in which anything was reported is Broken: parts of it may be missing
// or hold no meaning, and saying more about it may mislead. Of a rule Damage says which
// parts, of an event Partial says whether fields are missing. A declaration that is not
// Broken is whole.
type File struct {
	Source   *source.File
	Decls    []Decl
	Events   []*Event
	Lets     []*Let
	Fns      []*Fn
	Lists    []*List
	Tables   []*Table
	Rules    []*Rule
	Tests    []*Test
	Comments []Comment // in order of writing
}

// Decl is a top-level declaration: *Event, *Let, *Fn, *List, *Table, *Rule or *Test.
type Decl interface {
	// DeclName is the declared name. A test has none; its is that of the first rule
	// in its header.
	DeclName() Name
	// DeclSpan is the whole declaration, from its keyword to its end.
	DeclSpan() source.Span

	markBroken()
}

// Comment is a comment with its delimiters, without the line end after it.
type Comment struct {
	Span source.Span
}

// Name is a name as it means: without backticks. The zero Name (empty Text) is a
// name that was not written.
type Name struct {
	Span source.Span
	Text string
}

// Text is a quoted text, unescaped. It has no interpolation: texts that have one are
// expressions.
type Text struct {
	Span  source.Span
	Value string
}

// Duration is a span of time in nanoseconds, never negative.
type Duration struct {
	Span  source.Span
	Nanos int64
}

// Number is a whole number, never negative.
type Number struct {
	Span  source.Span
	Value int
}

// Expr is the place of an expression, which is delimited here and read by package
// predicate. It begins and ends with a token, its brackets match, and it is never
// empty.
type Expr struct {
	Span source.Span
}

// Field is `NAME: EXPR`, in emit, in a projection, and in the events and
// expectations of tests.
type Field struct {
	Span source.Span
	Name Name
	Expr *Expr
}

// Event is `event NAME (attributes) { field TYPE … }`. An attribute that was not
// written is nil.
type Event struct {
	Span   source.Span
	Name   Name
	Broken bool
	// Partial says of a Broken event that fields may be missing. Where it is false all
	// fields are there, though a type among them may be none.
	Partial bool

	Time     *TimeAttr
	ID       *Name
	Dedup    *Duration
	Lateness *Duration
	Late     *Late
	Ahead    *Duration

	Fields []*FieldDecl
}

// TimeAttr is `time: FIELD` or `time: FIELD(unit)`.
type TimeAttr struct {
	Span  source.Span // of the value
	Field Name
	Unit  Name // Text is s, ms, us, ns; empty where none was written
}

// Late is what happens to late events: `late: process` or `late: drop`.
type Late struct {
	Span source.Span // of the value
	Drop bool
}

// FieldDecl declares a field of an event or of a record.
type FieldDecl struct {
	Span source.Span
	Name Name
	Type *Type
}

// TypeKind is the form of a written type.
type TypeKind uint8

// NamedType is a type by name: one of the basic types in events; in the parameters
// of a fn also an event. ListType is [T], RecordType is { f T … }.
const (
	NamedType TypeKind = iota
	ListType
	RecordType
)

// Type is a written type.
type Type struct {
	Span     source.Span
	Kind     TypeKind
	Name     Name         // NamedType; in events always one of the basic types
	Elem     *Type        // ListType
	Fields   []*FieldDecl // RecordType; also nil for a record with no fields
	Optional bool         // a ? follows
}

// Let is `let NAME = EXPR`, at top level or in a rule.
type Let struct {
	Span   source.Span
	Name   Name
	Broken bool
	Expr   *Expr // nil only if Broken
}

// Fn is `fn NAME(param TYPE, …) = EXPR`.
type Fn struct {
	Span   source.Span
	Name   Name
	Broken bool
	Params []*Param
	Expr   *Expr // nil only if Broken
}

// Param is one parameter of a fn.
type Param struct {
	Span source.Span
	Name Name
	Type *Type
}

// List is `list NAME = [ … ]` (Items) or `list NAME from file "…"` (Path).
type List struct {
	Span   source.Span
	Name   Name
	Broken bool
	Items  []*Expr
	Path   *Text // nil: Items
}

// Table is `table NAME (key: FIELD) from file "…"` (Path is set, and Key), or the
// projection `table NAME by KEY from EVENT [where …] [keep D] { … }` (Path is nil).
type Table struct {
	Span   source.Span
	Name   Name
	Broken bool

	Key  Name // of a file
	Path *Text

	By     *Expr // of a projection
	From   Name
	Where  *Expr     // may be nil
	Keep   *Duration // may be nil
	Fields []*Field
}

// Rule is `rule NAME "title" { clauses }`. A clause that was not written is nil or
// empty.
type Rule struct {
	Span   source.Span
	Name   Name
	Title  *Text
	Broken bool

	Severity *Severity
	Tags     []Name
	Labels   []*Label
	Runbook  *Text
	Mode     *Mode
	From     *From
	By       []*Key
	Lets     []*Let
	Windows  []*Window
	Having   *Expr
	Once     bool
	Match    *Match
	Within   *Duration
	Until    *Step
	Limit    *Number
	Emit     *Emit   // emit { … }
	Derived  []*Emit // emit EVENT { … }
	Suppress *Suppress
	To       []Name

	Clauses []Clause // every clause that parsed, in order of writing
	Damage  []Damage // what is wrong with a Broken rule
}

// Damage is what one fault of syntax did to a rule: what stands in Span, if known, may
// not be what was meant, and each of the clauses in Could, by keyword, may be missing.
type Damage struct {
	Span  source.Span
	Could []string
	Let   string // the name of a let that is missing; empty: of none, or it is not known
}

// Clause is the place of one clause of a rule.
type Clause struct {
	Span    source.Span // the whole clause, from its keyword
	Keyword source.Span
}

// Clause returns the place of the rule's first clause with the keyword, e.g.
// "within".
func (d *Rule) Clause(keyword string) (Clause, bool) {
	for _, c := range d.Clauses {
		if c.Keyword.Text() == keyword {
			return c, true
		}
	}
	return Clause{}, false
}

// Severity is `severity WORD`; Level is info, low, medium, high or critical.
type Severity struct {
	Span  source.Span // of the word
	Level string
}

// Label is `label NAME "…"`.
type Label struct {
	Span source.Span
	Name Name
	Text Text
}

// Mode is `mode WORD`; Word is live, shadow or off.
type Mode struct {
	Span source.Span // of the word
	Word string
}

// From is `from EVENT, … [where EXPR]`.
type From struct {
	Span   source.Span
	Events []Name
	Where  *Expr // may be nil
}

// Key is one part of a key: `EXPR [as NAME]`.
type Key struct {
	Span source.Span
	Expr *Expr
	As   Name // empty Text: not written
}

// WindowKind is the kind of a window.
type WindowKind uint8

// The kinds of windows.
const (
	Sliding WindowKind = iota
	LastN
	Tumbling
	Hopping
	Session
	Batch
)

// Window is `window [NAME] KIND`. Which fields are set depends on the kind.
type Window struct {
	Span  source.Span
	Name  Name // empty Text: not written
	Kind  WindowKind
	Size  *Duration // sliding, tumbling, hopping; session: the gap
	Count *Number   // last, batch
	Every *Duration // hopping; never nil there
	Max   *Duration // session; may be nil
	Zone  *Text     // tumbling; may be nil
	Early bool      // tumbling, hopping, session
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

// Match is `match [first|last|every|all] PATTERN`.
type Match struct {
	Span    source.Span
	Select  Select
	Mode    source.Span // of the mode's word; zero where none was written
	Pattern *Pattern
}

// PatternKind is the kind of a part of a pattern.
type PatternKind uint8

// The kinds of parts.
const (
	StepPart PatternKind = iota // Step
	SeqPart                     // Parts in order, joined by Links; at least two
	OrPart                      // (A | B)
	AndPart                     // (A & B)
	AnyPart                     // any Need of (A, B, C)
)

// Pattern is a part of a pattern. A group in parentheses around one part is that
// part, unless both are repeated: then it is a SeqPart of one. A negated part (Not)
// is a StepPart, or an OrPart of unrepeated StepParts, and has no Repeat.
type Pattern struct {
	Span   source.Span // with its !, parentheses, repetition and for
	Kind   PatternKind
	Step   *Step
	Parts  []*Pattern
	Links  []Link // SeqPart: Links[i] stands before Parts[i]; Links[0] is empty
	Need   *Number
	Not    bool
	For    *Duration // `!A for D`; only if Not
	Repeat *Repeat   // nil: once
}

// Link joins a part of a sequence with the one before it.
type Link struct {
	Span source.Span // of -> or => with its bounds
	Next bool        // =>
	Min  *Duration   // ->[Min..Max]; may be nil
	Max  *Duration   // ->[Max]; may be nil
}

// Step is `[name:] event[condition] [by a, b]`.
type Step struct {
	Span  source.Span
	Name  Name // empty Text: not written
	Event Name
	Cond  *Expr // may be nil
	By    []*Key
}

// Repeat is a repetition: + * ? {n} {n,} {n,m}, then perhaps strict. 0 <= Min <= Max
// or Max is -1, no bound; Max is never 0.
type Repeat struct {
	Span   source.Span
	Min    int
	Max    int
	Strict bool
	Braces bool // written with { }
}

// Emit is `emit { … }`, or `emit EVENT { … }`.
type Emit struct {
	Span   source.Span
	Event  Name // empty Text: fields of the alert
	Fields []*Field
}

// Suppress is `suppress D [by EXPR, …]`.
type Suppress struct {
	Span source.Span
	For  Duration
	By   []*Expr
}

// Test is `test RULE, … "title" { … }`. Items are in order of writing.
type Test struct {
	Span   source.Span
	Rules  []Name
	Title  *Text
	Broken bool
	Items  []*TestItem
}

// TestItem is one line of a test; exactly one field but Span is not nil.
type TestItem struct {
	Span   source.Span
	At     *At
	Expect *Expect
}

// At is `at D EVENT { … } key EXPR headers { … }`, or `at D` alone.
type At struct {
	Span   source.Span
	Offset Duration
	Event  Name // empty Text: only time moves
	Fields []*Field

	Key     *Expr // of the record; nil: it has none
	Headers []*Field
}

// ExpectKind is the form of an expectation.
type ExpectKind uint8

// ExpectAlert is `expect RULE at D { … }`, ExpectCount `expect N RULE`, ExpectNone
// `expect no RULE`.
const (
	ExpectAlert ExpectKind = iota
	ExpectCount
	ExpectNone
)

// Expect is one expectation of a test.
type Expect struct {
	Span   source.Span
	Kind   ExpectKind
	Rule   Name
	Count  *Number   // ExpectCount
	At     *Duration // ExpectAlert
	Fields []*Field  // ExpectAlert; may be empty
}

// DeclName returns the event's name.
func (d *Event) DeclName() Name { return d.Name }

// DeclName returns the constant's name.
func (d *Let) DeclName() Name { return d.Name }

// DeclName returns the function's name.
func (d *Fn) DeclName() Name { return d.Name }

// DeclName returns the list's name.
func (d *List) DeclName() Name { return d.Name }

// DeclName returns the table's name.
func (d *Table) DeclName() Name { return d.Name }

// DeclName returns the rule's name.
func (d *Rule) DeclName() Name { return d.Name }

// DeclName returns the name of the first rule the test is for; a test has no name.
func (d *Test) DeclName() Name {
	if len(d.Rules) == 0 {
		return Name{}
	}
	return d.Rules[0]
}

// DeclSpan returns the whole declaration.
func (d *Event) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *Let) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *Fn) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *List) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *Table) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *Rule) DeclSpan() source.Span { return d.Span }

// DeclSpan returns the whole declaration.
func (d *Test) DeclSpan() source.Span { return d.Span }

func (d *Event) markBroken() { d.Broken = true }
func (d *Let) markBroken()   { d.Broken = true }
func (d *Fn) markBroken()    { d.Broken = true }
func (d *List) markBroken()  { d.Broken = true }
func (d *Table) markBroken() { d.Broken = true }
func (d *Rule) markBroken()  { d.Broken = true }
func (d *Test) markBroken()  { d.Broken = true }
