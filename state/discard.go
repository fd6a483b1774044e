package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Badger notes in a file, without a checksum, how much of each file of large values is of
// no more use: number and bytes, 8 bytes each, up to the first zero.
const (
	discardFile  = "DISCARD"
	discardBytes = 16
)

// removeBadDiscards removes these notes where they make no sense: with a number twice, or one
// that no file has, Badger looks for the file without an end. Without the notes it only
// begins to count anew.
func removeBadDiscards(dir string) error {
	path := filepath.Join(dir, treeDir, discardFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && discardsMakeSense(text) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("open state directory %s: %w", dir, err)
	}
	return nil
}

func discardsMakeSense(text []byte) bool {
	seen := map[uint64]bool{}
	for ; len(text) >= discardBytes; text = text[discardBytes:] {
		file, size := binary.BigEndian.Uint64(text), binary.BigEndian.Uint64(text[8:])
		if file == 0 {
			return true
		}
		if seen[file] || file > math.MaxUint32 || size > math.MaxInt64 {
			return false
		}
		seen[file] = true
	}
	return false
}
