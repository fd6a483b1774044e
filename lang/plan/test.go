package plan

import "github.com/cepheus-cep/cepheus/lang/source"

// Test is a `test` block: what rules must make of a few events. The engine does not know
// of tests.
type Test struct {
	Span    source.Span
	Rules   []string // named in its header
	Title   string
	Events  []TestEvent // in order of writing
	Expects []Expect
}

// TestEvent is an event that a test sends, or, where Type is -1, just time that passes.
type TestEvent struct {
	Span   source.Span
	At     int64 // nanoseconds since the start of the test
	Type   int   // index into Set.Types
	Fields []Field

	Key     *Expr   // text beside the record; nil: it has none
	Headers []Field // texts
}

// ExpectKind is the form of an expectation.
type ExpectKind uint8

// ExpectAlert: an alert at a time, with some of its fields; ExpectCount: so many alerts of
// the rule, 0 for `expect no`.
const (
	ExpectAlert ExpectKind = iota
	ExpectCount
)

// Expect is one expectation of a test.
type Expect struct {
	Span   source.Span
	Kind   ExpectKind
	Rule   string
	N      int     // ExpectCount
	At     int64   // ExpectAlert; -1: none was written
	Fields []Field // ExpectAlert: key parts and fields of the alert, constants
}
