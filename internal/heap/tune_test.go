package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestShareFallsAsTheHeapGrows(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 50}, {512 << 20, 50}, {600 << 20, 25}, {1500 << 20, 12}, {3 << 30, 6}, {300 << 30, 6}} {
		if got := share(c.live); got != c.want {
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
