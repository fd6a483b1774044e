package enginetest

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

// growing is a source of events a second apart that are made as they are read: half are
// of four keys, half of a key that comes once. x counts up, so that no value comes again.
type growing struct{ at, events int }

func (g *growing) Partition() event.Partition                  { return event.Partition{Source: "g"} }
func (g *growing) Resume(context.Context, int64, []byte) error { return nil }
func (g *growing) Position() int64                             { return int64(g.at) }
func (g *growing) Fingerprint() []byte                         { return nil }

func (g *growing) Next(_ context.Context, into *event.Batch) error {
	for range 100 {
		if g.at == g.events {
			return io.EOF
		}
		key := g.at
		if g.at%2 == 0 {
			key = -1 - g.at/2%4
		}
		into.Add(0, int64(g.at), 0, fmt.Appendf(nil, `{"type":"e","id":"i%d","t":%d,"k":%d,"x":%d,"d":%d}`, g.at, g.at, key, g.at, g.at/4))
		g.at++
	}
	return nil
}

// grow runs a rule over so many events under low limits and returns the most that was
// remembered between two epochs of the second quarter and of the last.
func grow(t *testing.T, rules string, events int) (second, last engine.Remembered, stats engine.Stats) {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: "event e (time: t(s), id: id, dedup: 500s) { id string t int k int x int d int }\nevent made (time: t) { t time k int }\n" + rules}})
	if errs.HasErrors() {
		t.Fatal(errs.Error())
	}
	var e *engine.Engine
	o := engine.Options{
		Set: set, Store: state.NewMemory(), Outbox: &outbox{}, EpochEvents: 250, Shards: 2,
		Inputs: []engine.Input{{Source: &growing{events: events}}},
		Limits: machine.Limits{KeysPerRule: 512, RunsPerKey: 8, EventsPerRun: 16, EventsPerWindow: 32}, Marks: 100, Silences: 100,
		Progress: func(st *engine.Stats) {
			switch quarter := int(st.Events) * 4 / (events + 1); quarter {
			case 1:
				second = most(second, e.Remembered())
			case 3:
				last = most(last, e.Remembered())
			}
		},
	}
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return second, last, *e.Stats()
}

// most is the greater of each number.
func most(a, b engine.Remembered) engine.Remembered {
	return engine.Remembered{
		Keys: max(a.Keys, b.Keys), Runs: max(a.Runs, b.Runs), Events: max(a.Events, b.Events), EventBytes: max(a.EventBytes, b.EventBytes),
		Timers: max(a.Timers, b.Timers), Silences: max(a.Silences, b.Silences), Marks: max(a.Marks, b.Marks), Waiting: max(a.Waiting, b.Waiting),
	}
}

