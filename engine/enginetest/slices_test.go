package enginetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// errCrashed is what a commit returns that never came to anything.
var errCrashed = errors.New("crashed by the test")

// crashing is a durable store whose commits fail once some of them are done; whoever had
// it open begins anew.
type crashing struct {
	durable
	left    int // commits until then; negative: none fails
	commits int
}

func (c *crashing) Commit(ctx context.Context, b *state.Batch) error {
	if c.left == 0 {
		return errCrashed
	}
	c.left--
	c.commits++
	return c.durable.Commit(ctx, b)
}

// survivor runs a rule set over streams on one store, whatever crashes: what it keeps are the
// alerts in the store's outbox.
type survivor struct {
	set     *plan.Set
	streams []Stream
	store   *crashing
	o       engine.Options
	size    int // records a read
	beside  bool
}

// once runs to the end, or to a crash.
func (s *survivor) once(ctx context.Context) error {
	box, err := state.OpenOutbox(ctx, s.store)
	if err != nil {
		return err
	}
	o := s.o
	o.Set, o.Store, o.Outbox = s.set, s.store, box
	for _, stream := range s.streams {
		o.Inputs = append(o.Inputs, engine.Input{Source: &memory{stream: stream, size: s.size, left: -1}})
	}
	if s.beside {
		o.Inputs = append(o.Inputs, engine.Input{Source: &memory{stream: Stream{Name: "nothing"}, size: 1, left: -1}})
	}
	e, err := engine.New(ctx, o)
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// crashAt runs to the end, crashing at the n-th commit from each start, at most some times;
// it reports whether it crashed at all.
func (s *survivor) crashAt(ctx context.Context, n, times int) (crashed bool, err error) {
	s.store = &crashing{durable: durable{state.NewMemory()}}
	for range times {
		s.store.left = n
		if err := s.once(ctx); !errors.Is(err, errCrashed) {
			return crashed, err
		}
		crashed = true
	}
	s.store.left = -1
	return crashed, s.once(ctx)
}

func (s *survivor) alerts(ctx context.Context) (list []string, err error) {
	box, err := state.OpenOutbox(ctx, s.store)
	if err != nil {
		return nil, err
	}
	err = box.Rows(ctx, 0, func(_ uint64, alert []byte) error {
		list = append(list, string(alert))
		return nil
	})
	return list, err
}

// jumping has many keys whose deadlines come at one time, at nearly one, and at many, in rules
// of several names, and then nothing until long after.
const jumping = `event a (time: t) { t time  k string  x int }
rule ends  { from a by k window tumbling 1h having count() >= 1 emit { n: count() } }
rule enough { from a by x window tumbling 1h having count() >= 2 emit { n: count() } suppress 3h }
rule longer { by k match q: a[x > 5] -> !a for 2h }
rule silent { by k match q: a -> !a for 30m }
`

func streamThatJumps(keys int) Stream {
	s := Stream{Name: "p"}
	for i := range keys {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":"a","t":"1970-01-01T00:00:%02d.%02dZ","k":"key %d","x":%d}`, i/100, i%100, i*7919%keys, i%11))
	}
	for i := range 5 {
		s.Records = append(s.Records, fmt.Sprintf(`{"type":"a","t":"1970-01-01T0%d:00:00Z","k":"key %d","x":7}`, 1+i*2, i))
	}
	return s
}

// A jump of time over keys that are cold is worked slice by slice, and a crash between two
// of them loses nothing and repeats nothing.
func TestJumpsOfTimeAreWorkedInSlices(t *testing.T) {
	set, streams := compile(t, jumping), []Stream{streamThatJumps(150)}
	want, err := Run(t.Context(), set, streams, Options{Final: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, beside := range []bool{false, true} {
		for _, slice := range []int{0, 40, 7} {
			s := &survivor{set: set, streams: streams, size: 30, beside: beside, o: engine.Options{Final: true, Cache: 1, SliceKeys: slice, EpochKeys: 10, EpochEvents: 50, Shards: 2}}
			n, crashed := 1, true
			for ; crashed; n += 1 + n/4 {
				if crashed, err = s.crashAt(t.Context(), n, 1000/n); err != nil {
					t.Fatal(err)
				}
				got, err := s.alerts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.Alerts, got); diff != "" {
					t.Fatalf("beside %v, slices of %d, crash at %d (-in memory +in slices):\n%.3000s", beside, slice, n, diff)
				}
			}
			t.Logf("beside %v, slices of %d: %d commits, %d alerts", beside, slice, s.store.commits, len(want.Alerts))
			if slice == 7 && s.store.commits < 25 {
				t.Errorf("only %d commits: the slices were not what epochs end between", s.store.commits)
			}
		}
	}
}

// TestAlertsDoNotDependOnCrashes is the law for crashes at commits, with slices.
func TestAlertsDoNotDependOnCrashes(t *testing.T) { repeat(t, 1, sameHoweverCrashed) }

func sameHoweverCrashed(t *rapid.T) {
	h := drawHistory(t)
	m := &maker{t: t}
	s := &survivor{set: compile(t, h.rules), streams: h.streams, size: []int{100, 1, 3}[m.n(3)], beside: m.chance(30)}
	for range 2 {
		s.o = engine.Options{
			Final: h.final, Cache: 1, SliceKeys: 1 + m.n(3), EpochKeys: 1 + m.n(6),
			Shards: 1 + m.n(3), EpochEvents: []int{10_000, 1, 10}[m.n(3)], RoundEvents: []int{0, 1, 5}[m.n(3)],
		}
		n, times := 1+m.n(20), 1+m.n(20)
		if _, err := s.crashAt(t.Context(), n, times); err != nil {
			t.Fatalf("%s\n%v", situation(h.rules, h.streams), err)
		}
		got, err := s.alerts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(h.alerts)+len(got) == 0 {
			continue
		}
		if diff := cmp.Diff(h.alerts, got); diff != "" {
			t.Fatalf("%s\nfinal: %v, crash at commit %d, %d times, %+v\n(-plain +crashed):\n%s", situation(h.rules, h.streams), h.final, n, times, s.o, diff)
		}
	}
}
