package source

// File is one rule file. Name is the path as the user gave it.
type File struct {
	Name string
	Text string
}

// Span is a half-open range of byte offsets in a file. The zero Span (nil File) is
// unknown.
type Span struct {
	File       *File
	Start, End int
}

// Severity of a message.
type Severity uint8

// An Err stops a rule set from loading, a Warning does not.
const (
	Err Severity = iota
	Warning
)

// Error is one message to the author of a rule.
type Error struct {
	Severity Severity
	Code     string // stable: "S…" syntax, "R…" names and types, "W…" warnings; listed in docs/errors.md
	Span     Span   // what is wrong
	Message  string // the fact, lower case, no final stop
	Mend     string // what would mend it, e.g. `did you mean "amount"?`; may be empty
	Also     Span   // a second place, e.g. the first declaration of a duplicate; may be zero
	AlsoText string // what the second place is, e.g. "first declared here"
}
