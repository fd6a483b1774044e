package sinktest

import (
	"runtime"
	"testing"
)

// TestMemoryIsOfWhatIsWatched is of one that throws much away after the test had taken much.
func TestMemoryIsOfWhatIsWatched(t *testing.T) {
	taken := make([]byte, 2*mostMemory)
	runtime.GC() // the next comes at twice as much
	runtime.KeepAlive(taken)
	most := watchMemory(t)
	var last []byte
	for range mostMemory * 3 / 2 >> 20 {
		last = make([]byte, 1<<20)
	}
	runtime.KeepAlive(last)
	if got := most(); got > mostMemory/2 {
		t.Errorf("%d MiB of one that holds 1", got>>20)
	}
}
