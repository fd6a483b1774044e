package engine

import (
	"math"
	"runtime"
	"sync"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

func newFed() *fed { return &fed{bell: func() {}, near: make(chan struct{}), until: math.MinInt64} }

// placeAt is where an engine of one partition stands.
func placeAt(offset, time int64, stepped bool) stand {
	s := stand{IdleStep: IdleStep{At: []event.Position{{Offset: offset}}, Time: time}, stepped: stepped}
	if stepped {
		s.Idle = []event.Partition{{}}
	}
	return s
}

// TestTheLastPlaceIsTheLastForWhoTakesItAtOnce: who waits for places takes one as soon as it is
// there.
func TestTheLastPlaceIsTheLastForWhoTakesItAtOnce(t *testing.T) {
	for range 2000 {
		f := newFed()
		var taking sync.WaitGroup
		taking.Go(func() {
			for {
				if s, _, ok := f.first(); ok {
					f.reached(&s)
					return
				}
				runtime.Gosched()
			}
		})
		if !f.last(placeAt(1, 1, false)) {
			t.Fatal("it is too early")
		}
		taking.Wait()
		if !f.isOver() {
			t.Fatal("the last place was reached, and it is not over")
		}
	}
}

// TestStepsAreBounded: time that grows at one place is one step, and of others the oldest go.
func TestStepsAreBounded(t *testing.T) {
	f := newFed()
	for i := range int64(1000) {
		f.add(placeAt(5, i, true))
		f.add(placeAt(5, i, false))
	}
	if n := len(f.list); n > 2 || f.list[0].Time != 999 {
		t.Errorf("%d places at one: %+v", n, f.list[0])
	}
	for i := range int64(maxSteps + 100) {
		f.add(placeAt(i, 1000, true))
	}
	if n := len(f.list); n != maxSteps || f.list[n-1].At[0].Offset != maxSteps+99 {
		t.Errorf("%d places", n)
	}
}
