package engine

import (
	"encoding/binary"
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// keyTable gives the keys of one rule in one shard dense numbers, and each a value: open
// addressing with linear probing over the hashes, with the keys' bytes beside their values
// where they are short, else in blobs. The number of a removed key is used again. What a
// key takes does not move when others come.
type keyTable[V any] struct {
	places []place // a power of two, or none
	keys   pages[keyEntry[V]]
	free   []int32
	long   *keep.Blobs // of keys that are not short; several tables may share it
	n      int
}

// place is one place of the hash table: the upper half of a key's hash, and its number
// + 1, 0 where the place is empty.
type place struct {
	tag uint32
	id  int32
}

// shortKey is how many bytes a key may have to stand in its entry.
const shortKey = 20

type keyEntry[V any] struct {
	size  int32 // -1: no key has the number
	short [shortKey]byte
	value V // zero where the key is new
	hash  uint64
	_     [8]byte // fills lines of the cache, where the value is of a window
}

// pages is a slab of values by number, which never move: each page is twice as long as the
// one before, up to a length, so that few keys take little room, and many no copying, nor
// much more than they need.
type pages[T any] struct {
	list [][]T
	n    int32
}

// The lengths of the first page and of those from longPages on, powers of two, and the
// number, and firstPage, that these begin with.
const (
	firstPage = 4
	longShift = 15
	longPages = longShift - 2
	longFrom  = 1 << longShift
)

// place is the page of a number, and where it stands there.
func (p *pages[T]) place(i int32) (page int, at uint32) {
	n := uint32(i) + firstPage
	if n >= longFrom {
		return longPages - 1 + int(n>>longShift), n & (longFrom - 1)
	}
	page = bits.Len32(n / firstPage)
	return page - 1, n - firstPage<<(page-1)
}

func (p *pages[T]) at(i int32) *T {
	page, at := p.place(i)
	return &p.list[page][at]
}

// add makes room for one more value.
func (p *pages[T]) add() int32 {
	if page, _ := p.place(p.n); page == len(p.list) {
		p.list = append(p.list, make([]T, firstPage<<min(page, longPages)))
	}
	p.n++
	return p.n - 1
}

// room is how many values there is memory for.
func (p *pages[T]) room() (n int64) {
	for _, page := range p.list {
		n += int64(len(page))
	}
	return n
}

// len is the number of keys.
func (t *keyTable[V]) len() int { return t.n }

// find returns the number of a key and its entry, -1 where the table has it not.
func (t *keyTable[V]) find(hash uint64, key []byte) (int32, *keyEntry[V]) {
	if t.n == 0 {
		return -1, nil
	}
	mask := uint64(len(t.places) - 1)
	tag := uint32(hash >> 32)
	for i := mix(hash) & mask; ; i = (i + 1) & mask {
		p := t.places[i]
		if p.id == 0 {
			return -1, nil
		}
		if p.tag != tag {
			continue
		}
		if k := t.keys.at(p.id - 1); int(k.size) == len(key) && t.same(k, key) {
			return p.id - 1, k
		}
	}
}

// findText is find of the key that is one text, of which [event.TextKeyHash] knows the hash:
// the key itself need not be made.
func (t *keyTable[V]) findText(hash uint64, text []byte) (int32, *keyEntry[V]) {
	id := t.candidate(hash)
	if id < 0 {
		return -1, nil
	}
	if k := t.keys.at(id); isTextKey(k.size, &k.short, text) {
		return id, k
	}
	return t.find(hash, event.AppendTextKey(make([]byte, 0, 64), text))
}

// candidate is the number of the first key that may have a hash: where it is -1 there is
// none that has, and else hardly ever another.
func (t *keyTable[V]) candidate(hash uint64) int32 {
	places := t.places
	if len(places) == 0 {
		return -1
	}
	for i := mix(hash); ; i++ {
		p := places[i&uint64(len(places)-1)]
		if p.tag == uint32(hash>>32) || p.id == 0 {
			return p.id - 1
		}
	}
}

// isTextKey reports whether a key, which stands in its entry, is that of one text; false
// also where one of them is long.
func isTextKey(size int32, key *[shortKey]byte, text []byte) bool {
	first, last, at := event.TextKeyWords(text)
	return int(size) == len(text)+textAround && uint(at) <= shortKey-8 &&
		binary.LittleEndian.Uint64(key[:]) == first && binary.LittleEndian.Uint64(key[at:]) == last
}

// textAround is how many bytes a key of one text has beside the text.
const textAround = 3

// same reports whether a key is that of an entry, whose size is that of the key.
func (t *keyTable[V]) same(k *keyEntry[V], key []byte) bool {
	n := len(key)
	switch {
	case n > shortKey:
		return string(t.long.GetBytes(k.blob(), n)) == string(key)
	case n < 8:
		return string(k.short[:n]) == string(key)
	case n > 16 && binary.LittleEndian.Uint64(k.short[8:]) != binary.LittleEndian.Uint64(key[8:]):
		return false
	}
	return binary.LittleEndian.Uint64(k.short[:]) == binary.LittleEndian.Uint64(key) &&
		binary.LittleEndian.Uint64(k.short[n-8:]) == binary.LittleEndian.Uint64(key[n-8:])
}

// mix spreads a hash whose low bits have chosen the shard.
func mix(hash uint64) uint64 { return hash >> 8 }

// at is the value of a key.
func (t *keyTable[V]) at(id int32) *V { return &t.keys.at(id).value }

// isKey reports whether a key has the number.
func (t *keyTable[V]) isKey(id int32) bool { return t.keys.at(id).size >= 0 }

// key returns a key's bytes, valid until it is removed.
func (t *keyTable[V]) key(id int32) []byte { return t.bytes(t.keys.at(id)) }

// bytes are the bytes of an entry's key.
func (t *keyTable[V]) bytes(k *keyEntry[V]) []byte {
	if k.size <= shortKey {
		return k.short[:k.size:k.size]
	}
	return t.long.GetBytes(k.blob(), int(k.size))
}

// blob is where the bytes of a key that is not short are.
func (k *keyEntry[V]) blob() keep.Blob { return keep.Blob(binary.LittleEndian.Uint64(k.short[:])) }

// add gives a key that is not there a number.
func (t *keyTable[V]) add(hash uint64, key []byte) int32 {
	if t.n >= mostIn(len(t.places)) {
		t.grow()
	}
	id := t.number()
	k := t.keys.at(id)
	k.hash, k.size = hash, int32(len(key))
	if len(key) <= shortKey {
		copy(k.short[:], key)
	} else {
		t.keepLong(k, key)
	}
	t.insert(hash, id)
	t.n++
	return id
}

// number is one that no key has.
func (t *keyTable[V]) number() int32 {
	last := len(t.free) - 1
	if last < 0 {
		return t.keys.add()
	}
	id := t.free[last]
	t.free = t.free[:last]
	return id
}

func (t *keyTable[V]) keepLong(k *keyEntry[V], key []byte) {
	if t.long == nil {
		t.long = &keep.Blobs{}
	}
	binary.LittleEndian.PutUint64(k.short[:], uint64(t.long.PutBytes(key)))
}

func (t *keyTable[V]) insert(hash uint64, id int32) {
	mask := uint64(len(t.places) - 1)
	i := mix(hash) & mask
	for t.places[i].id != 0 {
		i = (i + 1) & mask
	}
	t.places[i] = place{tag: uint32(hash >> 32), id: id + 1}
}

// mostIn is how many keys so many places may have. Where a table is small, being half empty
// costs little, and the first place that is looked at is mostly the right one, or empty.
func mostIn(places int) int {
	if places <= smallTable {
		return places / 2
	}
	return places / 4 * 3
}

// smallTable is how many places a table has, at most, that is to be half empty: a MiB.
const smallTable = 1 << 17

func (t *keyTable[V]) grow() {
	t.places = make([]place, max(8, 2*len(t.places)))
	for id := range t.keys.n {
		if k := t.keys.at(id); k.size >= 0 {
			t.insert(k.hash, id)
		}
	}
}

// remove takes a key out. Places after it move up, so that no marks are left.
func (t *keyTable[V]) remove(id int32) {
	k := t.keys.at(id)
	mask := uint64(len(t.places) - 1)
	i := mix(k.hash) & mask
	for t.places[i].id != id+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.places[j].id != 0; j = (j + 1) & mask {
		if home := mix(t.keys.at(t.places[j].id-1).hash) & mask; (j-home)&mask >= (j-i)&mask {
			t.places[i] = t.places[j]
			i = j
		}
	}
	t.places[i] = place{}
	if k.size > shortKey {
		t.long.Free(k.blob())
	}
	*k = keyEntry[V]{size: -1}
	t.free = append(t.free, id)
	t.n--
}
