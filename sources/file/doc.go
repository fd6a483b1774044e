// Package file reads records from files, compressed files (gzip, zstd) and standard input, one
// record a line.
//
// # Words
//
// A position is a number of bytes of the input as it is after decompression; a record's
// offset is where its line begins. A line ends with \n or \r\n. A fingerprint is a hash
// of the first bytes of a file, kept with a position, so that another file under the
// same name is refused and not skipped into.
//
// # Place in the flow
//
// A [Source] is one partition. It is opened, resumed at the stored position with the
// stored fingerprint, and asked for the next records until io.EOF.
//
// # What counts as a record
//
//   - Empty lines are none, nor are lines of white space, except under a header row. A
//     byte order mark at the start of the input is skipped.
//   - A last line without an end counts as complete, and the position after it is the end
//     of the file. If the file grows afterwards, what is appended to that very line is a
//     record of its own; let a writer write whole lines.
//   - Of a line longer than Options.MaxLine its first bytes are handed on, marked
//     event.FaultTooLong. No line is ever held whole beyond that bound.
//   - The time of a record is the wall clock at reading: a file keeps none.
//
// # Resuming
//
// Files go on at the stored position; compressed ones are read again up to it. Standard
// input, pipes and other things that are no regular files cannot be read again: there
// positions go on counting from the stored one, nothing is skipped, and there is no
// fingerprint.
//
// Compressed input, gzip or zstd, is known by its first bytes, whatever its name; several members
// in a row are one input. Where it is cut short or damaged, the lines before that are
// handed on, then comes an error.
//
// # The end
//
// A regular file ends where it ends; it is never followed. Of a pipe or terminal the end
// is when its writer closes it; until then a batch may say that nothing more is there for
// now (event.Batch.AtEnd), which is what lets the engine call a partition idle.
//
// # Goroutines
//
// A regular file is read by the caller of Next. Anything else is read by one goroutine,
// because its reads can block for ever and Next must heed its context. Close ends it
// where the read can be interrupted (pipes, readers with a Close that does so); else, as
// with a terminal, it lives until its read returns or the process ends.
//
// Open file.go first.
package file
