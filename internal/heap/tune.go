package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
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
func Tune() *Tuner {
	debug.SetGCPercent(most)
	t := &Tuner{percent: most, live: newSamples()}
	watch(t)
	return t
}

// Tuner sets the share after each collection.
type Tuner struct {
	percent int
	live    []metrics.Sample
	bound   atomic.Uint64 // 0: none
}

// watch has t called after the next collection: that of an object which nothing refers to.
func watch(t *Tuner) {
	runtime.AddCleanup(new([16]byte), (*Tuner).collected, t)
}

func (t *Tuner) collected() {
	metrics.Read(t.live)
	if percent := share(t.live[0].Value.Uint64(), t.bound.Load()); percent != t.percent {
		t.percent = percent
		debug.SetGCPercent(percent)
	}
	watch(t)
}
