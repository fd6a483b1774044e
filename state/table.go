package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
)

// The tables of Badger v4, as far as verifying them needs, without compression: blocks,
// then the index, its length, a checksum of it, and the checksum's length. A block ends
// with a checksum of it and the checksum's length. Lengths are big-endian; a checksum is a
// protocol buffer of two numbers, its kind (0: CRC-32C) and its value. Where a table is
// encrypted, index and blocks are, each for itself: a block with its checksum, the index without.
const (
	tableExt       = ".sst"
	tableLength    = 4
	checksumKind   = 1 << 3
	checksumNumber = 2 << 3
)

// tableReader verifies tables one after the other, and keeps its buffer from one to the
// next: to read all of a large state is mostly to fill memory.
type tableReader struct {
	keys *dataKeys
	text []byte
}

// tableDamage is a block of a table that does not match its checksum.
type tableDamage struct {
	block, blocks int
	offset        int
	first, next   []byte // keys in it are from first up to below next; nil: up to the end of the table
}

func (d *tableDamage) Error() string {
	return fmt.Sprintf("block %d of %d, at byte %d: checksum does not match", d.block, d.blocks, d.offset)
}

// verify reads a table, verifies all checksums in it, and returns its greatest version.
// Each block that is damaged is given to visit, which may be nil; the first is returned. It is
// encrypted under the key of a number, 0 where it is not.
func (r *tableReader) verify(path string, number uint64, visit func(*tableDamage)) (version uint64, err error) {
	if err := r.read(path); err != nil {
		return 0, err
	}
	key, err := r.keys.of(number)
	if err != nil {
		return 0, err
	}
	defer func() {
		if recover() != nil { // lengths in an index that point nowhere
			err = errors.New("its index makes no sense")
		}
	}()
	sum, body, err := cutChecked(r.text)
	if err != nil {
		return 0, fmt.Errorf("index: %w", err)
	}
	size := len(body) - tableLength // the checksum is of the index without its length
	at := size - int(binary.BigEndian.Uint32(body[size:]))
	if crc32.Checksum(body[at:size], castagnoli) != sum {
		return 0, errors.New("index: checksum does not match")
	}
	plain, err := decryptPart(body[at:size], key)
	if err != nil {
		return 0, fmt.Errorf("index: %w", err)
	}
	index := fb.GetRootAsTableIndex(plain, 0)
	return index.MaxVersion(), verifyBlocks(body[:at], key, index, visit)
}

// read fills the buffer with a file.
func (r *tableReader) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if n := int(info.Size()); n > cap(r.text) {
		r.text = make([]byte, n+n/8)
	}
	r.text = r.text[:info.Size()]
	_, err = io.ReadFull(f, r.text)
	return err
}

func verifyBlocks(body, key []byte, index *fb.TableIndex, visit func(*tableDamage)) (first error) {
	var o fb.BlockOffset
	n := index.OffsetsLength()
	if n == 0 {
		return errors.New("its index makes no sense")
	}
	for i := range n {
		index.Offsets(&o, i)
		at := int(o.Offset())
		if blockIsWhole(body, key, at, int(o.Len())) {
			continue
		}
		d := &tableDamage{block: i + 1, blocks: n, offset: at, first: o.KeyBytes()}
		if i+1 < n {
			index.Offsets(&o, i+1)
			d.next = o.KeyBytes()
		}
		if first == nil {
			first = d
		}
		if visit == nil {
			break
		}
		visit(d)
	}
	return first
}

func blockIsWhole(body, key []byte, at, size int) bool {
	if at > len(body) || size > len(body)-at {
		return false
	}
	block, err := decryptPart(body[at:at+size], key)
	if err != nil {
		return false
	}
	sum, text, err := cutChecked(block)
	return err == nil && crc32.Checksum(text, castagnoli) == sum
}

var errChecksum = errors.New("it does not end with a checksum")

// cutChecked takes the checksum at the end of b off.
func cutChecked(b []byte) (sum uint32, rest []byte, err error) {
	n := len(b) - tableLength
	if n < 0 {
		return 0, nil, errChecksum
	}
	at := n - int(binary.BigEndian.Uint32(b[n:]))
	if at < tableLength || at > n {
		return 0, nil, errChecksum
	}
	sum, ok := decodeChecksum(b[at:n])
	if !ok {
		return 0, nil, errChecksum
	}
	return sum, b[:at], nil
}

// decodeChecksum reads a checksum of the only kind there is.
func decodeChecksum(b []byte) (sum uint32, ok bool) {
	for len(b) > 0 {
		value, used := binary.Uvarint(b[1:])
		switch {
		case used <= 0 || value > 1<<32-1:
			return 0, false
		case b[0] == checksumNumber:
			sum = uint32(value)
		case b[0] != checksumKind || value != 0:
			return 0, false
		}
		b = b[1+used:]
	}
	return sum, true
}
