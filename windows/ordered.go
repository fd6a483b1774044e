package windows

import (
	"slices"
	"sort"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// ordered is a multiset of keys that tells the k-th smallest: sorted blocks, with
// their least keys in one array and a Fenwick tree over their lengths. Finding a
// block, moving within it and selecting take O(log n); a block splits or merges once
// in some hundred changes, and then the arrays over n/blockMax blocks are rewritten.
type ordered struct {
	blocks [][]uint64 // none empty, at most blockMax long, sorted within and between
	least  []uint64   // blocks[i][0]
	tree   []uint32   // Fenwick tree over len(blocks[i])
	n      int
}

const blockMax = 256

func (o *ordered) find(key uint64) int {
	return max(0, sort.Search(len(o.least), func(i int) bool { return o.least[i] > key })-1)
}

func (o *ordered) insert(key uint64) {
	o.n++
	if len(o.blocks) == 0 {
		o.blocks = append(o.blocks, []uint64{key})
		o.rebuild()
		return
	}
	b := o.find(key)
	at, _ := slices.BinarySearch(o.blocks[b], key)
	block := slices.Insert(o.blocks[b], at, key)
	o.blocks[b] = block
	if len(block) <= blockMax {
		o.least[b] = block[0]
		o.change(b, 1)
		return
	}
	half := append(make([]uint64, 0, blockMax+1), block[blockMax/2:]...)
	o.blocks[b] = block[:blockMax/2]
	o.blocks = slices.Insert(o.blocks, b+1, half)
	o.rebuild()
}

// remove takes one of a key away; it must be there.
func (o *ordered) remove(key uint64) {
	o.n--
	b := o.find(key)
	at, _ := slices.BinarySearch(o.blocks[b], key)
	block := slices.Delete(o.blocks[b], at, at+1)
	o.blocks[b] = block
	if len(block) == 0 {
		o.blocks = slices.Delete(o.blocks, b, b+1)
		o.rebuild()
		return
	}
	o.least[b] = block[0]
	o.change(b, ^uint32(0))
	o.merge(b)
	if cap(block) > 16 && o.n < cap(block)/4 && len(o.blocks) == 1 {
		o.blocks[0] = slices.Clone(o.blocks[0])
	}
}

// merge joins a block with a neighbour where both together fill half a block.
func (o *ordered) merge(b int) {
	if b+1 == len(o.blocks) {
		b--
	}
	if b < 0 || b+1 >= len(o.blocks) || len(o.blocks[b])+len(o.blocks[b+1]) > blockMax/2 {
		return
	}
	o.blocks[b] = append(o.blocks[b], o.blocks[b+1]...)
	o.blocks = slices.Delete(o.blocks, b+1, b+2)
	o.rebuild()
}

// rebuild makes the arrays over the blocks anew.
func (o *ordered) rebuild() {
	n := len(o.blocks)
	if cap(o.blocks) > 16+4*n {
		o.blocks, o.least, o.tree = slices.Clone(o.blocks), nil, nil
	}
	o.least = slices.Grow(o.least[:0], n)[:n]
	o.tree = slices.Grow(o.tree[:0], n)[:n]
	clear(o.tree)
	for i, b := range o.blocks {
		o.least[i] = b[0]
	}
	for i := range o.blocks {
		o.tree[i] += uint32(len(o.blocks[i]))
		if up := i | (i + 1); up < n {
			o.tree[up] += o.tree[i]
		}
	}
}

// change adds delta, modulo 2^32, to the length of block b in the tree.
func (o *ordered) change(b int, delta uint32) {
	for ; b < len(o.tree); b |= b + 1 {
		o.tree[b] += delta
	}
}

// at returns the k-th smallest key, 0 ≤ k < n.
func (o *ordered) at(k int) uint64 {
	b, step := 0, 1
	for step*2 <= len(o.tree) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if next := b + step; next <= len(o.tree) && int(o.tree[next-1]) <= k {
			b = next
			k -= int(o.tree[next-1])
		}
	}
	return o.blocks[b][k]
}

func (o *ordered) bytes() int {
	n := int(unsafe.Sizeof(*o)) + cap(o.blocks)*int(unsafe.Sizeof([]uint64(nil))) + 8*cap(o.least) + 4*cap(o.tree)
	for _, b := range o.blocks {
		n += 8 * cap(b)
	}
	return n
}

// orderKey maps a value to a number of the same order; keyValue maps it back.
func orderKey(kind event.Kind, v uint64) uint64 {
	if kind == event.Float && v>>63 != 0 {
		return ^v
	}
	return v ^ 1<<63
}

func keyValue(kind event.Kind, key uint64) uint64 {
	if kind == event.Float && key>>63 == 0 {
		return ^key
	}
	return key ^ 1<<63
}

func (o *ordered) clone() ordered {
	c := ordered{blocks: slices.Clone(o.blocks), least: slices.Clone(o.least), tree: slices.Clone(o.tree), n: o.n}
	for i := range c.blocks {
		c.blocks[i] = slices.Clone(c.blocks[i])
	}
	return c
}
