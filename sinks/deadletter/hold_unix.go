//go:build unix

package deadletter

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Who writes to the file holds its lock file with others; who rewrites it holds it alone;
// and who writes marks holds them alone for as long as that takes. A lock ends with its
// process, whatever ends that.

func (b *Box) holdShared() (*os.File, error) { return hold(b.path+".lock", syscall.LOCK_SH) }

// holdAlone returns nil where someone has the file.
func (b *Box) holdAlone() (*os.File, error) {
	f, err := hold(b.path+".lock", syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return f, err
}

// holdMarks keeps others from writing marks, and from rewriting them.
func (b *Box) holdMarks() (unlock func() error, err error) {
	shared, err := b.holdShared()
	if err != nil {
		return nil, err
	}
	alone, err := hold(b.marksPath(), syscall.LOCK_EX)
	if err != nil {
		return nil, errors.Join(err, shared.Close())
	}
	return func() error { return errors.Join(alone.Close(), shared.Close()) }, nil
}

func hold(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}
