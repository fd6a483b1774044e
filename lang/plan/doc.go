// Package plan is what the compiler hands to the engine: plain data, checked, with
// no trace of syntax. A [Set] is immutable once made and shared by all goroutines.
//
// # Words
//
// An [Expr] is a typed expression tree (the language's meaning in a form that an
// engine can compile, index, hash and print). A [Rule] is a filter, a window rule or
// a pattern rule. A [Step] is one event of a pattern, numbered in order of writing. A
// [File] is a list or table that is read from a file, [Contents] what it held.
//
// # Invariants
//
//   - Nothing after the compiler checks anything again: every index is in range,
//     every type agrees, every duration is positive where it must be.
//   - Rules are sorted by name; types are numbered by their place in Set.Types.
//   - Canonical text ([Expr.String], Rule.Version) does not depend on formatting,
//     comments, files or other rules.
//
// Open plan.go first, then expr.go.
package plan
