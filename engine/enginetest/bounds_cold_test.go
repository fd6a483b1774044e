package enginetest

import (
	"slices"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/state"
)

// Which keys go beyond the limit does not depend on which are in memory either: keys that
// are alive count, wherever they are, and those in which nothing is alive do not.
func TestColdKeysBeyondTheLimitAreDroppedTheSame(t *testing.T) {
	var keys []int
	for i := range 1000 {
		keys = append(keys, i%700, i%90, (i*i)%1301)
	}
	for _, rule := range []string{
		`rule r { from e by k window last 3 having count() == 3 emit { n: count() } }`,
		`rule r { from e by k window sliding 100s having count() == 2 emit { n: count() } }`,
		`rule r { from e by k window tumbling 1m having count() >= 2 emit { n: count() } }`,
		`rule r { by k match x: e -> y: e within 200s }`,
		`rule r { by k match x: e -> !e for 200s }`,
	} {
		for _, perSlot := range []int{1, 3, 8} {
			limits := machine.Limits{KeysPerRule: 256 * perSlot}
			want := bound(t, rule, keys, Options{Limits: limits})
			for _, o := range []Options{
				{Cache: 1, EpochEvents: 7, RoundEvents: 3},
				{Cache: 1, EpochEvents: 50, Shards: 3, Stops: []int{100, 333, 900, 1200}},
				{Cache: 4096, EpochEvents: 200, RoundEvents: 20, Stops: []int{700}},
			} {
				o.Limits, o.Store = limits, durable{state.NewMemory()}
				got := bound(t, rule, keys, o)
				if !slices.Equal(got.Alerts, want.Alerts) {
					t.Errorf("%s, %d a slot: %d alerts with %+v, want %d", rule, perSlot, len(got.Alerts), o, len(want.Alerts))
				}
				if o.Stops == nil && got.Stats.Rules[0].Dropped != want.Stats.Rules[0].Dropped {
					t.Errorf("%s, %d a slot: %+v dropped with %+v, want %+v", rule, perSlot, got.Stats.Rules[0].Dropped, o, want.Stats.Rules[0].Dropped)
				}
			}
		}
	}
}

// A rule that is past half of its limit, but at it in no slot, lets keys go cold as any other.
func TestKeysNearTheLimitGoCold(t *testing.T) {
	var keys []int
	for i := range 4000 {
		keys = append(keys, i%2000)
	}
	const rule = `rule r { by k match x: e -> y: e within 10000s }`
	limits := machine.Limits{KeysPerRule: 256 * 20} // eight in a slot, half as many again in some
	want := bound(t, rule, keys, Options{Limits: limits})
	least := 1 << 30
	got := bound(t, rule, keys, Options{Limits: limits, Store: durable{state.NewMemory()}, Cache: 1, EpochEvents: 50, Watch: func(r engine.Remembered) {
		if r.Keys > 1500 {
			least = min(least, r.Cold)
		}
	}})
	if !slices.Equal(got.Alerts, want.Alerts) || len(want.Alerts) < 1000 {
		t.Errorf("%d alerts, want %d", len(got.Alerts), len(want.Alerts))
	}
	if least < 1000 {
		t.Errorf("of more than 1500 keys only %d were cold", least)
	}
}
