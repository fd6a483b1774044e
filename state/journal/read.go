package journal

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sort"
	"sync"
)

// Damage is what was found in a file of a journal that no crash leaves behind.
type Damage struct {
	File   string // its name
	Offset int64  // bytes
	Reason string
}

// Error names the file, the place and the reason.
func (d *Damage) Error() string {
	return fmt.Sprintf("journal/%s at byte %d: %s", d.File, d.Offset, d.Reason)
}

// Read appends what key has at a place, which is no removal, to into. An error that is a
// *Damage says that something else lies there.
func (j *Journal) Read(p Place, key, into []byte) ([]byte, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	slot := j.cache.of(p.block())
	slot.mu.Lock()
	defer slot.mu.Unlock()
	s := j.at(p.block())
	o, err := slot.op(s, p, j.opt.AEAD)
	if err == nil && (o.Stored == nil || !bytes.Equal(o.Key, key)) {
		err = errBlock
	}
	if err != nil {
		return into, s.damage(p, err)
	}
	return append(into, o.Stored...), nil
}

// damage says where a block is that does not hold what was written.
func (s *segment) damage(p Place, err error) error {
	if err == errBlock { //nolint:errorlint // our own, never wrapped
		return &Damage{File: s.name(), Offset: int64(p.block() - s.base), Reason: err.Error()}
	}
	return err
}

// Walker reads writes one after the other, best in the order of their places: it keeps the
// block it has read last. It holds no lock while its caller looks at a write, so that this
// may wait for others who read the journal, or append to it. It is for one goroutine.
type Walker struct {
	journal *Journal
	block   cacheSlot
}

// Walk returns a walker, before whose last use no segment that it is asked for may be
// removed, nor the journal be closed.
func (j *Journal) Walk() *Walker { return &Walker{journal: j} }

// View returns the write at a place; its bytes are valid until the next call.
func (w *Walker) View(p Place) (Op, error) {
	w.journal.mu.RLock()
	s := w.journal.at(p.block())
	w.journal.mu.RUnlock()
	o, err := w.block.op(s, p, w.journal.opt.AEAD)
	if err != nil {
		err = s.damage(p, err)
	}
	return o, err
}

// op reads the write at a place of s.
func (c *cacheSlot) op(s *segment, p Place, aead cipher.AEAD) (o Op, err error) {
	if err = c.load(s, p.block(), aead); err == nil {
		o, _, err = parseOp(c.raw, p.at())
	}
	return o, err
}

// at returns the segment that covers a position.
func (j *Journal) at(position uint64) *segment {
	return j.segments[sort.Search(len(j.segments), func(i int) bool { return j.segments[i].base > position })-1]
}

// cache holds the blocks read last, each where its position falls.
type cache [16]cacheSlot

type cacheSlot struct {
	mu       sync.Mutex
	position uint64
	raw      []byte // what is in it
	file     []byte // what it is read into
	where    []byte
}

// keepBlock is how long a block may be whose memory is kept.
const keepBlock = 8 * blockBytes

func (c *cache) of(position uint64) *cacheSlot {
	return &c[position*0x9e3779b97f4a7c15>>60]
}

// load fills the slot with the block at a position of s.
func (c *cacheSlot) load(s *segment, position uint64, aead cipher.AEAD) error {
	if c.position == position {
		return nil
	}
	c.position = 0
	if cap(c.raw) > keepBlock {
		c.raw = nil
	}
	if c.file == nil {
		c.file = make([]byte, usualBlock)
	}
	block, err := s.block(c.file, int64(position-s.base))
	if err != nil {
		return err
	}
	c.where = s.where(c.where, int64(position-s.base))
	if c.raw, err = decompress(c.raw, block, aead, c.where); err == nil {
		c.position = position
	}
	return err
}

// usualBlock is what a block takes in the file, or more.
const usualBlock = lengthBytes + blockBytes + blockBytes/4 + mostSeal

// mostSeal is about what a nonce and a tag take.
const mostSeal = 64

// block reads the block at an offset, without its length, into the memory of buf, or into
// new memory where that is too short.
func (s *segment) block(buf []byte, at int64) ([]byte, error) {
	n, err := s.file.ReadAt(buf, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if n < lengthBytes {
		return nil, errBlock
	}
	length := int(binary.LittleEndian.Uint32(buf))
	if n >= lengthBytes+length {
		return buf[lengthBytes : lengthBytes+length], nil
	}
	return s.longBlock(at+lengthBytes, length)
}

func (s *segment) longBlock(at int64, length int) ([]byte, error) {
	info, err := s.file.Stat()
	if err != nil {
		return nil, err
	}
	if int64(length) > info.Size()-at {
		return nil, errBlock
	}
	b := make([]byte, length)
	_, err = s.file.ReadAt(b, at)
	return b, err
}
