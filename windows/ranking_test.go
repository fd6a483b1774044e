package windows

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// TestRankingIsASort compares top over many values, which are asked for now and then,
// with all values sorted.
func TestRankingIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := rapid.SampledFrom([]Spec{{Kind: Last, Count: 300}, {Kind: Sliding, Size: 200}, {Kind: Batch, Count: 1 << 20}}).Draw(t, "spec")
		agg := Agg{Func: Top, Arg: rapid.SampledFrom([]event.Kind{event.Int, event.String}).Draw(t, "kind"), Param: 5}
		p, err := NewProgram(spec, []Agg{agg})
		if err != nil {
			t.Fatal(err)
		}
		var s State
		if p.evicts {
			s.base = rapid.SampledFrom([]uint32{0, 1<<32 - 1, 1<<32 - 250}).Draw(t, "base")
		}
		values := rapid.SampledFrom([]int64{400, 90, 2000}).Draw(t, "values")
		every := rapid.SampledFrom([]int{1, 7, 500}).Draw(t, "every")
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range 1500 {
			seed = seed*6364136223846793005 + 1442695040888963407
			n := int64(seed>>33) % values
			if i%3 == 0 {
				n %= 7
			}
			p.Add(&s, int64(i), []Arg{{Take: true, N: uint64(n), S: string(rune('a' + n))}})
			if i%every != 0 {
				continue
			}
			if i%97 == 0 {
				recode(t, p, &s)
			}
			d := &s.ext.dicts[p.cols[0].dict]
			var want []event.Value
			for _, id := range p.sortedValues(&s, d, &p.aggs[0]) {
				e := &d.entries[id]
				if agg.Arg == event.String {
					want = append(want, event.OfString(d.view(e)))
				} else {
					want = append(want, event.OfInt(int64(e.value)))
				}
			}
			if diff := cmp.Diff(want, p.Result(&s, 0).Elems()); diff != "" {
				t.Fatalf("%+v, event %d (-sorted +top):\n%s", spec, i, diff)
			}
		}
	})
}
