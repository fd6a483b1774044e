package enginetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

const dropped = `event a (time: t) { t time  k string  x int }
rule stays { by k match q: a[x > 5] -> r: a[x < 2] within 1h }
`

// What a rule has left that is gone, or remembers something else now, is dropped some keys
// at a time; a rule of its name sees none of it, whatever crashes come between.
func TestDroppedStateIsNotSeenAgain(t *testing.T) {
	const rule = `rule r { by k match q: a -> !a for 30m }`
	with := compile(t, dropped+rule)
	for name, other := range map[string]*plan.Set{
		"gone":    compile(t, dropped),
		"changed": compile(t, dropped+`rule r { by k match q: a[x > 3] -> !a for 30m }`),
	} {
		t.Run(name, func(t *testing.T) {
			whole, crashed := dropAt(t, with, other, -1), true
			for n := 1; crashed; n++ {
				got := dropAt(t, with, other, n)
				if crashed = got.crashed; crashed && got.commits == 0 {
					continue
				}
				if diff := cmp.Diff(whole.alerts, got.alerts); diff != "" {
					t.Fatalf("crash at commit %d (-none +crashed):\n%s", n, diff)
				}
			}
		})
	}
}

// dropping is what came of a rule set that was replaced by another, and came back.
type dropping struct {
	alerts  []string
	crashed bool
	commits int
}

// dropAt runs a set, then another over the same state, which crashes at its n-th commit
// (-1: never), and then the first again to the end of time.
func dropAt(t *testing.T, with, other *plan.Set, n int) (d dropping) {
	t.Helper()
	all := streamThatJumps(60)
	s := &survivor{set: with, size: 7, o: engine.Options{Cache: 1, EpochKeys: 16, EpochEvents: 3, SliceKeys: 3, Shards: 2}}
	s.store = &crashing{durable: durable{state.NewMemory()}, left: -1}
	step := func(set *plan.Set, records, left int) error {
		s.set, s.streams, s.store.left = set, []Stream{{Name: "p", Records: all.Records[:records]}}, left
		return s.once(t.Context())
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(step(with, 40, -1))
	before := s.store.commits
	err := step(other, 50, n)
	d.crashed, d.commits = errors.Is(err, errCrashed), s.store.commits-before
	if !d.crashed {
		check(err)
	}
	if _, doomed := left(t, s.store); n == 1 && doomed == 0 {
		t.Error("all was dropped in one epoch")
	}
	check(step(other, 50, -1)) // what the crash took is read again
	check(step(with, 55, -1))
	s.o.Final = true
	check(step(with, len(all.Records), -1))
	if names, doomed := left(t, s.store); len(names) > 1 || doomed > 0 {
		t.Errorf("crash at %d: left are %v, and %d names to be dropped", n, names, doomed)
	}
	d.alerts, err = s.alerts(t.Context())
	check(err)
	return d
}

// left lists the names that records of the rule r are under, and counts those that are being
// dropped.
func left(t *testing.T, store engine.Store) (names map[string]int, doomed int) {
	t.Helper()
	names = map[string]int{}
	err := errors.Join(
		store.Scan(t.Context(), state.TableKeys, nil, nil, func(key, _ []byte) error {
			if name := string(key[1 : 1+key[0]]); name != "stays" {
				names[name]++
			}
			return nil
		}),
		store.Scan(t.Context(), state.TableMeta, []byte("drop."), nil, func(_, _ []byte) error {
			doomed++
			return nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return names, doomed
}
