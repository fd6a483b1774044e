package engine

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// plainSilences is what silences are without a care for cost: a list, looked through
// from end to end.
type plainSilences struct {
	span    int64
	limit   int
	list    []plainSilence // in the order in which they began
	dropped uint64
}

type plainSilence struct {
	key     string
	until   int64
	counted uint64
}

func (s *plainSilences) pass(key string, time int64) (uint64, bool) {
	s.list = slices.DeleteFunc(s.list, func(q plainSilence) bool { return q.until <= time && q.counted == 0 })
	i := slices.IndexFunc(s.list, func(q plainSilence) bool { return q.key == key })
	suppressed := uint64(0)
	switch {
	case i >= 0 && time < s.list[i].until:
		s.list[i].counted++
		return 0, false
	case i >= 0:
		suppressed = s.list[i].counted
		s.list = slices.Delete(s.list, i, i+1)
	case len(s.list) == s.limit:
		s.list = s.list[1:]
		s.dropped++
	}
	s.list = append(s.list, plainSilence{key: key, until: time + s.span})
	return suppressed, true
}

// TestSilencesEqualPlainList: also where they are forgotten at some times of the
// watermark, as at the ends of epochs, and written and read back.
func TestSilencesEqualPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Int64Range(1, 20).Draw(t, "span")
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		s, plain := newSilences(span, limit, true), &plainSilences{span: span, limit: limit}
		now := int64(0)
		for i := range rapid.IntRange(1, 100).Draw(t, "alerts") {
			now += rapid.Int64Range(0, 5).Draw(t, "passed")
			key := fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "key"))
			counted, sent := s.pass([]byte(key), now)
			wantCounted, wantSent := plain.pass(key, now)
			if counted != wantCounted || sent != wantSent || s.dropped != plain.dropped {
				t.Fatalf("alert %d, of %s at %d: %d counted, sent %v, %d dropped; want %d, %v, %d", i, key, now, counted, sent, s.dropped, wantCounted, wantSent, plain.dropped)
			}
			if len(s.by) > limit {
				t.Fatalf("%d silences, limit %d", len(s.by), limit)
			}
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0:
				s.forget(now)
			case 1:
				s = reread(t, s)
			}
		}
	})
}

// reread writes silences and reads them back, in no order.
func reread(t *rapid.T, s *silences) *silences {
	var list []*silence
	for _, q := range s.by {
		read, err := decodeSilence(q.encode(nil))
		if err != nil {
			t.Fatal(err)
		}
		read.key = q.key
		list = append(list, read)
	}
	again := newSilences(s.span, s.limit, true)
	again.take(list)
	again.dropped = s.dropped
	return again
}

func TestSilencesReadUnderALowerLimitKeepTheNewest(t *testing.T) {
	s := newSilences(100, 10, true)
	for i := range 10 {
		s.pass([]byte{byte('a' + i)}, int64(i))
	}
	var list []*silence
	for _, q := range s.by {
		list = append(list, &silence{key: q.key, number: q.number, until: q.until, counted: q.counted})
	}
	low := newSilences(100, 3, true)
	low.take(list)
	if low.dropped != 7 || low.by["h"] == nil || low.by["g"] != nil {
		t.Fatalf("%d dropped, want 7; kept %v", low.dropped, low.by)
	}
	if _, gone := low.changed["a"]; !gone {
		t.Error("a forgotten silence is not noted, and would stay in the store")
	}
}

func TestDamagedSilencesAreErrors(t *testing.T) {
	whole := (&silence{until: 1 << 40, counted: 300, number: 70_000}).encode(nil)
	for n := range whole {
		if _, err := decodeSilence(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes: no error", n, len(whole))
		}
	}
	if _, err := decodeSilence(append(whole, 0)); err == nil {
		t.Error("a byte too many: no error")
	}
}
