package engine

import (
	"bytes"

	"github.com/cepheus-cep/cepheus/engine/keep"
)

// keyTable gives the keys of one rule in one shard dense numbers, to index slabs of
// state with: open addressing with linear probing over 8-byte hashes, the keys' bytes
// in blobs. The number of a removed key is used again.
type keyTable struct {
	places []place // a power of two, or none
	keys   []keyEntry
	free   []int32
	blobs  keep.Blobs
	n      int
}

// place is one place of the hash table; id is the key's number + 1, 0 where empty.
type place struct {
	hash uint64
	id   int32
}

type keyEntry struct {
	hash uint64
	blob keep.Blob
	size int32 // -1: no key has the number
}

// len is the number of keys.
func (t *keyTable) len() int { return t.n }

// find returns the number of a key, -1 where the table has it not.
func (t *keyTable) find(hash uint64, key []byte) int32 {
	if t.n == 0 {
		return -1
	}
	mask := uint64(len(t.places) - 1)
	for i := mix(hash) & mask; ; i = (i + 1) & mask {
		p := &t.places[i]
		if p.id == 0 {
			return -1
		}
		if p.hash == hash && bytes.Equal(t.key(p.id-1), key) {
			return p.id - 1
		}
	}
}

// mix spreads a hash whose low bits have chosen the shard.
func mix(hash uint64) uint64 { return hash >> 8 }

// key returns a key's bytes, valid until it is removed.
func (t *keyTable) key(id int32) []byte {
	k := &t.keys[id]
	return t.blobs.GetBytes(k.blob, int(k.size))
}

// add gives a key that is not there a number.
func (t *keyTable) add(hash uint64, key []byte) int32 {
	if 4*(t.n+1) > 3*len(t.places) {
		t.grow()
	}
	id := int32(len(t.keys))
	if last := len(t.free) - 1; last >= 0 {
		id, t.free = t.free[last], t.free[:last]
	} else {
		t.keys = append(t.keys, keyEntry{})
	}
	t.keys[id] = keyEntry{hash: hash, blob: t.blobs.PutBytes(key), size: int32(len(key))}
	t.insert(hash, id)
	t.n++
	return id
}

func (t *keyTable) insert(hash uint64, id int32) {
	mask := uint64(len(t.places) - 1)
	i := mix(hash) & mask
	for t.places[i].id != 0 {
		i = (i + 1) & mask
	}
	t.places[i] = place{hash: hash, id: id + 1}
}

func (t *keyTable) grow() {
	t.places = make([]place, max(8, 2*len(t.places)))
	for id := range t.keys {
		if k := &t.keys[id]; k.size >= 0 {
			t.insert(k.hash, int32(id))
		}
	}
}

// remove takes a key out. Places after it move up, so that no marks are left.
func (t *keyTable) remove(id int32) {
	k := &t.keys[id]
	mask := uint64(len(t.places) - 1)
	i := mix(k.hash) & mask
	for t.places[i].id != id+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.places[j].id != 0; j = (j + 1) & mask {
		if home := mix(t.places[j].hash) & mask; (j-home)&mask >= (j-i)&mask {
			t.places[i] = t.places[j]
			i = j
		}
	}
	t.places[i] = place{}
	t.blobs.Free(k.blob)
	*k = keyEntry{size: -1}
	t.free = append(t.free, id)
	t.n--
}
