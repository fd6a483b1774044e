// Package lookup reads the files that lists and tables of a rule set come from, at
// load and again when they have changed.
//
// # Words
//
// Contents are what a file held when it was read, as text (see [plan.Contents]). A
// list has an entry a line; a table is CSV (RFC 4180) with a header.
//
// # Place in the flow
//
//	lang ─ Read, at load ─► contents ─► types of columns, faults with their place
//	engine ─ Look, between epochs ─► new contents, taken whole, or a warning
//
// # Formats
//
//   - UTF-8, with or without a byte order mark; line ends LF or CRLF.
//   - A list: white space around an entry does not count; blank lines and lines that
//     begin with # are passed over.
//   - A table: cells are separated by commas and may be quoted; every row has a cell
//     for each column of the header; an empty cell is nil. Blank lines are passed over.
//
// # Invariants
//
//   - A file is taken whole or not at all: also one that changed while it was read is
//     not, and is looked at again.
//   - What is wrong with a file is told once for each state that the file is in.
//   - All is bounded: see [MaxFileSize] and its neighbours.
//
// A file is best replaced by renaming a whole new one over it: of one that is written
// in place, a moment's half may be taken for the whole until the next look.
//
// Open read.go first.
package lookup
