package main

import (
	"errors"
	"fmt"
	"syscall"
)

// The exit codes of every verb.
const (
	exitWell    = 0
	exitNotWell = 1 // what was asked about is not well: a rule does not check
	exitUsage   = 2 // wrong usage or configuration
	exitFailed  = 3 // failed while running
)

// errNotWell ends a verb that has already said what is not well.
var errNotWell = errors.New("not well")

// usageError is a fault of the command line or of what it names: nothing has run yet.
type usageError struct{ err error }

func usage(err error) error { return &usageError{err} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exit says what is wrong on standard error and returns the exit code. A reader of
// standard output that has gone away has seen all that it wanted.
func (w *world) exit(err error) int {
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitWell
	case errors.Is(err, errNotWell):
		return exitNotWell
	}
	fmt.Fprintln(w.stderr, "cepheus:", err)
	if errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}
