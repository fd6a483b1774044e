package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestShareFallsAsTheHeapGrows(t *testing.T) {
	for _, c := range []struct {
		live, bound uint64
		want        int
	}{
		{0, 0, 40},
		{512 << 20, 0, 40},
		{600 << 20, 0, 20},
		{1500 << 20, 0, 10},
		{3 << 30, 0, 6},
		{300 << 30, 0, 6},
		{149 << 20, 600 << 20, 120},
		{150 << 20, 600 << 20, 40},
		{600 << 20, 600 << 20, 20},
	} {
		if got := share(c.live, c.bound); got != c.want {
			t.Errorf("%d MiB: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}

// After collections of a large heap the share is a small one.
func TestTuneFollowsTheHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	Tune()
	block := make([]byte, large+1)
	for wait := time.Now().Add(10 * time.Second); time.Now().Before(wait); time.Sleep(time.Millisecond) {
		runtime.GC()
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		if percent < most {
			runtime.KeepAlive(block)
			return
		}
	}
	t.Error("the share of a large heap is that of a small one")
}
