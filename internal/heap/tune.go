package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Shares of the live heap that it may grow by, in percent.
const (
	most  = 40 // while it is small
	least = 6

	// roomy is that of a heap of less than a quarter of its bound: there is the room.
	roomy = 120
)

// large is the live heap, in bytes, from which on the share falls.
const large = 512 << 20

// share is what a live heap may grow by, in percent of its size; bound is 0 where it has none.
func share(live, bound uint64) int {
	if live < bound/4 {
		return roomy
	}
	percent := most
	for ; live > large && percent > least; live /= 2 {
		percent /= 2
	}
	return max(percent, least)
}

// Tune sets the collector's share now and after each collection from then on. It is for
// the start of a process, and not to be called where the environment says GOGC.
func Tune() {
	debug.SetGCPercent(most)
	watch(&tuner{percent: most, live: newSamples()})
}

// tuner sets the share after each collection.
type tuner struct {
	percent int
	live    []metrics.Sample
}

// watch has t called after the next collection: that of an object which nothing refers to.
func watch(t *tuner) {
	runtime.AddCleanup(new([16]byte), (*tuner).collected, t)
}

func (t *tuner) collected() {
	metrics.Read(t.live)
	if percent := share(t.live[0].Value.Uint64(), bounded.Load()); percent != t.percent {
		t.percent = percent
		debug.SetGCPercent(percent)
	}
	watch(t)
}
