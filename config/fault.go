package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Place is where something stands in a file. Line and column count from 1, the column in
// characters; both are 0 where the whole file is meant.
type Place struct {
	File         string
	Line, Column int
}

// String returns file:line:column.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Fault is one thing that is wrong in a configuration. It holds no value that may be
// secret.
type Fault struct {
	Place
	Key     string // path, as sources.payments.kafka.brokers; empty: the file itself
	Message string // the fact and the mend
}

// Error returns place, key and message.
func (f Fault) Error() string {
	if f.Key == "" {
		return f.Place.String() + ": " + f.Message
	}
	return f.Place.String() + ": " + f.Key + ": " + f.Message
}

// Faults are all that is wrong in a file, in the order of places.
type Faults []Fault

// Error returns a line for each.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort puts them into the order of places; what is about the file as a whole comes last.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		placed := func(f Fault) int { return min(f.Line, 1) }
		return cmp.Or(cmp.Compare(placed(b), placed(a)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// err is nil where nothing is wrong. It sorts.
func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	fs.Sort()
	return fs
}
