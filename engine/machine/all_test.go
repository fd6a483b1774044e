package machine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/machine"
)

// BenchmarkAllPlaces: match all where every open combination is kept by itself.
func BenchmarkAllPlaces(b *testing.B) {
	for name, pattern := range map[string]string{
		"compared": `a -> b: b[n > a.n]`,
		"within":   `a -> b: b[n > a.n] -> c: c[n > b.n]`,
		"negation": `a -> !c -> b`,
	} {
		for _, window := range []int{10, 100} {
			b.Run(fmt.Sprintf("%s/window=%d", name, window), func(b *testing.B) {
				r := newRig(b, fmt.Sprintf(`rule r { match all %s within %dms limit 1 emit { n: matches() } }`, pattern, window))
				r.x.Effect = func(*machine.Effect) {}
				feed := r.feeder()
				var at, seed int64 = 0, 1
				b.ReportAllocs()
				for b.Loop() {
					at++
					seed = seed*6364136223846793005 + 1442695040888963407
					feed(int(uint64(seed)>>32)%3, at, at)
				}
			})
		}
	}
}

// TestAllNumberAloneHasNoEvents: with limit 0 an aggregate over a step is of nothing,
// whether the combinations are counted or kept.
func TestAllNumberAloneHasNoEvents(t *testing.T) {
	for _, second := range []string{"b", "b[n > first(s).n]"} {
		r := newAllRig(t, fmt.Sprintf(`rule r { match all s: a{1,2} -> e: %s within 9s limit 0 emit { m: count(s) } }`, second))
		for i := range int64(3) {
			r.feed(0, i, i, 0)
		}
		r.feed(1, 3, 3, 1)
		if want := []string{"3:  of 0"}; !slices.Equal(r.made, want) {
			t.Errorf("%q, want %q", r.made, want)
		}
	}
}
