package state

import (
	"io/fs"
	"os"
	"syscall"
)

// allocate gives f blocks on the disk, without writing them where the file system can.
func allocate(f *os.File, size int64) error {
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return writeZeros(f, size)
	}
	return nil
}

// hasBlocks reports whether a file has room on the disk, and is no hole that a copy made.
func hasBlocks(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || s.Blocks*512 >= info.Size()
}
