package journal

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// Op is one write: Stored under Key, or, where Stored is nil, the removal of Key.
type Op struct{ Key, Stored []byte }

// Place says where a write lies in a journal that is open: position of the block, place
// in the block, and whether the write is a removal. Later writes have greater places. No
// write has the place 0.
type Place uint64

const (
	placeBits  = 16       // of the place within a block
	mostInside = 16 << 10 // no write begins behind as many bytes of a block
	// blockBytes is when a block ends: one write that is read costs the reading of its block.
	blockBytes = 4 << 10

	headerBytes = 32
	lengthBytes = 4 // before a block
	leastBase   = 1 // position of the first segment: no place is 0
)

func newPlace(block uint64, at int, deleted bool) Place {
	p := Place(block)<<(placeBits+1) | Place(at)<<1
	if deleted {
		p |= 1
	}
	return p
}

// Deleted says that the write is a removal.
func (p Place) Deleted() bool { return p&1 != 0 }

func (p Place) block() uint64 { return uint64(p >> (placeBits + 1)) }

func (p Place) at() int { return int(p>>1) & (1<<placeBits - 1) }

// Before says that p lies before a position, as Seal returns it.
func (p Place) Before(position uint64) bool { return p.block() < position }

var magic = []byte("CepR")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands before the blocks of a record.
type header struct {
	epoch  uint64
	ops    uint32
	sum    uint32 // of the blocks
	length int64  // of the blocks
}

func (h header) append(b []byte) []byte {
	b = append(b, magic...)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, h.sum)
	b = binary.LittleEndian.AppendUint32(b, h.ops)
	b = binary.LittleEndian.AppendUint64(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.length))
	binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b[at+4:], castagnoli))
	return b
}

// parseHeader reads the header that b begins with; false where that is none.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerBytes || !bytes.HasPrefix(b, magic) || binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:headerBytes], castagnoli) {
		return h, false
	}
	h.sum = binary.LittleEndian.Uint32(b[8:])
	h.ops = binary.LittleEndian.Uint32(b[12:])
	h.epoch = binary.LittleEndian.Uint64(b[16:])
	h.length = int64(binary.LittleEndian.Uint64(b[24:]))
	return h, h.length >= 0
}

func appendOp(b []byte, o Op) []byte {
	b = binary.AppendUvarint(b, uint64(len(o.Key)))
	if o.Stored == nil {
		return append(binary.AppendUvarint(b, 0), o.Key...)
	}
	b = binary.AppendUvarint(b, uint64(len(o.Stored))+1)
	return append(append(b, o.Key...), o.Stored...)
}

var errBlock = errors.New("a block does not hold what was written")

// parseOp reads the write that raw has at a place, and returns where the next one begins.
// Key and Stored share its memory.
func parseOp(raw []byte, at int) (o Op, next int, err error) {
	if at > len(raw) {
		return o, 0, errBlock
	}
	keyLen, n := binary.Uvarint(raw[at:])
	if n <= 0 || keyLen > uint64(len(raw)) {
		return o, 0, errBlock
	}
	at += n
	size, n := binary.Uvarint(raw[at:])
	if n <= 0 || size > uint64(len(raw)) {
		return o, 0, errBlock
	}
	at += n
	key, end := at+int(keyLen), at+int(keyLen)+int(max(size, 1)-1)
	if end > len(raw) {
		return o, 0, errBlock
	}
	o.Key = raw[at:key:key]
	if size > 0 {
		o.Stored = raw[key:end:end]
	}
	return o, end, nil
}

// compress appends a block, with its length, to b, encrypted where there is a cipher: then it
// opens nowhere but where it is.
func compress(b, raw []byte, aead cipher.AEAD, where []byte) []byte {
	before, after := sealBytes(aead)
	at, need := len(b), lengthBytes+before+s2.MaxEncodedLen(len(raw))+after
	if cap(b)-at < need {
		b = append(make([]byte, 0, 2*cap(b)+need), b...)
	}
	block := b[at+lengthBytes : at+need]
	n := before + len(s2.Encode(block[before:need-lengthBytes-after], raw)) + after
	if aead != nil {
		nonce, text := block[:before], block[before:n-after]
		rand.Read(nonce) // it never fails
		aead.Seal(text[:0], nonce, text, where)
	}
	binary.LittleEndian.PutUint32(b[at:at+lengthBytes], uint32(n))
	return b[:at+lengthBytes+n]
}

// sealBytes is what encryption adds to a block: the nonce before it, the tag behind it.
func sealBytes(aead cipher.AEAD) (before, after int) {
	if aead == nil {
		return 0, 0
	}
	return aead.NonceSize(), aead.Overhead()
}

// unseal opens a block in its memory.
func unseal(block []byte, aead cipher.AEAD, where []byte) ([]byte, error) {
	if aead == nil {
		return block, nil
	}
	n := aead.NonceSize()
	if len(block) < n {
		return nil, errBlock
	}
	text, err := aead.Open(block[n:n], block[:n], block[n:], where)
	if err != nil {
		return nil, errBlock
	}
	return text, nil
}

// decompress fills into, whose memory it uses, with what a block holds. A block that is
// encrypted is opened in its memory.
func decompress(into, block []byte, aead cipher.AEAD, where []byte) ([]byte, error) {
	block, err := unseal(block, aead, where)
	if err != nil {
		return into, err
	}
	n, err := s2.DecodedLen(block)
	if err != nil {
		return into, errBlock
	}
	if cap(into) < n {
		into = make([]byte, n+n/8)
	}
	if _, err = s2.Decode(into[:n], block); err != nil {
		return into, errBlock
	}
	return into[:n], nil
}
