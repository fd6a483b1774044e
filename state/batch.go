package state

import (
	"bytes"
	"hash/maphash"
)

// Batch collects the writes of one epoch: at most one a key, the last wins. The zero
// Batch is empty and ready. A batch is not safe for several goroutines; a store keeps
// nothing of it after Commit has returned.
//
// Records lie in an arena as they go to disk (table, key, frame, value), so that a
// commit copies nothing. Where a key is written again its earlier record stays in the
// arena unused until Reset.
type Batch struct {
	arena  []byte
	joined []*Batch
	ops    []op
	slots  []int32 // open addressing over ops that may be written again: index+1, 0 is free; a power of two
	held   int     // how many these are
	seed   maphash.Seed
	bytes  int // of the live records
}

// op is one write: key at off, then, unless deleted, frame and value.
type op struct {
	off, keyLen, size int // size: of key, frame and value together
	deleted           bool
	in                int32 // 0: off is in the batch's own arena, n: in that of the nth that it was joined to
}

// keepArena is how much memory a Reset batch holds on to in any case, in bytes; more only
// where the epoch has used a quarter of it.
const keepArena = 16 << 20

// Put writes a copy of value under a copy of key.
func (b *Batch) Put(t Table, key, value []byte) {
	off := b.key(t, key)
	full := b.arena[off:]
	b.arena = appendFrame(b.arena, full, value)
	b.set(op{off: off, keyLen: len(full), size: len(b.arena) - off})
}

// Add is Put of a key that the batch does not hold, and that is not written again before
// Reset; it costs less.
func (b *Batch) Add(t Table, key, value []byte) {
	off := b.key(t, key)
	full := b.arena[off:]
	b.arena = appendFrame(b.arena, full, value)
	b.enter(op{off: off, keyLen: len(full), size: len(b.arena) - off})
}

// AddDelete is Delete of such a key.
func (b *Batch) AddDelete(t Table, key []byte) {
	off := b.key(t, key)
	n := len(b.arena) - off
	b.enter(op{off: off, keyLen: n, size: n, deleted: true})
}

func (b *Batch) enter(o op) {
	b.bytes += o.size
	b.ops = append(b.ops, o)
}

// putStored writes frame and value under a full key, or deletes it where stored is nil.
func (b *Batch) putStored(full, stored []byte) {
	off := len(b.arena)
	b.arena = append(append(b.arena, full...), stored...)
	b.set(op{off: off, keyLen: len(full), size: len(b.arena) - off, deleted: stored == nil})
}

// Delete removes key, whether it is there or not.
func (b *Batch) Delete(t Table, key []byte) {
	off := b.key(t, key)
	n := len(b.arena) - off
	b.set(op{off: off, keyLen: n, size: n, deleted: true})
}

// Reset empties the batch and keeps a bounded part of its memory.
func (b *Batch) Reset() {
	if cap(b.arena) > max(keepArena, 4*len(b.arena)) {
		*b = Batch{}
		return
	}
	b.arena, b.ops, b.bytes, b.held = b.arena[:0], b.ops[:0], 0, 0
	clear(b.slots)
	clear(b.joined)
	b.joined = b.joined[:0]
}

// Len returns the number of keys written.
func (b *Batch) Len() int { return len(b.ops) }

// Bytes returns the size of the writes as they go to the store, in bytes: keys, values
// and frames, without what the store adds.
func (b *Batch) Bytes() int { return b.bytes }

// Join adds the writes of another batch, to which none was joined, and none of whose keys b may
// hold, or be given before Reset. Until then the other must not change: its records are not
// copied.
func (b *Batch) Join(other *Batch) {
	b.joined = append(b.joined, other)
	for _, o := range other.ops {
		o.in = int32(len(b.joined))
		b.ops = append(b.ops, o)
	}
	b.bytes += other.bytes
}

func (b *Batch) key(t Table, key []byte) int {
	off := len(b.arena)
	b.arena = append(append(b.arena, byte(t)), key...)
	return off
}

// set enters o, over an earlier write of its key if there is one.
func (b *Batch) set(o op) {
	b.rehash()
	slot := b.find(b.fullKey(&o))
	b.bytes += o.size
	if i := b.slots[slot]; i != 0 {
		b.replace(&b.ops[i-1], o)
		return
	}
	b.ops = append(b.ops, o)
	b.slots[slot] = int32(len(b.ops))
	b.held++
}

// replace puts o in the place of an earlier write, also in the arena where that is as long.
func (b *Batch) replace(was *op, o op) {
	b.bytes -= was.size
	if o.size == was.size && o.off+o.size == len(b.arena) {
		copy(b.arena[was.off:], b.arena[o.off:])
		b.arena, o.off = b.arena[:o.off], was.off
	}
	*was = o
}

// find returns the slot of key, or the free one where it belongs.
func (b *Batch) find(key []byte) int {
	mask := len(b.slots) - 1
	slot := int(maphash.Bytes(b.seed, key)) & mask
	for b.slots[slot] != 0 && !bytes.Equal(b.fullKey(&b.ops[b.slots[slot]-1]), key) {
		slot = (slot + 1) & mask
	}
	return slot
}

// rehash makes the slots enough for one more write, and finds all again if they were not.
func (b *Batch) rehash() {
	size := max(64, len(b.slots))
	for b.held*4 >= size*3 {
		size *= 2
	}
	if size == len(b.slots) {
		return
	}
	if b.slots == nil {
		b.seed = maphash.MakeSeed()
	}
	old := b.slots
	b.slots = make([]int32, size)
	for _, i := range old {
		if i != 0 {
			b.slots[b.find(b.fullKey(&b.ops[i-1]))] = i
		}
	}
}

// fullKey is table and key, stored the frame with the value, nil where deleted.
func (b *Batch) fullKey(o *op) []byte { return b.record(o)[:o.keyLen:o.keyLen] }

// record is all of a write: table, key, frame and value.
func (b *Batch) record(o *op) []byte {
	arena := b.arena
	if o.in > 0 {
		arena = b.joined[o.in-1].arena
	}
	return arena[o.off : o.off+o.size : o.off+o.size]
}

func (b *Batch) stored(o *op) []byte {
	if o.deleted {
		return nil
	}
	return b.record(o)[o.keyLen:]
}

func (b *Batch) table(o *op) Table { return Table(b.record(o)[0]) }

func (b *Batch) value(o *op) []byte {
	if o.deleted {
		return nil
	}
	return b.stored(o)[frameSize:]
}
