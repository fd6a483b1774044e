package journal

import "hash/maphash"

// Hash stands for a key: 128 bits, which no two keys of a store have in common.
type Hash struct{ a, b uint64 }

// Hasher makes hashes that are the same for all indexes that are to be compared.
type Hasher struct{ a, b maphash.Seed }

// NewHasher returns a hasher with seeds of its own, which no maker of keys can know.
func NewHasher() Hasher { return Hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

// Of returns the hash of a key.
func (h Hasher) Of(key []byte) Hash {
	return Hash{maphash.Bytes(h.a, key), maphash.Bytes(h.b, key)}
}

// Index maps keys, by their hashes, to places. It keeps no keys: an entry takes 24 bytes.
// The zero Index is empty and ready. It only grows, and is not safe for several goroutines
// of which one writes.
type Index struct {
	slots []entry // open addressing; a power of two, at most three quarters in use
	n     int
}

type entry struct {
	hash  Hash
	place Place // 0: free
}

// Len returns the number of keys.
func (x *Index) Len() int { return x.n }

// Bytes returns the memory it takes.
func (x *Index) Bytes() int { return len(x.slots) * 24 }

// Set enters a place, over an earlier one.
func (x *Index) Set(h Hash, p Place) {
	if x.n*4 >= len(x.slots)*3 {
		x.grow()
	}
	e := &x.slots[x.find(h)]
	if e.place == 0 {
		x.n++
	}
	*e = entry{h, p}
}

// Get returns the place of a key; false where it is not known.
func (x *Index) Get(h Hash) (Place, bool) {
	if x.n == 0 {
		return 0, false
	}
	p := x.slots[x.find(h)].place
	return p, p != 0
}

// find returns the slot of h, or the free one where it belongs.
func (x *Index) find(h Hash) int {
	mask := len(x.slots) - 1
	i := int(h.a) & mask
	for x.slots[i].place != 0 && x.slots[i].hash != h {
		i = (i + 1) & mask
	}
	return i
}

func (x *Index) grow() {
	old := x.slots
	x.slots = make([]entry, max(1024, 2*len(old)))
	for _, e := range old {
		if e.place != 0 {
			x.slots[x.find(e.hash)] = e
		}
	}
}

// Some calls visit with up to n keys from the cursor at on, and returns where to go on, 0
// at the end. The order is of no meaning.
func (x *Index) Some(at, n int, visit func(Hash, Place)) (next int) {
	for ; at < len(x.slots); at++ {
		if e := &x.slots[at]; e.place != 0 {
			if n--; n < 0 {
				return at
			}
			visit(e.hash, e.place)
		}
	}
	return 0
}
