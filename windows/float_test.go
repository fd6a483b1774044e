package windows

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

func TestFloatIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(-1e7, 1e7), func(n int) float64 { return float64(n) / 100 })).Draw(t, "f")
		if f == 0 {
			f = 0 // no minus: values are without
		}
		r := reader{b: appendNumber(nil, event.Float, math.Float64bits(f))}
		if got := math.Float64frombits(r.number(event.Float)); got != f || len(r.b) > 0 || r.err != nil {
			t.Fatalf("%v is read as %v, %d bytes left, %v", f, got, len(r.b), r.err)
		}
	})
}

func TestFloatOfFewDigitsIsShort(t *testing.T) {
	for f, most := range map[float64]int{0: 1, 512.34: 3, -3: 1, 1e6: 4, 1.0 / 3: 9, 1e300: 9} {
		if n := len(appendNumber(nil, event.Float, math.Float64bits(f))); n > most {
			t.Errorf("%v takes %d bytes, want at most %d", f, n, most)
		}
	}
}
