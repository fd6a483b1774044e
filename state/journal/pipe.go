package journal

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"runtime"
)

// pipe decodes what an opening reads on all cores, and gives the writes to visit in their
// order. The reader sends it pieces; nothing of a record is sent before its checksum was
// verified.
type pipe struct {
	hasher *Hasher     // nil: hashes are not wanted
	aead   cipher.AEAD // nil: blocks are not encrypted
	visit  func(Op, Hash, Place) error
	work   chan *piece // to be decoded
	order  chan *piece // to be visited, each when it is done
	spare  chan *piece // to be used again
	ended  chan error
	ops    uint32 // of the record at hand, visited so far
	failed error  // of a visit, or damage; nothing is visited after it
}

// piece is some whole blocks of a record, one after the other.
type piece struct {
	segment *segment
	at      int64  // of the first block in the file
	blocks  []byte // as they are there
	raw     []byte
	where   []byte // the block at hand
	ops     []placed
	err     error
	done    chan struct{}
	record  *header // the record that ends with it; nil: none does
	begin   int64   // of that record
}

// placed is a write with its place; its bytes are those of its piece.
type placed struct {
	op    Op
	hash  Hash
	place Place
}

// pieceBytes is how much of a record is decoded at once, or a block where that is longer.
const pieceBytes = 256 << 10

func newPipe(hasher *Hasher, aead cipher.AEAD, visit func(Op, Hash, Place) error) *pipe {
	n := runtime.GOMAXPROCS(0)
	p := &pipe{hasher: hasher, aead: aead, visit: visit, work: make(chan *piece, n), order: make(chan *piece, n), spare: make(chan *piece, 2*n+2), ended: make(chan error, 1)}
	for range n {
		go func() {
			for c := range p.work {
				c.decode(p.hasher, p.aead)
				c.done <- struct{}{}
			}
		}()
	}
	go func() {
		for c := range p.order {
			<-c.done
			p.take(c)
		}
		p.ended <- p.failed
	}()
	return p
}

// fresh is a piece to be filled and sent.
func (p *pipe) fresh() *piece {
	select {
	case c := <-p.spare:
		*c = piece{blocks: c.blocks[:0], raw: c.raw[:0], where: c.where, ops: c.ops[:0], done: c.done}
		return c
	default:
		return &piece{done: make(chan struct{}, 1)}
	}
}

func (p *pipe) send(c *piece) {
	p.order <- c
	p.work <- c
}

// close waits until all that was sent was visited, and returns the first error in the order
// of the journal.
func (p *pipe) close() error {
	close(p.work)
	close(p.order)
	return <-p.ended
}

// take visits what a piece holds.
func (p *pipe) take(c *piece) {
	if p.failed == nil {
		p.failed = p.visitAll(c)
	}
	select {
	case p.spare <- c:
	default:
	}
}

func (p *pipe) visitAll(c *piece) error {
	for i := range c.ops {
		w := &c.ops[i]
		if err := p.visit(w.op, w.hash, w.place); err != nil {
			return err
		}
	}
	p.ops += uint32(len(c.ops))
	switch h := c.record; {
	case c.err != nil:
		return c.err
	case h == nil:
		return nil
	case p.ops != h.ops:
		return &Damage{c.segment.name(), c.begin, fmt.Sprintf("epoch %d holds %d writes of %d", h.epoch, p.ops, h.ops)}
	}
	p.ops = 0
	return nil
}

// decode finds the writes in the blocks.
func (c *piece) decode(hasher *Hasher, aead cipher.AEAD) {
	for i := 0; i < len(c.blocks); {
		length := lengthBytes + blockLength(c.blocks[i:])
		if err := c.block(c.at+int64(i), c.blocks[i+lengthBytes:i+length], hasher, aead); err != nil {
			c.err = &Damage{c.segment.name(), c.at + int64(i), err.Error()}
			return
		}
		i += length
	}
}

// block finds the writes in a block, which lies at an offset in the file.
func (c *piece) block(at int64, block []byte, hasher *Hasher, aead cipher.AEAD) error {
	c.where = c.segment.where(c.where, at)
	raw, err := c.decompress(block, aead)
	if err != nil {
		return err
	}
	for i := 0; i < len(raw); {
		o, next, err := parseOp(raw, i)
		if err != nil || i >= mostInside {
			return errBlock
		}
		w := placed{op: o, place: newPlace(c.segment.base+uint64(at), i, o.Stored == nil)}
		if hasher != nil {
			w.hash = hasher.Of(o.Key)
		}
		c.ops = append(c.ops, w)
		i = next
	}
	return nil
}

// decompress returns what a block holds, in memory that the piece keeps.
func (c *piece) decompress(block []byte, aead cipher.AEAD) ([]byte, error) {
	free := c.raw[len(c.raw):]
	raw, err := decompress(free, block, aead, c.where)
	switch {
	case err != nil:
		return nil, err
	case cap(free) >= len(raw):
		c.raw = c.raw[:len(c.raw)+len(raw)]
	default:
		c.raw = make([]byte, 0, 4*pieceBytes) // what is full is kept by what was decoded
	}
	return raw, nil
}

// fill reads whole blocks, from where the piece begins up to the end of its record, as many
// as a piece has.
func (c *piece) fill(end int64) error {
	left := end - c.at
	if err := c.read(min(left, pieceBytes)); err != nil {
		return err
	}
	n := wholeBlocks(c.blocks)
	if n == 0 && left > 0 {
		if left < lengthBytes || lengthBytes+int64(blockLength(c.blocks)) > left {
			return &Damage{c.segment.name(), c.at, errBlock.Error()}
		}
		n = lengthBytes + blockLength(c.blocks)
		if err := c.read(int64(n)); err != nil {
			return err
		}
	}
	c.blocks = c.blocks[:n]
	return nil
}

func (c *piece) read(n int64) error {
	if int64(cap(c.blocks)) < n {
		c.blocks = make([]byte, n)
	}
	c.blocks = c.blocks[:n]
	_, err := c.segment.file.ReadAt(c.blocks, c.at)
	return err
}

// wholeBlocks is how many bytes of b are blocks that end in it.
func wholeBlocks(b []byte) (n int) {
	for len(b)-n >= lengthBytes && blockLength(b[n:]) <= len(b)-n-lengthBytes {
		n += lengthBytes + blockLength(b[n:])
	}
	return n
}

// blockLength is the length of the block that b begins with, without its own bytes.
func blockLength(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }
