// Package stdout is the sink that writes alerts to standard output, one JSON object a
// line, flushed round by round.
//
// A reader that goes away (`cepheus run … | head`) is reported as sinks.ErrGone. For
// that the process must not die of the signal: whoever wires this sink to the real
// standard output ignores SIGPIPE. A reader that stands still blocks the sink, and
// through the bounded backlog the engine; a write cannot be interrupted. There is one
// file to open: stdout.go.
package stdout
