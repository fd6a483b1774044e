// Package statesoak runs whole processes of `cepheus run` with and without --state, and
// watches them from outside: how far they have read, what memory is theirs alone, and what
// their state folder takes on disk. What it reads of a process is what Linux tells.
//
//	stream.go  events, written to a file before a process reads them
//	watch.go   one process under watch
//	soak.go    many keys over a long stream, then starts and stops over what it left
package statesoak
