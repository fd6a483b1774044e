package windows

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBitsMoveAsOneByOne compares orBits with a loop over single bits.
func TestBitsMoveAsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SliceOfN(rapid.Uint64(), 4, 4).Draw(t, "from")
		got := rapid.SliceOfN(rapid.Uint64(), 4, 4).Draw(t, "to")
		want := slices.Clone(got)
		n := rapid.Uint32Range(0, 200).Draw(t, "n")
		i, to := rapid.Uint32Range(0, 256-n).Draw(t, "i"), rapid.Uint32Range(0, 256-n).Draw(t, "at")
		for k := range n {
			if getBit(from, i+k) {
				setBit(want, to+k)
			}
		}
		if orBits(got, to, from, i, n); !slices.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}
