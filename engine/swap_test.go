package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// tap is a source that gives what it is told to.
type tap struct {
	name    string
	at      int64
	records chan string
}

func newTap(name string) *tap { return &tap{name: name, records: make(chan string, 100)} }

func (s *tap) Partition() event.Partition { return event.Partition{Source: s.name} }
func (s *tap) Resume(_ context.Context, at int64, _ []byte) error {
	s.at = at
	return nil
}
func (s *tap) Position() int64   { return s.at }
func (*tap) Fingerprint() []byte { return nil }

func (s *tap) Next(ctx context.Context, into *event.Batch) error {
	select {
	case r := <-s.records:
		into.Add(0, s.at, 0, []byte(r))
		s.at++
	case <-ctx.Done():
	}
	into.AtEnd = true
	return ctx.Err()
}

// memoryStore is a store in memory that is taken for one that outlives the process.
type memoryStore struct{ *state.Memory }

func (memoryStore) Durable() bool { return true }

// running starts an engine over a tap; rows are its alerts, to be read while all is still.
func running(t *testing.T, rules string, o engine.Options) (e *engine.Engine, in *tap, rows *texts) {
	t.Helper()
	in, rows = newTap("p"), &texts{}
	o.Set, o.Outbox, o.Inputs = compile(t, rules), rows, []engine.Input{{Source: in, Idle: time.Hour}}
	if o.Store == nil {
		o.Store = memoryStore{state.NewMemory()}
	}
	e, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e, in, rows
}

// texts is an outbox that keeps the alerts.
type texts struct{ list []string }

func (o *texts) Append(_ *state.Batch, alert []byte) uint64 {
	o.list = append(o.list, string(alert))
	return uint64(len(o.list))
}
func (*texts) Acknowledge(*state.Batch, map[string]uint64) {}
func (o *texts) Last() uint64                              { return uint64(len(o.list)) }

// areStill waits until all is still, and wants so many alerts, the last of which says something.
func (o *texts) areStill(t *testing.T, n int, last string) {
	t.Helper()
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if len(o.list) != n || !strings.Contains(o.list[n-1], last) {
		t.Errorf("alerts %s", o.list)
	}
}

const swapEvents = "event e (time: at(s)) { at int  k int  n int  s string }\n"

func swapRecord(at, k, n int) string {
	return fmt.Sprintf(`{"type":"e","at":%d,"k":%d,"n":%d,"s":"x"}`, at, k, n)
}

// A change of a threshold changes what runs, at once.
func TestSwapChangesAThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = swapEvents + "rule high { from e where n > 990 emit { n: n } }"
		e, in, rows := running(t, rules, engine.Options{})
		for i, n := range []int{700, 995} {
			in.records <- swapRecord(i, 1, n)
		}
		synctest.Wait()
		if _, err := e.Swap(t.Context(), compile(t, strings.Replace(rules, "990", "500", 1))); err != nil {
			t.Fatal(err)
		}
		in.records <- swapRecord(2, 1, 700)
		rows.areStill(t, 2, `"n":700`)
	})
}

