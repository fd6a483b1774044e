package event

import (
	"testing"

	"pgregory.net/rapid"
)

// TestCommonOfIsWhatEachEventSays compares what is known of a batch with its events.
func TestCommonOfIsWhatEachEventSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "n")
		words, events := make([]uint64, 100), make([]Event, n)
		few := rapid.SampledFrom([]int{0, 0, 0, 1, 2})
		at, width := 0, rapid.IntRange(0, 3).Draw(t, "width")
		types, parts, order, together := map[int32]bool{}, map[int32]bool{}, true, width > 0 && n > 0
		for i := range events {
			gap, more := few.Draw(t, "gap"), few.Draw(t, "more")
			if i == 0 {
				more = 0
			}
			e := &events[i]
			e.Type, e.Part, e.Time = int32(few.Draw(t, "type")), int32(few.Draw(t, "part")), int64(10*i-15*few.Draw(t, "back"))
			e.Slots = words[at:][:width+more]
			together = together && more == 0 && (gap == 0 || i == n-1)
			at += width + more + gap
			types[e.Type], parts[e.Part] = true, true
			order = order && (i == 0 || events[i-1].Time <= e.Time)
		}
		c := CommonOf(events)
		if !c.Known || c.InOrder != order || (c.Type >= 0) != (len(types) == 1) || (c.Part >= 0) != (len(parts) == 1) {
			t.Fatalf("%+v of %+v", c, events)
		}
		if (c.Words != nil) != (together && len(types) == 1) {
			t.Fatalf("%+v of %+v: together %v", c, events, together)
		}
		for i := range events {
			if one := c.Among(i, i+1).Words; c.Words != nil && (len(one) != width || &one[0] != &events[i].Slots[0]) {
				t.Fatalf("words of event %d are others", i)
			}
		}
	})
}
