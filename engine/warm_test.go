package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// log is a source over records that are there: of a file of the past, or, where it does not
// end, of a topic that is read again.
type log struct {
	name    string
	records []string
	at      int
	grows   bool
}

func (l *log) Partition() event.Partition                  { return event.Partition{Source: l.name} }
func (l *log) Resume(context.Context, int64, []byte) error { return nil }
func (l *log) Position() int64                             { return int64(l.at) }
func (l *log) Fingerprint() []byte                         { return nil }
func (l *log) Next(ctx context.Context, b *event.Batch) error {
	if l.at == len(l.records) {
		if !l.grows {
			return io.EOF
		}
		<-ctx.Done()
		return ctx.Err()
	}
	b.Add(0, int64(l.at), 0, []byte(l.records[l.at]))
	l.at++
	return nil
}

const three = swapEvents + "rule three {\n from e by k\n window last 3\n having count() == 3\n emit { sum: sum(n) }\n}\n"

// warm begins to warm the rules of a set, and runs it.
func warm(t *testing.T, e *engine.Engine, rules string, p engine.Past) *engine.Warmup {
	t.Helper()
	p.Set = compile(t, rules)
	w, err := e.Warm(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { _ = w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-w.Done() })
	return w
}

// TestFilesOfThePastWarmARule up to the time that the engine has come to.
func TestFilesOfThePastWarmARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, rows := running(t, swapEvents, engine.Options{})
		in.records <- swapRecord(100, 1, 1)
		time.Sleep(2 * time.Second)
		past := &log{name: "past", records: []string{swapRecord(10, 1, 5), swapRecord(20, 1, 7), swapRecord(100, 1, 1), swapRecord(130, 1, 1000)}}
		w := warm(t, e, three, engine.Past{Whole: []engine.Input{{Source: past}}, Until: math.MinInt64})
		<-w.Near()
		in.records <- swapRecord(101, 1, 2) // it is read between the two
		time.Sleep(2 * time.Second)
		if missing := w.Missing(); len(missing) != 1 || missing[0].Source != "p" {
			t.Errorf("missing %v", missing)
		}
		r, err := e.SwapWarm(t.Context(), compile(t, three), w)
		if err != nil || len(r.Rules) != 1 || !r.Rules[0].Warm || r.Rules[0].WarmKeys != 1 {
			t.Fatal(err, r.Rules)
		}
		in.records <- swapRecord(140, 1, 11)
		rows.areStill(t, 1, `"sum":23`)
		if _, err := e.SwapWarm(t.Context(), compile(t, three+strings.Replace(three, swapEvents+"rule three", "rule four", 1)), w); err == nil {
			t.Error("what was warmed was taken twice")
		}
	})
}

// TestWarmingWaitsUntilTheEngineHasComeToThePastsEnd: before that, events would count twice.
func TestWarmingWaitsUntilTheEngineHasComeToThePastsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, rows := running(t, swapEvents, engine.Options{})
		in.records <- swapRecord(1, 1, 1)
		past := &log{name: "past", records: []string{swapRecord(1, 1, 1), swapRecord(5, 1, 2), swapRecord(60, 1, 3)}}
		w := warm(t, e, three, engine.Past{Whole: []engine.Input{{Source: past}}, Until: 50e9})
		time.Sleep(time.Minute)
		select {
		case <-w.Near():
			t.Error("it is near before its time")
		default:
		}
		if waits := w.Awaits(); waits != engine.AwaitsUntil {
			t.Errorf("it waits for %q", waits)
		}
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); !errors.Is(err, engine.ErrNotThere) {
			t.Error(err)
		}
		in.records <- swapRecord(5, 1, 2)
		in.records <- swapRecord(50, 1, 0)
		<-w.Near()
		if waits := w.Awaits(); waits != "" {
			t.Errorf("near, it waits for %q", waits)
		}
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil {
			t.Fatal(err)
		}
		in.records <- swapRecord(60, 1, 3)
		rows.areStill(t, 1, `"sum":6`)
	})
}

// TestThePastIsNotReadAheadOfTheEngine: what lies between the engine's time and the past's end
// does not fill the memory until the engine has come there.
func TestThePastIsNotReadAheadOfTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, rows := running(t, swapEvents, engine.Options{Waiting: 5})
		in.records <- swapRecord(1, 1, 1)
		past := &log{name: "past"}
		for n := range 40 {
			past.records = append(past.records, swapRecord(n, 1, n))
		}
		w := warm(t, e, three, engine.Past{Whole: []engine.Input{{Source: past}}, Until: 30e9})
		for _, at := range []int{2, 10, 30} {
			time.Sleep(time.Minute)
			select {
			case <-w.Done():
				t.Fatal("warming has ended")
			case <-w.Near():
				t.Fatal("it is near before its time")
			default:
			}
			in.records <- swapRecord(at, 2, 0)
		}
		<-w.Near()
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil {
			t.Fatal(err)
		}
		in.records <- swapRecord(31, 1, 100)
		rows.areStill(t, 1, `"sum":157`)
	})
}