// The report says of each rule what became of it, and the store has the set's version.
func TestSwapReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = swapEvents + `
			rule gone { from e by k window last 5 having count() == 5 }
			rule kept { from e by k window last 4 having count() == 4 emit { n: n } }
			rule lost { by k match a: e[n == 1] -> b: e[n == 3] within 1h }
			rule part { by k match a: e[n == 1] -> b: e[n == 3] within 1h }
			rule same { by k match a: e[n == 1] -> b: e[n == 2] within 1h }`
		store := memoryStore{state.NewMemory()}
		e, in, rows := running(t, rules, engine.Options{Store: store, Shards: 2})
		for i := range 6 {
			in.records <- swapRecord(i, i/2, 1)
		}
		synctest.Wait()
		set := compile(t, swapEvents+`
			rule added { from e where s == "y" }
			rule kept { from e by k window last 4 having count() == 3 emit { n: n } }
			rule lost { by k match a: e[n == 5] -> b: e[n == 2] -> c: e within 1h }
			rule part { by k match a: e[n == 1] -> b: e[n == 2] within 1h }
			rule same { by k match a: e[n == 1] -> b: e[n == 2] within 1h }`)
		r, err := e.Swap(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range r.Rules {
			got = append(got, fmt.Sprint(c.Name, ": ", c.Fate, " ", c.Keys, " ", c.Why))
		}
		want := []string{"added: added 0 []", "gone: removed 3 []", "kept: changed, state kept 0 []", "lost: changed, state dropped 3 [pattern]", "part: changed, state kept in part 3 [pattern]", "same: unchanged 0 []"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(r.At) != 1 || r.At[0].Offset != 6 || r.Epoch != store.Epoch() {
			t.Errorf("at %v, epoch %d of %d", r.At, r.Epoch, store.Epoch())
		}
		d, err := engine.Describe(t.Context(), store)
		if err != nil || d.Set != set.Version || len(d.Rules) != 5 {
			t.Errorf("the store has %+v, %v", d, err)
		}
		for k := range 3 {
			in.records <- swapRecord(10+k, k, 2)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(rows.list); n != 9 { // each of kept, part and same
			t.Errorf("%d alerts:\n%s", n, strings.Join(rows.list, "\n"))
		}
		if k := e.Remembered(); k.Keys != 3 { // of kept
			t.Errorf("%+v", k)
		}
	})
}

// Of two changes that were prepared for the same set the second is refused, as is one of an
// engine that has ended; one that nobody waits for any more is not made.
func TestSwapsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = swapEvents + "rule r { from e where n > %d }"
		in := newTap("p")
		e, err := engine.New(t.Context(), engine.Options{Set: compile(t, fmt.Sprintf(rules, 1)), Store: state.NewMemory(), Outbox: &texts{}, Inputs: []engine.Input{{Source: in}}})
		if err != nil {
			t.Fatal(err)
		}
		first, err := e.Prepare(compile(t, fmt.Sprintf(rules, 2)))
		if err != nil {
			t.Fatal(err)
		}
		second, _ := e.Prepare(compile(t, fmt.Sprintf(rules, 3)))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.Swap(short, compile(t, fmt.Sprintf(rules, 4))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before Run: %v", err)
		}
		if err := errors.Join(first.Begin(), second.Begin()); !errors.Is(err, engine.ErrBusy) {
			t.Errorf("two at once: %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		if _, err := first.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if err := second.Begin(); err != nil {
			t.Error(err)
		}
		if _, err := second.Wait(t.Context()); !errors.Is(err, engine.ErrStale) {
			t.Errorf("of another set: %v", err)
		}
		if err := e.AddInput(t.Context(), engine.Input{Source: newTap("p")}); err == nil {
			t.Error("two inputs of one name")
		}
		if err := e.AddInput(t.Context(), engine.Input{Source: newTap("q")}); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := e.Swap(t.Context(), compile(t, fmt.Sprintf(rules, 4))); !errors.Is(err, engine.ErrEnded) {
			t.Errorf("after Run: %v", err)
		}
	})
}

// A source that has nothing to give does not hold a change up, nor one that the store takes
// long for.
func TestSwapWhileNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = swapEvents + "rule r { by k match a: e -> !e for %dm }"
		store := &failing{Memory: state.NewMemory(), takes: 3 * time.Second}
		e, in, rows := running(t, fmt.Sprintf(rules, 1), engine.Options{Store: store})
		in.records <- swapRecord(0, 1, 1)
		time.Sleep(time.Minute / 2)
		began := time.Now()
		if r, err := e.Swap(t.Context(), compile(t, fmt.Sprintf(rules, 1)+"\nrule other { from e }")); err != nil || r.Pause > 0 {
			t.Errorf("%v, %v", r, err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
		in.records <- swapRecord(100, 2, 1)
		time.Sleep(2 * time.Second) // it is being written
		set := compile(t, fmt.Sprintf(rules, 2)+"\nrule other { from e }")
		if r, err := e.Swap(t.Context(), set); err != nil || r.Pause > 0 || r.Rules[1].Fate != engine.Dropped {
			t.Errorf("%v, %v", r, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(rows.list) != 2 { // of r for key 1, and of other
			t.Errorf("alerts %s", rows.list)
		}
	})
}
