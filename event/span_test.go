package event

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSpanIsReadAsWritten(t *testing.T) {
	ends := []int64{0, 1, -1, 999, 1e3, 1e6, -1e6, 1e9, 1_700_000_000_123_000_000, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Int64(), rapid.SampledFrom(ends))
		at, base := number.Draw(t, "time"), number.Draw(t, "base")
		b := AppendSpan([]byte{7}, at, base)
		got, used := ReadSpan(append(b[1:], 9), base)
		if got != at || used != len(b)-1 || used > 11 {
			t.Fatalf("%d from %d is written as %x and read as %d, of %d bytes", at, base, b[1:], got, used)
		}
		for n := range len(b) - 1 {
			if _, used := ReadSpan(b[1:1+n], base); used > 0 {
				t.Fatalf("%d of the %d bytes are enough", n, len(b)-1)
			}
		}
	})
}

// TestSpansAreShort: as many bytes as their comment promises.
func TestSpansAreShort(t *testing.T) {
	const now = int64(1_700_000_000_123_000_000)
	for _, c := range []struct {
		at, base int64
		most     int
	}{{now, now, 1}, {now + 7e6, now, 1}, {now, now - 300_000e6, 4}, {now, 0, 7}, {now - now%1e9, 0, 6}, {3600e9, 0, 3}} {
		if n := len(AppendSpan(nil, c.at, c.base)); n > c.most {
			t.Errorf("%d from %d takes %d bytes, want at most %d", c.at, c.base, n, c.most)
		}
	}
}

func FuzzSpan(f *testing.F) {
	f.Add([]byte{1, 2}, int64(5))
	f.Fuzz(func(t *testing.T, b []byte, base int64) {
		at, used := ReadSpan(b, base)
		if used > len(b) || used > 0 && used > 21 {
			t.Fatalf("%d bytes of %d are used", used, len(b))
		}
		if again, _ := ReadSpan(AppendSpan(nil, at, base), base); used > 0 && again != at {
			t.Fatalf("%d is read as %d", at, again)
		}
	})
}
