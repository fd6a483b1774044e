package index

import "hash/maphash"

// texts finds the bucket of a text: open addressing with linear probing. The seed is of
// this process; nothing that is found depends on it.
type texts struct {
	seed   maphash.Seed
	places []textPlace // a power of two
	keys   []string
}

// textPlace is one place of the table; key is the number of the text + 1, 0 where empty.
type textPlace struct {
	hash uint32
	key  int32
}

func newTexts() *texts { return &texts{seed: maphash.MakeSeed(), places: make([]textPlace, 8)} }

// find returns the number of a text, -1 where it has none.
func (t *texts) find(s string) int32 {
	h := uint32(maphash.String(t.seed, s))
	mask := uint32(len(t.places) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		p := &t.places[i]
		if p.key == 0 {
			return -1
		}
		if p.hash == h && t.keys[p.key-1] == s {
			return p.key - 1
		}
	}
}

// add returns the number of a text, giving it one if it has none.
func (t *texts) add(s string) int32 {
	if n := t.find(s); n >= 0 {
		return n
	}
	t.keys = append(t.keys, s)
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
	h := uint32(maphash.String(t.seed, t.keys[n]))
	mask := uint32(len(t.places) - 1)
	i := h & mask
	for t.places[i].key != 0 {
		i = (i + 1) & mask
	}
	t.places[i] = textPlace{hash: h, key: n + 1}
}
