package windows

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderedEqualsSortedSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o ordered
		var sorted []uint64
		span := rapid.SampledFrom([]uint64{3, 1000, 1 << 60}).Draw(t, "span")
		seed := rapid.Uint64().Draw(t, "seed")
		grow := rapid.IntRange(1, 3000).Draw(t, "grow")
		for i := range 3 * grow {
			seed = seed*6364136223846793005 + 1442695040888963407
			pick := seed >> 33
			if i < grow || pick%3 == 0 || len(sorted) == 0 {
				key := (seed >> 3) % span
				at, _ := slices.BinarySearch(sorted, key)
				sorted = slices.Insert(sorted, at, key)
				o.insert(key)
			} else {
				at := int(pick) % len(sorted)
				o.remove(sorted[at])
				sorted = slices.Delete(sorted, at, at+1)
			}
			if len(sorted) > 0 {
				if at := int(pick) % len(sorted); o.at(at) != sorted[at] {
					t.Fatalf("%d of %d is %d, want %d", at, len(sorted), o.at(at), sorted[at])
				}
			}
		}
		if o.n != len(sorted) || !slices.Equal(slices.Concat(o.blocks...), sorted) {
			t.Fatalf("%d keys, want %d", o.n, len(sorted))
		}
		if most := 2 + 4*len(sorted)/(blockMax/2); len(o.blocks) > most {
			t.Fatalf("%d blocks for %d keys", len(o.blocks), len(sorted))
		}
	})
}

func TestDictEqualsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		isText := rapid.Bool().Draw(t, "text")
		d := newDict(isText)
		counts, ids := map[string]int{}, map[string]uint32{}
		var live []string
		span := rapid.SampledFrom([]uint64{3, 12, 500}).Draw(t, "span")
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range 2000 {
			seed = seed*6364136223846793005 + 1442695040888963407
			if v := (seed >> 33) % span; i < 600 || seed>>63 == 0 || len(live) == 0 {
				s := fmt.Sprint(v) + strings.Repeat("x", int(v)%9) // some short, some long
				if v == 0 {
					s = ""
				}
				_, had := counts[s]
				id, _, again := d.add(v, s, uint32(i))
				if again != had || had && id != ids[s] {
					t.Fatalf("%s: again is %v, want %v", s, again, had)
				}
				counts[s]++
				ids[s] = id
				live = append(live, s)
			} else {
				at := int(seed>>33) % len(live)
				s := live[at]
				live = slices.Delete(live, at, at+1)
				d.drop(ids[s], 0)
				if counts[s]--; counts[s] == 0 {
					delete(counts, s)
				}
			}
			if int(d.live) != len(counts) {
				t.Fatalf("%d values, want %d", d.live, len(counts))
			}
			if len(d.text) > 256+8*2*len(counts) {
				t.Fatalf("%d bytes of text for %d values", len(d.text), len(counts))
			}
		}
		for s, n := range counts {
			if e := &d.entries[ids[s]]; int(e.count) != n || isText && d.view(e) != s {
				t.Fatalf("%s is there %d times, want %d", s, e.count, n)
			}
		}
	})
}
