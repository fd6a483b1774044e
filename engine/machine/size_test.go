package machine

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// hangs is a value of everything that can hang on a key.
type hangs struct {
	list  []uint64
	lists [][]byte
	next  *hangs
	any   any
	text  string
	n     [3]int64
}

func newHangs(r *rand.Rand, deep int) *hangs {
	h := &hangs{list: make([]uint64, 8*r.IntN(8)), any: &[2]uint64{}, text: "of the program", n: [3]int64{1}}
	for range r.IntN(5) {
		h.lists = append(h.lists, make([]byte, 16*r.IntN(9)))
	}
	if deep > 0 {
		h.next = newHangs(r, deep-1)
	}
	return h
}

// What is measured is about what the heap takes.
func TestHangingBytesAreThoseOfTheHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := make([]*hangs, 10_000)
	for i := range all {
		all[i] = newHangs(r, r.IntN(4))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := hangingOn(&all) // the slice's own elements included
	want := int64(after.HeapAlloc - before.HeapAlloc)
	if got < want*8/10 || got > want*11/10 {
		t.Errorf("measured %d bytes, the heap grew by %d", got, want)
	}
}

func TestHangingBytesOfMaps(t *testing.T) {
	m := map[uint64][]byte{1: make([]byte, 100), 2: nil}
	if got := hangingOn(&m); got < 100+2*32 || got > 400 {
		t.Errorf("%d bytes", got)
	}
}
