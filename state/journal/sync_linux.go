package journal

import (
	"os"
	"syscall"
)

// syncData waits until what was written to f, and its size, are on the disk.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