// TestWarmingSaysThatItWaitsForAnEvent: an engine that has had none has come nowhere, however
// long the past has been there.
func TestWarmingSaysThatItWaitsForAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, _ := running(t, swapEvents, engine.Options{})
		past := &log{name: "past", records: []string{swapRecord(1, 1, 1), swapRecord(5, 1, 2)}}
		w := warm(t, e, three, engine.Past{Whole: []engine.Input{{Source: past}}, Until: math.MinInt64})
		time.Sleep(time.Minute)
		if waits := w.Awaits(); waits != engine.AwaitsEvent {
			t.Errorf("it waits for %q", waits)
		}
		in.records <- swapRecord(60, 1, 3)
		<-w.Near()
		if waits := w.Awaits(); waits != "" {
			t.Errorf("near, it waits for %q", waits)
		}
		if r, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil || r.Rules[0].WarmKeys != 1 {
			t.Fatal(err, r.Rules)
		}
	})
}

// TestAPartitionIsReadAgainUpToWhereTheEngineStands: what it reads afterwards counts once.
func TestAPartitionIsReadAgainUpToWhereTheEngineStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, rows := running(t, swapEvents, engine.Options{})
		again := &log{name: "p", grows: true}
		for n := range 6 {
			again.records = append(again.records, swapRecord(n, 1, n))
		}
		for _, r := range again.records[:2] {
			in.records <- r
		}
		time.Sleep(2 * time.Second)
		w := warm(t, e, three, engine.Past{Again: []engine.Input{{Source: again}, {Source: &log{name: "other", grows: true}}}})
		if _, err := e.Warm(t.Context(), engine.Past{Set: compile(t, three)}, nil); !errors.Is(err, engine.ErrWarming) {
			t.Error(err)
		}
		<-w.Near()
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil || len(w.Missing()) > 0 {
			t.Fatal(err, w.Missing())
		}
		<-w.Done()
		for _, r := range again.records[2:4] {
			in.records <- r
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(rows.list) != 2 || !strings.Contains(rows.list[0], `"sum":3`) || !strings.Contains(rows.list[1], `"sum":6`) {
			t.Errorf("alerts %s", rows.list)
		}
		if _, err := e.Warm(t.Context(), engine.Past{Set: compile(t, three)}, nil); !errors.Is(err, engine.ErrNothingToWarm) {
			t.Error(err)
		}
	})
}

// TestAPastThatCannotBeReadInTime leaves what runs as it is, and can be asked for again.
func TestAPastThatCannotBeReadInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, _ := running(t, swapEvents, engine.Options{})
		in.records <- swapRecord(1, 1, 1)
		time.Sleep(2 * time.Second)
		slow := newTap("p")
		w := warm(t, e, three, engine.Past{Again: []engine.Input{{Source: slow}}, Pause: time.Second})
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); !errors.Is(err, engine.ErrNotThere) {
			t.Error(err)
		}
		slow.records <- swapRecord(1, 1, 1)
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil {
			t.Error(err)
		}
	})
}

// TestAPastThatTakesTooMuchMemory ends the warming, not the engine.
func TestAPastThatTakesTooMuchMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, _ := running(t, swapEvents, engine.Options{})
		in.records <- swapRecord(1000, 1, 1)
		time.Sleep(2 * time.Second)
		past := &log{name: "past"}
		for k := range 2000 {
			past.records = append(past.records, swapRecord(10, k, 1))
		}
		w := warm(t, e, three, engine.Past{Whole: []engine.Input{{Source: past}}, Until: math.MinInt64, Bytes: 10_000})
		<-w.Done()
		large := (*engine.MemoryError)(nil)
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); !errors.As(err, &large) {
			t.Error(err)
		}
	})
}

// TestWhatIsKeptOfThePastKnowsWhereItIsFrom: partitions have numbers of their own beside the
// engine, and in it.
func TestWhatIsKeptOfThePastKnowsWhereItIsFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = swapEvents + "rule pair {\n by k\n match a: e[n == 1] -> b: e[n == 2]\n within 1h\n emit { of: a.meta.source  to: b.meta.source }\n}\n"
		e, in, rows := running(t, swapEvents, engine.Options{})
		in.records <- swapRecord(100, 1, 0)
		time.Sleep(2 * time.Second)
		past := &log{name: "past", records: []string{swapRecord(10, 1, 1)}}
		w := warm(t, e, rules, engine.Past{Whole: []engine.Input{{Source: past}}, Until: math.MinInt64})
		<-w.Near()
		if _, err := e.SwapWarm(t.Context(), compile(t, rules), w); err != nil {
			t.Fatal(err)
		}
		in.records <- swapRecord(110, 1, 2)
		rows.areStill(t, 1, `{"of":"past","to":"p"}`)
	})
}

