package windows

// Kind is the kind of a window.
type Kind uint8

// The kinds of windows. See docs/language.md (windows) for which events each holds.
const (
	Sliding Kind = iota
	Last
	Tumbling
	Hopping
	Session
	Batch
)

// AtEvent reports whether windows of the kind are evaluated at each event, and not
// at their end.
func (k Kind) AtEvent() bool { return k == Sliding || k == Last }

// Spec describes a window. Sizes are nanoseconds.
type Spec struct {
	Kind  Kind
	Size  int64  // sliding, tumbling, hopping; session: the gap
	Every int64  // hopping
	Max   int64  // session: greatest length; 0: none
	Count int    // last, batch
	Zone  string // tumbling: IANA name; empty: UTC
}

// Func is an aggregate function.
type Func uint8

// The aggregate functions.
const (
	Count Func = iota
	Sum
	Avg
	Min
	Max
	First
	LastOf
	Distinct
	Values
	Stddev
	Variance
	Median
	Percentile
	ZScore
	Rate
	Slope
	Top
	Collect
)

var funcNames = [...]string{
	"count", "sum", "avg", "min", "max", "first", "last", "distinct", "values", "stddev",
	"variance", "median", "percentile", "zscore", "rate", "slope", "top", "collect",
}

// String returns the function's name as rule files write it.
func (f Func) String() string { return funcNames[f] }
