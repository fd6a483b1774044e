// Package format lays rule files out: one layout for all, comments kept, the meaning
// unchanged.
//
// # The layout
//
//   - A declaration begins at the margin, an empty line before it; what it holds is indented
//     by four spaces, one field, clause or line of a test a line.
//   - The clauses of a rule stand in the order of docs/language.md; those that may stand
//     several times keep their own order.
//   - The types of an event's fields stand in one column, and so do the values of an emit
//     that does not fit on a line, and the events of a test.
//   - A pattern, a condition or a list that does not fit on a line is broken before its
//     arrows, before `and` and `or`, or between elements.
//   - A comment stays with what it stands before, or behind on the same line. One empty line
//     between fields, lines of a test, and comments is kept.
//
// # Invariants
//
//   - What is written parses to the same plan, with the same versions.
//   - Formatting what was formatted changes nothing.
//   - Every comment of the file is written, once.
//   - Within an item tokens are never changed, added, left out or exchanged; only commas
//     between fields are.
//
// Open format.go first, then flow.go (one item's tokens) and body.go (items in braces).
package format
