package enginetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// bound runs a rule over events e of keys k, a second apart, under limits.
func bound(t *testing.T, rule string, keys []int, o Options) Result {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: "event e (time: t(s)) { t int k int }\n" + rule}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	s := Stream{Name: "s"}
	for i, k := range keys {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":"e","t":%d,"k":%d}`, i, k))
	}
	res, err := Run(t.Context(), set, []Stream{s}, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestKeysBeyondTheLimitAreDroppedTheSameInEveryRun: with room for one key a slot, which
// keys go does not depend on shards, epochs or stops, and is counted.
func TestKeysBeyondTheLimitAreDroppedTheSameInEveryRun(t *testing.T) {
	var keys []int
	for i := range 3000 {
		keys = append(keys, i%700, i%90)
	}
	const rule = `rule r { from e by k window last 3 having count() == 3 emit { n: count() } }`
	limits := machine.Limits{KeysPerRule: 256}
	want := bound(t, rule, keys, Options{Limits: limits})
	if want.Stats.Rules[0].Dropped.Keys == 0 || want.Stats.Rules[0].Keys > 256 {
		t.Fatalf("%d keys dropped, %d remembered", want.Stats.Rules[0].Dropped.Keys, want.Stats.Rules[0].Keys)
	}
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, o := range []Options{{Shards: 7}, {Shards: 2, EpochEvents: 10}, {Store: store, Stops: []int{500, 1700}, EpochEvents: 100}} {
		o.Limits = limits
		if got := bound(t, rule, keys, o); !slices.Equal(got.Alerts, want.Alerts) {
			t.Errorf("%d alerts with %+v, want %d", len(got.Alerts), o, len(want.Alerts))
		}
	}
}

func TestRunsAndEventsBeyondTheLimitAreDroppedAndCounted(t *testing.T) {
	keys := make([]int, 100)
	for name, c := range map[string]struct {
		rule string
		want machine.Dropped
	}{
		"runs":          {`rule r { by k match every x: e -> y: e[k > 0] within 1h }`, machine.Dropped{Runs: 90}},
		"window events": {`rule r { from e by k window sliding 1h having count() > 10 }`, machine.Dropped{WindowEvents: 90}},
		"run events":    {`rule r { by k match first x: e+ -> y: e[k > 0 and x[0].k == 0] within 1h }`, machine.Dropped{Runs: 90, RunEvents: 80}},
	} {
		t.Run(name, func(t *testing.T) {
			res := bound(t, c.rule, keys, Options{Limits: machine.Limits{RunsPerKey: 10, EventsPerRun: 20, EventsPerWindow: 10}})
			got := res.Stats.Rules[0].Dropped
			if got.Runs != c.want.Runs || got.WindowEvents != c.want.WindowEvents || (got.RunEvents > 0) != (c.want.RunEvents > 0) {
				t.Errorf("dropped %+v, want %+v", got, c.want)
			}
		})
	}
}
