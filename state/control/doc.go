// Package control lets a command ask the process that has a state directory open: it is
// locked, and only that process can read it.
//
// # Words
//
// The process that has the directory open serves requests on a unix socket in it,
// DIR/control, which only its user may use. A request is one line, the name of what is
// asked for; the answer is a line, "ok" or what is wrong, and, behind "ok", what the
// handler of the request writes, to the end of the connection.
//
// # Invariants
//
//   - A socket that a killed process left behind is replaced: who serves holds the lock of
//     the directory.
//   - An answer that ends early cannot be told from a whole one here: what is asked for
//     says itself where it ends.
//
// What is answered, and how, is not known here.
//
// Open control.go first.
package control
