package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/state"
)

const manyKeys = `event a (time: t) { t time  k string  x int }
rule sliding { from a by k window sliding 1h having count() >= 3 emit { n: count(), s: sum(x) } }
rule ends    { from a by k window tumbling 1h having count() >= 2 emit { n: count() } }
rule seq     { by k match first: a[x < 5] -> second: a[x > first.x + 3] within 2h }
rule silent  { by k match seven: a[x == 7] -> !a for 30m }
`

// streamOfManyKeys has each key a few times, far from each other.
func streamOfManyKeys(keys, rounds int) Stream {
	s := Stream{Name: "p"}
	for round := range rounds {
		for k := range keys {
			at := round*keys + k
			s.Records = append(s.Records, fmt.Sprintf(`{"type":"a","t":"1970-01-01T%02d:%02d:%02d.%03dZ","k":"key %d","x":%d}`,
				at/3_600_00%24, at/6000%60, at/100%60, at%100*10, k*7919%keys, (k+3*round)%11))
		}
	}
	return s
}

// Keys that do not fit the cache are in the store alone, come back when an event or their
// time does, and alert as if they had never left.
func TestKeysBeyondTheCacheGoCold(t *testing.T) {
	set, streams := compile(t, manyKeys), []Stream{streamOfManyKeys(3000, 8)}
	want, err := Run(t.Context(), set, streams, Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	var most engine.Remembered
	o := Options{Final: true, Store: durable{state.NewMemory()}, Cache: 256 << 10, EpochEvents: 500, Shards: 2, Watch: func(r engine.Remembered) {
		most.Cold, most.KeyBytes = max(most.Cold, r.Cold), max(most.KeyBytes, r.KeyBytes)
	}}
	got, err := Run(t.Context(), set, streams, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Alerts, got.Alerts); diff != "" || len(want.Alerts) < 1000 {
		t.Errorf("%d alerts (-all in memory +cold):\n%.2000s", len(want.Alerts), diff)
	}
	// What two epochs have touched stays, whatever it takes.
	if most.Cold < 4000 || most.KeyBytes > 4<<20 {
		t.Errorf("%d cold keys, %d bytes at most", most.Cold, most.KeyBytes)
	}
}

// Rows of the diary are read as their time comes, in nearly every round: what is pending in
// the store's journal need not be taken over for that.
func TestReadingTheDiaryTakesNoCheckpoint(t *testing.T) {
	rules := strings.NewReplacer("1h", "20s", "2h", "30s", "30m", "10s").Replace(manyKeys)
	set, streams := compile(t, rules), []Stream{streamOfManyKeys(1000, 8)}
	want, err := Run(t.Context(), set, streams, Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	got, err := Run(t.Context(), set, streams, Options{Final: true, Store: store, Cache: 64 << 10, EpochEvents: 500, RoundEvents: 100, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Alerts, got.Alerts); diff != "" || len(want.Alerts) < 500 {
		t.Errorf("%d alerts (-all in memory +cold):\n%.2000s", len(want.Alerts), diff)
	}
	if n := store.Stats().Checkpoints; n > 0 {
		t.Errorf("%d checkpoints", n)
	}
}
