// Package eval gives expressions their meaning at run time: it compiles a
// [plan.Expr] to closures over the slots of events.
//
// # Words
//
// A [Frame] is all that an expression can see at one moment; the machine that owns
// the frame fills it and reuses it. A [Binding] is what a step of a run has taken. A
// fault is an evaluation that failed as it ran (an integer overflow, a computed
// regular expression that does not compile, a native function's error, an operation
// on values of an undeclared type that does not fit them).
//
// # Meaning
//
// What docs/language.md says of expressions: nil, division by zero, indices. Where
// it is silent:
//
//   - Both operands of an operator are evaluated, but for and, or, ??, ?: and list
//     predicates, which stop where the result is known.
//   - Integers, times and durations do not wrap: an overflow is a fault.
//   - A fault anywhere in what was evaluated makes the whole condition false, the
//     whole value nil, and is counted once.
//   - A list predicate looks at a million elements in one evaluation at most, and a
//     text that is put together has at most 1 MB: beyond is a fault.
//   - weekday is 1 for Monday to 7 for Sunday; domain is the whole host name.
//
// # Shape
//
// compile.go has the entry points and one function for each typed form of a closure:
// condition (nil is false), int64, float64 and string with a not-nil flag, and
// [event.Value] for all else. A test on a field and a constant is one closure
// without calls (shapes.go). Nothing allocates for numbers, strings and booleans;
// lists, records and text that is put together do.
//
// Closures are immutable and shared by all goroutines; a Frame has one owner.
//
// Open compile.go first.
package eval
