//go:build !linux && !darwin

package state

import (
	"io/fs"
	"math"
)

// freeSpace cannot ask here; Badger's own error must do.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }

// onDisk is the size of a file, holes included.
func onDisk(info fs.FileInfo) int64 { return info.Size() }
