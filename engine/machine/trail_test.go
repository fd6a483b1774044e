package machine

import (
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// TestMemoryOfASlidingCount: what a key takes, without its name and what is shown.
func TestMemoryOfASlidingCount(t *testing.T) {
	var x Context
	var k WindowKey
	for i := range int64(5) {
		k.add(&x, i, 0)
	}
	if n := int64(unsafe.Sizeof(k)) + x.rooms.Bytes(); n >= 120 {
		t.Errorf("%d bytes for 5 events", n)
	}
}

// TestTrailEqualsLists compares a trail with a list of times, and a tail and the trail
// with a list of what is shown.
func TestTrailEqualsLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Context
		var tr trail
		var ta tail
		var times []int64
		var shown []keep.Shown // of all events of the trail, gone ones included
		for i := range rapid.IntRange(1, 300).Draw(t, "events") {
			ev := event.Event{Offset: int64(i)}
			ref := x.Log.Hold(&ev)
			at, until := int64(i), int64(i-rapid.IntRange(1, 60).Draw(t, "span"))
			tr.addAfter(&x, until, at, ref)
			ta.add(&x, x.Log.Share(ref))
			times, shown = append(times, at), append(shown, ref)
			for times[0] <= until {
				times = times[1:]
			}
			if n := rapid.IntRange(0, 100).Draw(t, "newest"); n < 50 {
				tr.keepNewest(&x, uint32(n))
				tr.shrink(&x)
				times = times[max(0, len(times)-n):]
			}
			if int(tr.live) != len(times) || len(times) > 0 && (tr.at(&x, 0) != times[0] || tr.newest != at) {
				t.Fatalf("%d events of a trail, want %v", tr.live, times)
			}
			if got, want := tr.shown(&x), shown[len(shown)-min(len(times), MaxEvidence):]; !slices.Equal(got, want) {
				t.Fatalf("a trail shows %v, want %v", got, want)
			}
			if got, want := ta.shown(&x, 7), shown[len(shown)-min(len(shown), 7):]; !slices.Equal(got, want) {
				t.Fatalf("a tail shows %v, want %v", got, want)
			}
		}
		tr.release(&x)
		ta.keepNewest(&x, 0)
		if x.Log.Len() != 0 || x.rooms.Bytes() != 0 {
			t.Fatalf("%d events, %d bytes are left", x.Log.Len(), x.rooms.Bytes())
		}
	})
}
