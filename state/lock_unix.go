//go:build linux || darwin

package state

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockDir takes the lock of a state directory until the file returned is closed. It
// stands above Badger's own, so that the tree can be looked at before Badger opens it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(lockedError(dir), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock state directory %s: %w", dir, err), f.Close())
	}
	return f, nil
}
