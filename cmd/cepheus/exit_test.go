package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cepheus-cep/cepheus/state"
)

// TestOneCauseIsTakenOutOfAnError: what else went wrong stays, with its words.
func TestOneCauseIsTakenOutOfAnError(t *testing.T) {
	gone := &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
	full := fmt.Errorf("commit: %w", syscall.ENOSPC)
	both := fmt.Errorf("receiver has gone: %w: %w", errors.New("stdout"), gone)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"nothing":                      {nil, ""},
		"the cause alone":              {syscall.EPIPE, ""},
		"wrapped":                      {fmt.Errorf("print: %w", gone), ""},
		"one error of two parts":       {both, ""},
		"another error":                {full, full.Error()},
		"another of two parts":         {fmt.Errorf("a: %w: %w", full, fs.ErrClosed), "a: " + full.Error() + ": file already closed"},
		"joined with nothing":          {errors.Join(gone, nil), ""},
		"joined with another":          {errors.Join(gone, full), full.Error()},
		"joined deeper":                {errors.Join(errors.Join(full, both), gone), full.Error()},
		"wrapped together with others": {fmt.Errorf("run: %w", errors.Join(full, gone)), "run: " + full.Error() + "\n" + gone.Error()},
	} {
		got := ""
		if err := without(c.err, syscall.EPIPE); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestReaderThatGoesAwayHidesNoFailure runs exit on what `| head` and a full disk give
// together.
func TestReaderThatGoesAwayHidesNoFailure(t *testing.T) {
	w := &world{stderr: io.Discard}
	gone := fmt.Errorf("write alerts: %w", syscall.EPIPE)
	if got := w.exit(gone); got != exitWell {
		t.Errorf("a reader that has gone: exit code %d", got)
	}
	if got := w.exit(errors.Join(gone, fmt.Errorf("commit: %w", syscall.ENOSPC))); got != exitFailed {
		t.Errorf("a full disk besides: exit code %d", got)
	}
}

// TestWhatCannotBeOpened tells wrong usage from damage.
func TestWhatCannotBeOpened(t *testing.T) {
	w := &world{stderr: io.Discard}
	denied := fmt.Errorf("make state directory d: %w", &fs.PathError{Op: "mkdir", Path: "d", Err: syscall.EACCES})
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"no rights":    {denied, exitUsage},
		"in use":       {fmt.Errorf("open: %w", &state.LockedError{}), exitUsage},
		"a full disk":  {fmt.Errorf("open: %w", syscall.ENOSPC), exitFailed},
		"damage":       {errors.Join(&state.DamagedError{}, denied), exitFailed},
		"another name": {fmt.Errorf("open: %w", syscall.ENOTDIR), exitUsage},
	} {
		if got := w.exit(notOpened(c.err)); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

// TestFmtNamesTheFileThatItCannotWrite, not the one beside it that it would have renamed.
func TestFmtNamesTheFileThatItCannotWrite(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("permissions do not keep root out")
	}
	path := filepath.Join(t.TempDir(), "a.cep")
	if err := os.WriteFile(path, []byte("event a {n int}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, "event a { n int }\n"); err == nil || err.Error() != path+" cannot be written: a file beside it: permission denied" {
		t.Error(err)
	}
}
