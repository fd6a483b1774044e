package machine

import "fmt"

// recordKind is the first byte of a record: what it is of. The version of the format is
// that of the state directory; but a rule may mean the same and be run by another machine
// in another release, and then its records must not be misread.
type recordKind byte

// The kinds of records. Each has a golden file (see golden_test.go); their numbers are part
// of the format.
const (
	recordOfPattern recordKind = iota + 3 // before, it was the version: 1 or 2
	recordOfLine
	recordOfPool
	recordOfWindow
	recordOfBucket
	recordOfTable
	endOfRecordKinds
)

var recordKindNames = [...]string{"pattern", "line", "pool", "window", "bucket", "table"}

// String names what a record is of.
func (k recordKind) String() string {
	if k < recordOfPattern || k >= endOfRecordKinds {
		return fmt.Sprintf("unknown (%d)", byte(k))
	}
	return recordKindNames[k-recordOfPattern]
}

// recordKind is the kind of the records of a pattern's keys.
func (p *Pattern) recordKind() recordKind {
	switch {
	case p.line != nil:
		return recordOfLine
	case p.pool != nil:
		return recordOfPool
	}
	return recordOfPattern
}

// hasEvents reports whether records of the kind name events that the store keeps: they
// come first. What windows show stands where it is shown.
func (k recordKind) hasEvents() bool {
	return k == recordOfPattern || k == recordOfLine || k == recordOfPool
}