// TestWhatIsRememberedDoesNotGrowWithTheStream: for each kind of thing that remembers,
// the last quarter of a stream remembers no more than the second, though new keys and
// values come all the time.
func TestWhatIsRememberedDoesNotGrowWithTheStream(t *testing.T) {
	for name, rules := range map[string]string{
		"sequence":               `rule r { by k match first a: e -> b: e[x < 0] }`,
		"sequence within":        `rule r { by k match every a: e -> b: e[x < 0] within 100s }`,
		"last":                   `rule r { by k match last a: e -> b: e[x % 50 == 0] }`,
		"all":                    `rule r { by k match all a: e -> b: e[x % 50 == 0] }`,
		"brief runs, long timer": `rule r { by k match a: e[x % 4 == 0] -> b: e[x % 4 != 0] within 365d }`,
		"keys that come and go":  `rule r { by d match a: e -> b: e within 365d }`,
		"repetition":             `rule r { by k match first a: e+ -> b: e[x < 0] }`,
		"repetition, kept":       `rule r { by k match every a: e+ -> b: e[x < 0 and a[5].x > 0] }`,
		"groups":                 `rule r { by k match every (a: e[x % 3 == 0] -> b: e[x % 3 == 1])+ -> c: e[x < 0] }`,
		"both":                   `rule r { by k match every (a: e[x % 3 == 0] & b: e[x % 5 == 1]) -> c: e[x < 0] }`,
		"any":                    `rule r { by k match every any 2 of (a: e[x % 3 == 0], b: e[x % 5 == 1], c: e[x % 7 == 2]) -> d: e[x < 0] }`,
		"absence between":        `rule r { by k match every a: e -> !b: e[x < 0] -> c: e[x < -1] }`,
		"absence at the end":     `rule r { by k match every a: e -> !b: e[x % 50 == 0] for 60s }`,
		"absence at the start":   `rule r { by k match every !a: e ->[60s] b: e -> c: e[x < 0] }`,
		"next":                   `rule r { by k match every a: e => b: e[x % 2 == 0] => c: e[x < 0] }`,
		"sliding":                `rule r { from e by k window sliding 100s having sum(x) < 0 or min(x) < 0 or distinct(x) < 0 or median(x) < 0 or count() < 0 }`,
		"last window":            `rule r { from e by k window last 40 having sum(x) < 0 or distinct(x) < 0 or percentile(x, 90) < 0 }`,
		"tumbling":               `rule r { from e by k window tumbling 100s having distinct(x) < 0 or median(x) < 0 }`,
		"hopping":                `rule r { from e by k window hopping 100s every 20s having distinct(x) < 0 }`,
		"session":                `rule r { from e by k window session 20s having distinct(x) < 0 }`,
		"batch":                  `rule r { from e by k window batch 40 having distinct(x) < 0 }`,
		"once":                   `rule r { from e by k window sliding 100s having count() > 0 once }`,
		"projection":             `table p by k from e { n: count(), s: sum(x) }  rule r { from e where p[k].n > 1_000_000 }`,
		"projection, each value": `table p by k from e { d: distinct(x), m: median(x) }  rule r { from e where p[k].d > 1_000_000 }`,
		"projection keep":        `table p by k from e keep 100s { d: distinct(x) }  rule r { from e where p[k].d > 1_000_000 }`,
		"derived":                `rule r { from e by k emit made { k: k } }  rule s { by k match every a: made -> b: made within 100s having a.k < -9 }`,
		"suppress":               `rule r { from e suppress 50s by x }`,
		"suppress, counted":      `rule r { from e suppress 50s by d }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second, last, stats := grow(t, rules, 12_000)
			bounded := func(what string, before, after, slack int) {
				if after > before+before/10+slack {
					t.Errorf("%d %s in the last quarter, %d in the second", after, what, before)
				}
			}
			bounded("keys", second.Keys, last.Keys, 16)
			bounded("runs", second.Runs, last.Runs, 16)
			bounded("kept events", second.Events, last.Events, 16)
			bounded("bytes of kept events", int(second.EventBytes), int(last.EventBytes), 4096)
			bounded("silences", second.Silences, last.Silences, 0)
			bounded("marks", second.Marks, last.Marks, 0)
			if limit := 2*max(second.Keys, last.Keys) + 2*64*2; last.Timers > limit {
				t.Errorf("%d timers for %d keys", last.Timers, last.Keys)
			}
			if last.Keys+last.Silences == 0 && stats.Epochs > 0 && name != "brief runs, long timer" && name != "keys that come and go" {
				t.Error("the rule remembers nothing: the test shows nothing")
			}
			if stats.MarksDropped == 0 {
				t.Error("dedup has reached its limit nowhere")
			}
		})
	}
}

// TestSilencesBeyondTheLimitAreDroppedTheSameInEveryRun: which go does not depend on
// shards, epochs, stops or the store, and is counted.
func TestSilencesBeyondTheLimitAreDroppedTheSameInEveryRun(t *testing.T) {
	const rule = `rule r { from e suppress 40s by k }  rule s { from e where k % 3 == 0 by k suppress 300s }`
	var keys []int
	for i := range 2000 {
		keys = append(keys, i%7, i%61, i/3, i*i%500)
	}
	want := bound(t, rule, keys, Options{Silences: 20})
	if r := want.Stats.Rules[0]; r.SilencesDropped == 0 || r.Suppressed == 0 {
		t.Fatalf("%d silences dropped, %d alerts suppressed", r.SilencesDropped, r.Suppressed)
	}
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, o := range []Options{{Shards: 7}, {Shards: 2, EpochEvents: 10}, {EpochEvents: 1}, {Store: store, Stops: []int{500, 1700, 5003}, EpochEvents: 100}} {
		o.Silences = 20
		got := bound(t, rule, keys, o)
		if len(got.Alerts) != len(want.Alerts) {
			t.Fatalf("%d alerts with %+v, want %d", len(got.Alerts), o, len(want.Alerts))
		}
		for i := range got.Alerts {
			if got.Alerts[i] != want.Alerts[i] {
				t.Fatalf("alert %d with %+v:\n%s\nwant\n%s", i, o, got.Alerts[i], want.Alerts[i])
			}
		}
	}
}

// TestSilencesOfARuleThatSuppressesNoMoreGo: they would stay in the store for ever.
func TestSilencesOfARuleThatSuppressesNoMoreGo(t *testing.T) {
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	count := func() (n int) {
		if err := store.Scan(t.Context(), state.TableSilences, nil, nil, func(_, _ []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	bound(t, `rule r { from e by k suppress 1h }  rule s { from e by k suppress 1h }`, []int{1, 2, 3, 1}, Options{Store: store})
	if n := count(); n != 6 {
		t.Fatalf("%d silences in the store, want 6", n)
	}
	bound(t, `rule r { from e by k suppress 1h }  rule s { from e by k }`, []int{1, 2, 3, 1, 4}, Options{Store: store})
	if n := count(); n != 4 {
		t.Errorf("%d silences in the store, want the 4 of r", n)
	}
}
