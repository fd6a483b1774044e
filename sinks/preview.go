package sinks

import (
	"context"
	"fmt"
	"strings"
)

// Previewer is a sink that can show what it would send.
type Previewer interface {
	// Preview returns, as people read it and without secrets, what the receiver would get
	// by one message or statement for the first rows, and how many they are. Nothing is
	// sent. An error is that of Deliver.
	Preview(rows []Row) (text string, taken int, err error)
}

// Answerer is a sink that can tell what its receiver said to what it took.
type Answerer interface {
	// Ask is Deliver and Flush, and returns the answer, without secrets.
	Ask(ctx context.Context, rows []Row) (answer string, taken int, err error)
}

// Ask delivers rows by one attempt, outside of a dispatcher, and returns what the receiver
// said where it can be told; else that they were taken.
func Ask(ctx context.Context, to Sink, rows []Row) (answer string, taken int, err error) {
	if a, can := to.(Answerer); can {
		return a.Ask(ctx, rows)
	}
	if taken, err = to.Deliver(ctx, rows); err != nil {
		return "", taken, err
	}
	return "taken", taken, to.Flush(ctx)
}

// PreviewLines shows rows that are written as lines.
func PreviewLines(rows []Row) (text string, taken int, err error) {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\n", r.Alert)
	}
	return b.String(), len(rows), nil
}

// PreviewPart is a name with a value that a message has, such as a column or a header.
type PreviewPart struct{ Name, Value string }

// PreviewParts shows a message that consists of parts, below a line that says what it is.
func PreviewParts(what string, parts ...PreviewPart) string {
	var b strings.Builder
	fmt.Fprintln(&b, what)
	for _, p := range parts {
		fmt.Fprintf(&b, "  %s: %s\n", p.Name, p.Value)
	}
	return b.String()
}
