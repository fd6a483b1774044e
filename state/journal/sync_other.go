//go:build !linux

package journal

import "os"

// syncData waits until what was written to f, and its size, are on the disk.
func syncData(f *os.File) error { return f.Sync() }
