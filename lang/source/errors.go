package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxErrors is how many messages of one rule set are reported: more than a person
// reads, few enough for a terminal.
const MaxErrors = 100

// Errors is a list of messages to the author of a rule set.
type Errors []Error

// Sort orders by file name, place, severity, code and message, and drops what is said
// twice of the same place.
func (es *Errors) Sort() {
	slices.SortStableFunc(*es, compare)
	*es = slices.CompactFunc(*es, func(a, b Error) bool { return compare(a, b) == 0 })
}

func compare(a, b Error) int {
	return cmp.Or(
		strings.Compare(a.Span.fileName(), b.Span.fileName()),
		cmp.Compare(a.Span.Start, b.Span.Start),
		cmp.Compare(a.Span.End, b.Span.End),
		cmp.Compare(a.Severity, b.Severity),
		strings.Compare(a.Code, b.Code),
		strings.Compare(a.Message, b.Message),
	)
}

// HasErrors reports whether any message is more than a warning.
func (es Errors) HasErrors() bool {
	return slices.ContainsFunc(es, func(e Error) bool { return e.Severity == Err })
}

// Limit returns at most n messages of a sorted list, errors before warnings, still
// sorted; n must be positive. Where some were left out, one more message, at the last
// one's place, says how many.
func (es Errors) Limit(n int) Errors {
	if len(es) <= n {
		return es
	}
	kept := es.firstOf(Err, n)
	kept = append(kept, es.firstOf(Warning, n-len(kept))...)
	kept.Sort()
	last := kept[len(kept)-1]
	return append(kept, Error{
		Severity: last.Severity,
		Code:     "S000",
		Span:     last.Span,
		Message:  fmt.Sprintf("%d more messages are not shown", len(es)-len(kept)),
		Mend:     "mend these first",
	})
}

func (es Errors) firstOf(severity Severity, n int) Errors {
	var out Errors
	for _, e := range es {
		if len(out) >= n {
			break
		}
		if e.Severity == severity {
			out = append(out, e)
		}
	}
	return out
}

// Error writes each message on one line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error, nil where nothing is more than a warning.
func (es Errors) Err() error {
	if !es.HasErrors() {
		return nil
	}
	return es
}

// Error writes the message on one line: file:line:col: CODE: message; mend.
func (e Error) Error() string {
	s := fmt.Sprintf("%s: %s: %s", e.Span, e.Code, e.Message)
	if e.Mend != "" {
		s += "; " + e.Mend
	}
	return s
}

// String writes the start of the span as file:line:col.
func (s Span) String() string {
	if s.File == nil {
		return "(unknown place)"
	}
	at := s.File.Position(s.Start)
	return fmt.Sprintf("%s:%d:%d", s.File.Name, at.Line, at.Column)
}

func (s Span) fileName() string {
	if s.File == nil {
		return ""
	}
	return s.File.Name
}
