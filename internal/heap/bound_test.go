package heap

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestBoundLeavesRoomAboveWhatIsAlive(t *testing.T) {
	for _, c := range []struct{ least, live, want int64 }{
		{600 << 20, 0, 600 << 20},
		{600 << 20, 400 << 20, 600 << 20},
		{600 << 20, 800 << 20, 890 << 20},
	} {
		if got := limitFor(c.least, c.live); got != c.want {
			t.Errorf("at least %d MiB, %d MiB alive: %d MiB, want %d", c.least>>20, c.live>>20, got>>20, c.want>>20)
		}
	}
}

// A limit that is far below what is alive does not stay.
func TestBoundGivesWay(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	b := &bound{least: 1 << 20, live: newSamples()}
	b.collected()
	if limit := debug.SetMemoryLimit(-1); limit < beside {
		t.Errorf("the limit is %d bytes", limit)
	}
}
