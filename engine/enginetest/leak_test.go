package enginetest

import (
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/state"
)

// A key in which nothing is alive any more leaves the store, with its row of the diary,
// wherever it was as its time passed: in memory, cold, or behind a stop.
func TestNothingStaysInTheStoreOfKeysWhoseTimeHasPassed(t *testing.T) {
	const rules = `event a (time: t(s)) { t int  k int  x int }
table seen by k from a keep 30s { n: count() }
rule sliding { from a by k window sliding 20s having count() >= 3 }
rule ends    { from a by k window tumbling 10s having count() >= 100 }
rule session { from a by k window session 10s having count() >= 100 }
rule seq     { by k match first: a[x < 5] -> second: a[x > first.x + 30] within 40s }
rule silent  { by k match seven: a[x == 7] -> !a for 30s }
rule both    { by k match every seven: a[x == 7] -> eight: a[x == 8] -> !a for 30s within 1m }
`
	s := Stream{Name: "p"}
	add := func(at, k int) {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":"a","t":%d,"k":%d,"x":%d}`, at, k, (k+at)%11))
	}
	for i := range 6000 {
		add(i/50, i/4%1000)
	}
	for i := range 2000 {
		add(200+i, 1_000_000)
	}
	for _, o := range []Options{
		{EpochEvents: 500, Cache: 1 << 30},
		{EpochEvents: 100, Cache: 1, RoundEvents: 30, Shards: 2},
		{EpochEvents: 100, Cache: 1, Stops: []int{1500, 4000, 1000}},
	} {
		store := durable{state.NewMemory()}
		o.Store = store
		res, err := Run(t.Context(), compile(t, rules), []Stream{s}, o)
		if err != nil {
			t.Fatal(err)
		}
		keys, rows := count(t, store, state.TableKeys), count(t, store, state.TableTimers)
		if keys > 20 || rows > keys {
			t.Errorf("%+v: %d keys and %d rows of the diary at the end", o, keys, rows)
		}
		sum := 0
		for _, r := range res.Stats.Rules {
			sum += r.Keys
		}
		if sum != keys {
			t.Errorf("%+v: %d keys counted, %d stored", o, sum, keys)
		}
	}
}

func count(t *testing.T, store durable, table state.Table) (n int) {
	t.Helper()
	err := store.Scan(t.Context(), table, nil, nil, func(_, _ []byte) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
