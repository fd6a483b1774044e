package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cepheus-cep/cepheus/sources/file"
	"github.com/cepheus-cep/cepheus/state"
)

// The exit codes of every verb. What tells 2 from 3: wrong usage is what the command
// line says or names and cannot be used as it stands (not there, not allowed, not ours,
// in use), and shows before anything is read; all that fails later is a failure of the
// run, and damage is one whenever it shows.
const (
	exitWell    = 0
	exitNotWell = 1 // what was asked about is not well: a rule does not check
	exitUsage   = 2 // wrong usage or configuration
	exitFailed  = 3 // failed while running
)

// errNotWell ends a verb that has already said what is not well.
var errNotWell = errors.New("not well")

// usageError is a fault of the command line or of what it names: nothing has been read.
type usageError struct{ err error }

func usage(err error) error { return &usageError{err} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exit says what is wrong on standard error and returns the exit code. A reader of
// standard output that has gone away has seen all that it wanted; what went wrong
// besides is told.
func (w *world) exit(err error) int {
	var wrong *usageError
	err = without(err, syscall.EPIPE)
	switch {
	case err == nil:
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

// without takes the errors that come from one cause out of err, which may join several;
// nil where nothing is left.
func without(err, cause error) error {
	switch {
	case !errors.Is(err, cause):
		return err
	case err == cause: //nolint:errorlint // what the walk is looking for
		return nil
	}
	switch of := err.(type) { //nolint:errorlint // the walk
	case interface{ Unwrap() []error }:
		return withoutAny(err, of.Unwrap(), cause)
	case interface{ Unwrap() error }:
		if without(of.Unwrap(), cause) != nil {
			return err
		}
	}
	return nil
}

// withoutAny is without for an error of several parts: those that errors.Join put side by
// side stand for themselves, in any other the cause is a part of one error.
func withoutAny(err error, parts []error, cause error) error {
	if err.Error() != errors.Join(parts...).Error() {
		return nil
	}
	var rest []error
	for _, part := range parts {
		rest = append(rest, without(part, cause))
	}
	return errors.Join(rest...)
}

// refused makes a state or an input that this run may not use wrong usage; all else
// stays a failure.
func refused(err error) error {
	var (
		locked   *state.LockedError
		notState *state.NotStateError
		format   *state.FormatError
		key      *state.KeyError
		replaced *file.ReplacedError
	)
	if errors.As(err, &locked) || errors.As(err, &notState) || errors.As(err, &format) || errors.As(err, &key) || errors.As(err, &replaced) {
		return usage(err)
	}
	return err
}

// notOpened is refused for the opening of the state directory, where a name that is not a
// directory's, or that this user may not use, is wrong usage too.
func notOpened(err error) error {
	var damaged *state.DamagedError
	if errors.As(err, &damaged) {
		return err
	}
	for _, wrong := range []error{fs.ErrPermission, fs.ErrExist, syscall.ENOTDIR, syscall.EROFS, syscall.ENAMETOOLONG, syscall.ELOOP} {
		if errors.Is(err, wrong) {
			return usage(err)
		}
	}
	return refused(err)
}
