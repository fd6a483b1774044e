package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// frameVersion is the first byte of every stored value, frameSize what stands before
// the value proper: that byte and the checksum.
const (
	frameVersion = 1
	frameSize    = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends version, checksum and value. key is table and key; it goes into
// the checksum, so that a value found under another key is found out.
func appendFrame(dst, key, value []byte) []byte {
	dst = append(dst, frameVersion)
	dst = binary.LittleEndian.AppendUint32(dst, checksum(key, value))
	return append(dst, value...)
}

// unframe returns the value in stored, sharing its memory, or a *CorruptError.
func unframe(dir string, key, stored []byte) ([]byte, error) {
	switch {
	case len(stored) < frameSize:
		return nil, corrupt(dir, key, fmt.Sprintf("record of %d bytes is shorter than its frame", len(stored)))
	case stored[0] != frameVersion:
		return nil, corrupt(dir, key, fmt.Sprintf("record has frame version %d, this release writes %d", stored[0], frameVersion))
	}
	value := stored[frameSize:]
	if binary.LittleEndian.Uint32(stored[1:]) != checksum(key, value) {
		return nil, corrupt(dir, key, "checksum does not match")
	}
	return value, nil
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// CorruptError says that a record on disk is not what was written.
type CorruptError struct {
	Dir    string
	Table  Table
	Key    []byte // without the table
	Reason string
}

func corrupt(dir string, key []byte, reason string) error {
	if len(key) == 0 {
		return &CorruptError{Dir: dir, Reason: reason}
	}
	return &CorruptError{Dir: dir, Table: Table(key[0]), Key: append([]byte(nil), key[1:]...), Reason: reason}
}

// Error names the directory, the table and the key (in hexadecimal, at most 64 bytes).
func (e *CorruptError) Error() string {
	return fmt.Sprintf("state directory %s: table %s, key %x: %s; restore the directory from a backup, or start on a fresh one",
		e.Dir, e.Table, e.Key[:min(len(e.Key), 64)], e.Reason)
}
