package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Bound has the collector run more often rather than let the memory of the process grow
// beyond a number of bytes, as long as what is alive leaves it room for that: the bound is
// always above what was alive at the last collection by at least a sixteenth and a little more.
// So a process that needs more gets it, and none is kept busy collecting. While much less is
// alive, it runs less often. It is for the start of a process, and not to be called where the
// environment says GOMEMLIMIT.
func (t *Tuner) Bound(bytes int64) {
	b := &bound{least: bytes, live: newSamples()}
	debug.SetMemoryLimit(bytes)
	t.bound.Store(uint64(bytes))
	b.watch()
}

// bound sets the limit after each collection.
type bound struct {
	least, limit int64
	live         []metrics.Sample
}

// watch has b called after the next collection.
func (b *bound) watch() { runtime.AddCleanup(new([16]byte), (*bound).collected, b) }

func (b *bound) collected() {
	metrics.Read(b.live)
	if limit := limitFor(b.least, int64(b.live[0].Value.Uint64())); limit != b.limit {
		b.limit = limit
		debug.SetMemoryLimit(limit)
	}
	b.watch()
}

// newSamples is what is asked of the runtime: how much was alive at the last collection.
func newSamples() []metrics.Sample { return []metrics.Sample{{Name: "/gc/heap/live:bytes"}} }

// beside is what the runtime has beside the heap, and what of the heap is between objects.
const beside = 40 << 20

// limitFor is the limit where so much is alive.
func limitFor(least, live int64) int64 { return max(least, live+live/16+beside) }
