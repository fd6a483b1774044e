package index

import (
	"testing"

	"pgregory.net/rapid"
)

// A table of texts says of each text what a map says, whatever their length.
func TestTextsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab]{0,3}|[ab]{7,9}|[ab]{14,18}|a{0,18}b?a?`)
		table, twin := newTexts(), map[string]int32{}
		for _, s := range rapid.SliceOf(text).Draw(t, "texts") {
			want, ok := twin[s]
			if !ok {
				want = int32(len(twin))
				twin[s] = want
			}
			if got := table.add(s); got != want {
				t.Fatalf("%q is number %d, want %d", s, got, want)
			}
		}
		for _, s := range rapid.SliceOf(text).Draw(t, "others") {
			want, ok := twin[s]
			if !ok {
				want = -1
			}
			if got := table.find(s); got != want {
				t.Fatalf("%q is number %d, want %d", s, got, want)
			}
		}
	})
}
