package index

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"unsafe"
)

// texts finds the bucket of a text: open addressing with linear probing. The seeds are of
// this process; nothing that is found depends on them.
type texts struct {
	seed   maphash.Seed
	mixer  uint64      // odd
	places []textPlace // a power of two
	keys   []textKey
}

// textKey is a text with its words: those of a short one tell it from others of its length.
type textKey struct {
	x, y uint64
	text string
}

// textPlace is one place of the table; key is the number of the text + 1, 0 where empty.
type textPlace struct {
	hash uint32
	key  int32
}

func newTexts() *texts {
	t := &texts{seed: maphash.MakeSeed(), places: make([]textPlace, 8)}
	t.mixer = maphash.String(t.seed, "mixer") | 1
	return t
}

// shortText is the length up to which the words of a text are all of it.
const shortText = 16

// hash mixes the words of a short text, which is quicker than to hash it well; the length
// is in it, since words of one text overlap. It also returns the words.
func (t *texts) hash(s string) (hash uint32, x, y uint64) {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	switch n := len(b); {
	case n > shortText:
		return uint32(maphash.String(t.seed, s)), 0, 0
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		x = uint64(b[0])<<16 | uint64(b[n/2])<<8 | uint64(b[n-1])
	}
	hi, lo := bits.Mul64(x^t.mixer, bits.RotateLeft64(y, 32)+uint64(len(s))+t.mixer)
	return uint32(hi ^ lo ^ lo>>32), x, y
}

// is reports whether a text, whose words are given, is that of the key.
func (k *textKey) is(s string, x, y uint64) bool {
	return k.x == x && k.y == y && len(k.text) == len(s) && (len(s) <= shortText || k.text == s)
}

// find returns the number of a text, -1 where it has none.
func (t *texts) find(s string) int32 {
	h, x, y := t.hash(s)
	mask := uint32(len(t.places) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		p := &t.places[i]
		if p.key == 0 {
			return -1
		}
		if p.hash == h && t.keys[p.key-1].is(s, x, y) {
			return p.key - 1
		}
	}
}

// add returns the number of a text, giving it one if it has none.
func (t *texts) add(s string) int32 {
	if n := t.find(s); n >= 0 {
		return n
	}
	_, x, y := t.hash(s)
	t.keys = append(t.keys, textKey{x, y, s})
	if 2*len(t.keys) > len(t.places) {
		t.places = make([]textPlace, 2*len(t.places))
		for n := range t.keys {
			t.insert(int32(n))
		}
	} else {
		t.insert(int32(len(t.keys) - 1))
	}
	return int32(len(t.keys) - 1)
}

func (t *texts) insert(n int32) {
	h, _, _ := t.hash(t.keys[n].text)
	mask := uint32(len(t.places) - 1)
	i := h & mask
	for t.places[i].key != 0 {
		i = (i + 1) & mask
	}
	t.places[i] = textPlace{hash: h, key: n + 1}
}
