package eval

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
)

// wide is an address as a number of 128 bits; IPv4 ones have their place in the lowest
// 32 bits of a set of their own.
type wide struct{ high, low uint64 }

func (a wide) compare(b wide) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

func wideOf(a netip.Addr) wide {
	if a.Is4() {
		b := a.As4()
		return wide{low: uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// block is a range of addresses, both ends included, with its row.
type block struct {
	first, last wide
	row         int32
	v4          bool
}

// blockOf is the range of a prefix whose address has no bits beyond it.
func blockOf(p netip.Prefix, row int32) block {
	a := p.Addr()
	b := block{first: wideOf(a), row: row, v4: a.Is4()}
	b.last = b.first
	free := a.BitLen() - p.Bits()
	b.last.low |= ones(free)
	b.last.high |= ones(free - 64)
	return b
}

// ones is a number of n ones, at most 64; n may be negative.
func ones(n int) uint64 {
	switch {
	case n <= 0:
		return 0
	case n >= 64:
		return 1<<64 - 1
	}
	return 1<<n - 1
}

// blocks answers whether an address lies in one of many blocks, in O(log n): the
// blocks of each family, sorted, those within others left out. Blocks either hold one
// another or have nothing in common, so what is left is disjoint.
type blocks struct{ v4, v6 []block }

func newBlocks(all []block) *blocks {
	b := &blocks{}
	// Of blocks that begin together the widest comes first; of equal ones the first row.
	slices.SortStableFunc(all, func(x, y block) int {
		return cmp.Or(x.first.compare(y.first), y.last.compare(x.last))
	})
	for _, x := range all {
		into := &b.v6
		if x.v4 {
			into = &b.v4
		}
		if n := len(*into); n == 0 || (*into)[n-1].last.compare(x.first) < 0 {
			*into = append(*into, x)
		}
	}
	return b
}

// find is the row of a block that holds the address, noRow if there is none.
func (b *blocks) find(a netip.Addr) int32 {
	list := b.v6
	if a.Is4() {
		list = b.v4
	}
	at := wideOf(a)
	i := sort.Search(len(list), func(i int) bool { return list[i].first.compare(at) > 0 }) - 1
	if i < 0 || list[i].last.compare(at) < 0 {
		return noRow
	}
	return list[i].row
}
