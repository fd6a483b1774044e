// Package source holds what every stage of the compiler says of the text of rules:
// files, places in them, and errors that show a place. It imports nothing of the
// project. An [Error] is the same value for the command line, the HTTP API and the
// tests; only its printing differs.
//
// # Words
//
// A [File] is one rule file, its text unchanged. A [Span] is a range of bytes in it;
// a [Pos], line and column, is worked out of it only when a message is shown. A mend
// is what the author could write instead. [Near] finds the name that was meant.
//
// # Invariants
//
//   - Every span lies within its file's text: 0 <= Start <= End <= len(Text).
//   - Files are immutable once read; spans compare files by pointer.
//   - [Read] reads no more than [MaxFileSize] bytes of a file and [MaxFiles] files.
//
// Open source.go first, then errors.go; print.go and json.go are its two faces.
package source