// TestTheRestOfAnEngineIsGoneAlongWith: partitions that fell idle, before warming began as the
// store knows, and since; a partition that is not read again holds the others' events up.
func TestTheRestOfAnEngineIsGoneAlongWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore{state.NewMemory()}
		p, q, rows := newTap("p"), newTap("q"), &texts{}
		const idle = time.Second
		e, err := engine.New(t.Context(), engine.Options{
			Set: compile(t, swapEvents), Store: store, Outbox: rows,
			Inputs: []engine.Input{{Source: p, Idle: idle}, {Source: q, Idle: idle}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		again := &log{name: "p", grows: true, records: []string{swapRecord(10, 1, 1), swapRecord(20, 1, 2), swapRecord(30, 1, 4), swapRecord(40, 1, 8)}}
		give := func(from *tap, record string) {
			from.records <- record
			time.Sleep(3 * time.Second) // both fall idle
			synctest.Wait()
		}
		give(p, again.records[0])
		give(q, swapRecord(15, 2, 0))
		give(p, again.records[1])
		w := warm(t, e, three, engine.Past{Again: []engine.Input{{Source: again}}})
		<-w.Near()
		give(p, again.records[2])
		if len(w.Missing()) != 1 {
			t.Errorf("missing %v", w.Missing())
		}
		if _, err := e.SwapWarm(t.Context(), compile(t, three), w); err != nil {
			t.Fatal(err)
		}
		give(p, again.records[3])
		if len(rows.list) != 1 || !strings.Contains(rows.list[0], `"sum":14`) {
			t.Errorf("alerts %s", rows.list)
		}
	})
}

// TestWarmingEndsWithTheEngine that it goes along with: nothing would ever take what it has.
func TestWarmingEndsWithTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newTap("p")
		e, err := engine.New(t.Context(), engine.Options{
			Set: compile(t, swapEvents), Store: memoryStore{state.NewMemory()}, Outbox: &texts{}, Inputs: []engine.Input{{Source: in, Idle: time.Hour}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		in.records <- swapRecord(1, 1, 1)
		time.Sleep(2 * time.Second)
		w, err := e.Warm(t.Context(), engine.Past{Set: compile(t, three), Again: []engine.Input{{Source: &log{name: "p", grows: true}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		warmed := make(chan error, 1)
		running, end := context.WithTimeout(t.Context(), time.Hour)
		defer end()
		go func() { warmed <- w.Run(running) }()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := <-warmed; !errors.Is(err, engine.ErrEnded) {
			t.Errorf("warming ended with %v", err)
		}
	})
}

// TestAPastThatEndsTooEarly is not taken for all of it.
func TestAPastThatEndsTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, in, _ := running(t, swapEvents, engine.Options{})
		for n := range 3 {
			in.records <- swapRecord(n, 1, n)
		}
		time.Sleep(2 * time.Second)
		w := warm(t, e, three, engine.Past{Again: []engine.Input{{Source: &log{name: "p", records: []string{swapRecord(0, 1, 0)}}}}})
		time.Sleep(time.Second)
		if r, err := e.SwapWarm(t.Context(), compile(t, three), w); err == nil || !strings.Contains(err.Error(), "the past of p ends at 1, before") {
			t.Errorf("%v, %+v", err, r.Rules)
		}
	})
}

// TestWarmingBeginsWhileRulesChange is for the race detector: it goes by nothing that a change of
// the rules writes to.
func TestWarmingBeginsWhileRulesChange(t *testing.T) {
	e, in, _ := running(t, swapEvents, engine.Options{})
	in.records <- swapRecord(1, 1, 1)
	var changing sync.WaitGroup
	changing.Go(func() {
		for n := range 100 {
			if _, err := e.Swap(t.Context(), compile(t, fmt.Sprintf("%srule other { from e where n > %d emit { n: n } }\n", swapEvents, n))); err != nil {
				t.Error(err)
			}
		}
	})
	past := compile(t, three)
	for range 20 {
		w, err := e.Warm(t.Context(), engine.Past{Set: past, Again: []engine.Input{{Source: &log{name: "p", grows: true}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_ = w.Run(ctx)
	}
	changing.Wait()
}
