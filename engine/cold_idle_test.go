package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

// An absence that a key waits for which is in the store alone, since the key went cold or
// since the engine was started anew, is told by the wall clock as any other.
func TestAbsenceOfAColdKeyNeedsNoNextEvent(t *testing.T) {
	const rule = ab + `rule r { by i match x: a -> !b for 1m emit { i: x.i } }`
	t.Run("after a start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := engine.Options{Store: lasting{state.NewMemory()}, Shards: 2}
			first := portion{Records: []string{rec("a", 100, 1)}}
			listen(t, 10*second, o, rule, &script{name: "p", stays: true, portions: []portion{first}})
			got, _ := listen(t, 2*60*second, o, rule, &script{name: "p", stays: true, portions: []portion{first, {}}})
			// Time stood at 109 as the first engine stopped, or before; it begins to grow a second after the start.
			if len(got.heard) != 1 || got.heard[0].What != `r 160 {"i":1}` || got.heard[0].After > 62*second {
				t.Errorf("heard %v", got.heard)
			}
		})
	})
	t.Run("after it went cold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := engine.Options{Store: lasting{state.NewMemory()}, Shards: 2, Cache: 1}
			s := &script{name: "p", stays: true, portions: []portion{{Records: []string{rec("a", 100, 1)}}}}
			for i := range 5 {
				s.portions = append(s.portions, portion{Pause: 2 * second, Records: []string{rec("b", 102+2*float64(i), 2)}})
			}
			got, _ := listen(t, 5*60*second, o, rule, s)
			want := []heard{{61 * second, `r 160 {"i":1}`}}
			if d := cmp.Diff(want, got.heard); d != "" {
				t.Error(d, fmt.Sprint(got.heard))
			}
		})
	})
}
