package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// portion is what a scripted source gives at once, after a pause.
type portion struct {
	Pause   time.Duration
	Records []string
	Busy    bool // it is not the end of the log
	Stamp   int64
	Err     error
}

// script is a source that follows a script; after it, it ends, or stays as a pipe does.
// A position is a number of records.
type script struct {
	name     string
	portions []portion
	stays    bool
	from, at int
	size     int // records a batch; 0: those of a portion
}

func (s *script) Partition() event.Partition { return event.Partition{Source: s.name} }
func (s *script) Position() int64            { return int64(s.at) }
func (s *script) Fingerprint() []byte        { return nil }

func (s *script) Resume(_ context.Context, offset int64, _ []byte) error {
	s.from = int(offset)
	return nil
}

// Next gives the next portion, or a part of it.
func (s *script) Next(ctx context.Context, into *event.Batch) error {
	for s.at < s.from { // read in an earlier run
		s.skip()
	}
	if len(s.portions) == 0 {
		if !s.stays {
			return io.EOF
		}
		<-ctx.Done()
		return ctx.Err()
	}
	p := &s.portions[0]
	if err := pause(ctx, p.Pause); err != nil {
		return err
	}
	p.Pause = 0
	n := len(p.Records)
	if s.size > 0 {
		n = min(n, s.size)
	}
	for _, r := range p.Records[:n] {
		into.Add(0, int64(s.at), p.Stamp, []byte(r))
		s.at++
	}
	into.Stamped = p.Stamp != 0
	err := p.Err
	if p.Records = p.Records[n:]; len(p.Records) == 0 {
		into.AtEnd = !p.Busy
		s.portions = s.portions[1:]
	}
	return err
}

// skip passes one record by, or an empty portion.
func (s *script) skip() {
	p := &s.portions[0]
	if len(p.Records) > 0 {
		p.Records = p.Records[1:]
		s.at++
	}
	if len(p.Records) == 0 {
		s.portions = s.portions[1:]
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heard is an alert with when it was said, from the start of the run.
type heard struct {
	After time.Duration
	What  string // rule, time in seconds, fields
}

// ear is an outbox that hears.
type ear struct {
	start time.Time
	heard []heard
	rows  []string
}

func (e *ear) Append(_ *state.Batch, alert []byte) uint64 {
	var a struct {
		Rule   string
		Time   time.Time
		Fields json.RawMessage
	}
	if err := json.Unmarshal(alert, &a); err != nil {
		panic(err)
	}
	what := fmt.Sprintf("%s %v %s", a.Rule, float64(a.Time.UnixMilli())/1000, a.Fields)
	e.heard = append(e.heard, heard{time.Since(e.start), what})
	e.rows = append(e.rows, string(alert))
	return uint64(len(e.heard))
}

func (e *ear) Acknowledge(*state.Batch, map[string]uint64) {}
func (e *ear) Last() uint64                                { return uint64(len(e.heard)) }

func (e *ear) what() (all []string) {
	for _, h := range e.heard {
		all = append(all, h.What)
	}
	return all
}

// lasting is a memory store that an engine keeps its state in.
type lasting struct{ *state.Memory }

func (lasting) Durable() bool { return true }

func compile(t interface {
	Helper()
	Fatal(...any)
}, rules string,
) *plan.Set {
	t.Helper()
	set, errs := lang.Compile([]*source.File{{Name: "rules.cep", Text: rules}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	return set
}

const ab = `event a (time: t(ms)) { t int  i int }
event b (time: t(ms)) { t int  i int }
`

const lateL = `event l (time: t(ms), lateness: 5s, late: drop) { t int  i int }
`

// rec is a record of a time in seconds.
func rec(kind string, at float64, i int) string {
	return fmt.Sprintf(`{"type":%q,"t":%d,"i":%d}`, kind, int64(at*1000), i)
}

// listen runs rules over scripts, which stay, for some time; stats is nil where it is
// not wanted.
func listen(t *testing.T, d time.Duration, o engine.Options, rules string, scripts ...*script) (*ear, *engine.Stats) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	ear, stats, err := run(ctx, o, compile(t, rules), scripts...)
	if err != nil {
		t.Fatal(err)
	}
	return ear, stats
}

func run(ctx context.Context, o engine.Options, set *plan.Set, scripts ...*script) (*ear, *engine.Stats, error) {
	ear := &ear{start: time.Now()}
	o.Set, o.Outbox = set, ear
	if o.Store == nil {
		o.Store = state.NewMemory()
	}
	for _, s := range scripts {
		o.Inputs = append(o.Inputs, engine.Input{Source: s})
	}
	e, err := engine.New(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	err = e.Run(ctx)
	return ear, e.Stats(), err
}

// inBothStores runs a test in a bubble with a clock of its own, with a store that does
// not last and with one that does.
func inBothStores(t *testing.T, test func(t *testing.T, o engine.Options)) {
	for name, store := range map[string]func() engine.Store{
		"memory":  func() engine.Store { return state.NewMemory() },
		"lasting": func() engine.Store { return lasting{state.NewMemory()} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, engine.Options{Store: store(), Shards: 2}) })
		})
	}
}

const second = time.Second

// An absence is told when its time has come by the wall clock, idle time added, without
// a further event, and never before.
func TestAbsenceNeedsNoNextEvent(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		got, stats := listen(t, time.Hour, o, ab+`rule r { match x: a -> !b for 10s emit { i: x.i } }`,
			&script{name: "p", stays: true, portions: []portion{{Pause: 5 * second, Records: []string{rec("a", 100, 1)}}}})
		want := []heard{{16 * second, `r 110 {"i":1}`}}
		if d := cmp.Diff(want, got.heard); d != "" {
			t.Error(d)
		}
		if stats.Watermark != 110e9 || stats.IdleSteps != 2 {
			t.Errorf("watermark %d after %d idle steps", stats.Watermark, stats.IdleSteps)
		}
	})
}

// Deadlines close together are told in few steps, each within a tenth of a second of
// its time.
func TestManyDeadlinesShareSteps(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		var records []string
		for i := range 1000 {
			records = append(records, rec("a", 100+float64(i)/1000, i))
		}
		got, stats := listen(t, time.Hour, o, ab+`rule r { by i match x: a -> !b for 10s emit { i: x.i } }`,
			&script{name: "p", stays: true, portions: []portion{{Records: records}}})
		if len(got.heard) != 1000 || stats.IdleSteps > 14 {
			t.Errorf("%d alerts in %d steps", len(got.heard), stats.IdleSteps)
		}
		for i, h := range got.heard { // the watermark is at 100.999 when the silence begins
			due := second + time.Duration(i)*time.Millisecond + 10*second - 999*time.Millisecond
			if h.After < due || h.After > due+100*time.Millisecond {
				t.Fatalf("alert %d after %s, due after %s", i, h.After, due)
			}
		}
	})
}

// A source that does not stand at the end of its log is never idle, however long it is
// silent; neither is one whose fetch fails, which ends the run.
func TestOnlyTheEndOfTheLogIsIdle(t *testing.T) {
	const rule = ab + `rule r { match a -> !b for 10s }`
	inBothStores(t, func(t *testing.T, o engine.Options) {
		got, stats := listen(t, time.Hour, o, rule,
			&script{name: "p", stays: true, portions: []portion{{Records: []string{rec("a", 100, 1)}, Busy: true}}})
		if len(got.heard) > 0 || stats.IdleSteps > 0 {
			t.Errorf("%v, %d idle steps", got.heard, stats.IdleSteps)
		}
	})
	inBothStores(t, func(t *testing.T, o engine.Options) {
		broken := errors.New("no broker")
		got, _, err := run(t.Context(), o, compile(t, rule),
			&script{name: "p", portions: []portion{{Records: []string{rec("a", 100, 1)}}, {Pause: second / 2, Err: broken}}})
		if !errors.Is(err, broken) || len(got.heard) > 0 {
			t.Errorf("%v, %v", err, got.heard)
		}
	})
	inBothStores(t, func(t *testing.T, o engine.Options) {
		_, _, err := run(t.Context(), o, compile(t, rule), &script{name: "p", portions: []portion{{Busy: true}}})
		if err == nil || !strings.Contains(err.Error(), "neither records nor the end of its log") {
			t.Errorf("a source that says nothing: %v", err)
		}
	})
}

// A source that does not know any more whether it stands at the end of its log takes that
// back without a record: it is not idle until it says so again, and is awake at once where
// it was. To say twice in a row that it does not know is nothing a source may do.
func TestDoubtIsNotIdleness(t *testing.T) {
	const rule = ab + `rule r { match x: a -> !b for 10s emit { i: x.i } }`
	first := portion{Records: []string{rec("a", 100, 1)}}
	doubt := portion{Pause: second / 2, Busy: true}
	for name, c := range map[string]struct {
		portions []portion
		want     []heard
		steps    uint64
	}{
		"before it is idle": {[]portion{first, doubt}, nil, 0},
		"for a time":        {[]portion{first, doubt, {Pause: 30 * second}}, []heard{{41*second + second/2, `r 110 {"i":1}`}}, 2},
		"while it is idle": { // from 1 s to 5 s, and from 26 s on: 4 s of the 10 are gone
			[]portion{first, {Pause: 5 * second, Busy: true}, {Pause: 20 * second}},
			[]heard{{32 * second, `r 110 {"i":1}`}},
			4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBothStores(t, func(t *testing.T, o engine.Options) {
				got, stats := listen(t, time.Hour, o, rule, &script{name: "p", stays: true, portions: slices.Clone(c.portions)})
				if d := cmp.Diff(c.want, got.heard); d != "" || stats.IdleSteps != c.steps {
					t.Errorf("%d idle steps, want %d; %s", stats.IdleSteps, c.steps, d)
				}
			})
		})
	}
	inBothStores(t, func(t *testing.T, o engine.Options) {
		_, _, err := run(t.Context(), o, compile(t, rule), &script{name: "p", portions: []portion{first, doubt, doubt}})
		if err == nil || !strings.Contains(err.Error(), "neither records nor the end of its log") {
			t.Errorf("in doubt twice: %v", err)
		}
	})
}

// A source that finds nothing at its start says so without a record, and does not hold
// up the others.
func TestEmptyPartitionDoesNotHoldUpOthers(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		got, _ := listen(t, time.Minute, o, ab+`rule r { from a emit { i: i } }`,
			&script{name: "empty", stays: true, portions: []portion{{}}},
			&script{name: "full", stays: true, portions: []portion{{Records: []string{rec("a", 100, 1)}}}})
		if d := cmp.Diff([]heard{{second, `r 100 {"i":1}`}}, got.heard); d != "" {
			t.Error(d)
		}
	})
}

// A partition that is silent holds the others up for the idle time and no longer; with
// one of its own, for that.
func TestIdleTimeIsOfTheInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ear := &ear{start: time.Now()}
		o := engine.Options{Set: compile(t, ab+`rule r { from a emit { i: i } }`), Store: state.NewMemory(), Outbox: ear, Idle: 7 * second}
		o.Inputs = []engine.Input{
			{Source: &script{name: "p", stays: true, portions: []portion{{Records: []string{rec("a", 1, 1)}}}}, Idle: 3 * second},
			{Source: &script{name: "q", stays: true, portions: []portion{{Records: []string{rec("a", 2, 2), rec("a", 3, 3)}}}}},
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		e, err := engine.New(ctx, o)
		if err == nil {
			err = e.Run(ctx)
		}
		want := []heard{{0, `r 1 {"i":1}`}, {3 * second, `r 2 {"i":2}`}, {3 * second, `r 3 {"i":3}`}}
		if d := cmp.Diff(want, ear.heard); d != "" || err != nil {
			t.Error(err, d)
		}
	})
}

// Events that wait for their lateness are processed when time has grown to theirs.
func TestSilenceLetsWaitingEventsThrough(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		got, _ := listen(t, time.Minute, o, lateL+`rule r { from l emit { i: i } }`,
			&script{name: "p", stays: true, portions: []portion{{Records: []string{rec("l", 103, 3), rec("l", 100, 0), rec("l", 102, 2)}}}})
		want := []heard{{3 * second, `r 100 {"i":0}`}, {5 * second, `r 102 {"i":2}`}, {6 * second, `r 103 {"i":3}`}}
		if d := cmp.Diff(want, got.heard); d != "" {
			t.Error(d)
		}
	})
}

// What comes after a silence counts at the time that has been told, where it is older;
// it is late, and dropped, only by its own partition's watermark.
func TestReturnAfterSilence(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		var dead []engine.Dead
		o.Dead = func(d []engine.Dead) error { dead = append(dead, d...); return nil }
		got, stats := listen(t, time.Minute, o, lateL+`rule r { from l emit { i: i, own: meta.time } }`,
			&script{name: "p", stays: true, portions: []portion{
				{Records: []string{rec("l", 100, 1)}}, // watermark 95; at 20 s time has grown to 114
				{Pause: 20 * second, Records: []string{rec("l", 96, 2), rec("l", 94, 3), rec("l", 110, 4), rec("l", 119, 5), rec("l", 130, 6)}},
			}})
		want := []heard{
			{6 * second, `r 100 {"i":1,"own":"1970-01-01T00:01:40Z"}`},
			{20 * second, `r 114 {"i":2,"own":"1970-01-01T00:01:36Z"}`},
			{20 * second, `r 114 {"i":4,"own":"1970-01-01T00:01:50Z"}`},
			{20 * second, `r 119 {"i":5,"own":"1970-01-01T00:01:59Z"}`},
			{26 * second, `r 130 {"i":6,"own":"1970-01-01T00:02:10Z"}`}, // 125 when it was silent again
		}
		if d := cmp.Diff(want, got.heard); d != "" {
			t.Error(d)
		}
		if stats.LateDropped != 1 || len(dead) != 1 || !strings.HasPrefix(dead[0].Reason, "late: its time is 1970-01-01T00:01:34Z, the watermark 1970-01-01T00:01:35Z") {
			t.Errorf("%d dropped, %+v", stats.LateDropped, dead)
		}
	})
}

// Before the first event there is no time that could grow.
func TestSilenceBeforeTheFirstEvent(t *testing.T) {
	inBothStores(t, func(t *testing.T, o engine.Options) {
		got, stats := listen(t, time.Hour, o, ab+`rule r { from a emit { i: i } }`,
			&script{name: "p", stays: true, portions: []portion{{}, {Pause: time.Minute, Records: []string{rec("a", 1, 1)}}}})
		if d := cmp.Diff([]heard{{time.Minute, `r 1 {"i":1}`}}, got.heard); d != "" || stats.Watermark != 1e9 {
			t.Error(d, stats.Watermark)
		}
	})
}

const lawRules = ab + lateL + `
rule absent { by i match x: a -> !b for 3s emit { i: x.i } }
rule seen { from a, b, l emit { i: i } }
rule sliding { from a, l by i window sliding 4s having count() >= 2 emit { n: count() } }`

// drawScripts draws partitions with pauses, disorder and lateness. What they give from
// the second run on comes after their portions before.
func drawScripts(t *rapid.T) []*script {
	var scripts []*script
	for n := range rapid.IntRange(1, 3).Draw(t, "partitions") {
		s := &script{name: fmt.Sprint("p", n)}
		now := 0.0
		for range rapid.IntRange(1, 6).Draw(t, "portions") {
			p := portion{
				Pause: time.Duration(rapid.SampledFrom([]int{0, 0, 300, 1500, 4000}).Draw(t, "pause")) * time.Millisecond,
				Busy:  rapid.IntRange(0, 4).Draw(t, "busy") == 0,
			}
			for range rapid.IntRange(1, 4).Draw(t, "records") {
				now += float64(rapid.IntRange(-10, 30).Draw(t, "step")) / 10
				p.Records = append(p.Records, rec(rapid.SampledFrom([]string{"a", "a", "b", "l", "?"}).Draw(t, "type"), max(0, now), rapid.IntRange(1, 2).Draw(t, "i")))
			}
			s.portions = append(s.portions, p)
		}
		scripts = append(scripts, s)
	}
	return scripts
}

func fresh(scripts []*script, size int) (all []*script) {
	for _, s := range scripts {
		c := &script{name: s.name, size: size, stays: s.stays}
		for _, p := range s.portions {
			p.Records = slices.Clone(p.Records)
			c.portions = append(c.portions, p)
		}
		all = append(all, c)
	}
	return all
}

// The law: the same records and the same idle steps give the same alerts, whatever the
// epochs, the shards, the batches, and the places where the engine was stopped.
func TestSameStepsSameAlerts(t *testing.T) {
	set := compile(t, lawRules)
	rapid.Check(t, func(rt *rapid.T) {
		scripts := drawScripts(rt)
		stop := time.Duration(rapid.IntRange(1, 12_000).Draw(rt, "stop")) * time.Millisecond
		var live *ear
		var steps []engine.IdleStep
		synctest.Test(t, func(t *testing.T) {
			store := lasting{state.NewMemory()}
			ctx, cancel := context.WithTimeout(t.Context(), stop)
			first := startAndStop(ctx, rt, engine.Options{Store: store, EpochEvents: 3}, set, fresh(scripts, 0))
			cancel()
			live = startAndStop(t.Context(), rt, engine.Options{Store: store, Final: true}, set, fresh(scripts, 0))
			live.rows = append(first.rows, live.rows...)
			var err error
			if steps, err = engine.IdleSteps(t.Context(), store); err != nil {
				rt.Fatal(err)
			}
		})
		for _, o := range []engine.Options{{EpochEvents: 1}, {Shards: 7}, {EpochEvents: 2, Shards: 2, Store: lasting{state.NewMemory()}}} {
			o.Steps, o.Final = append([]engine.IdleStep{}, steps...), true
			again := startAndStop(t.Context(), rt, o, set, unhurried(fresh(scripts, rapid.IntRange(0, 3).Draw(rt, "batch"))))
			if d := cmp.Diff(live.rows, again.rows); d != "" {
				rt.Fatalf("steps %+v\nscripts %s\n(-live +again)\n%s", steps, show(scripts), d)
			}
		}
	})
}

func unhurried(scripts []*script) []*script {
	for _, s := range scripts {
		for i := range s.portions {
			s.portions[i].Pause = 0
		}
	}
	return scripts
}

func show(scripts []*script) string {
	text, err := json.MarshalIndent(func() (all [][]portion) {
		for _, s := range scripts {
			all = append(all, s.portions)
		}
		return all
	}(), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func startAndStop(ctx context.Context, t *rapid.T, o engine.Options, set *plan.Set, scripts []*script) *ear {
	ear, _, err := run(ctx, o, set, scripts...)
	if err != nil {
		t.Fatal(err)
	}
	return ear
}

// Given steps go on after those that a store has taken.
func TestGivenStepsGoOn(t *testing.T) {
	rules := ab + `rule r { match x: a -> !b for 3s emit { i: x.i } }`
	scripts := []*script{{name: "p", stays: true, portions: []portion{{Records: []string{rec("a", 1, 1)}}, {Pause: 10 * second, Records: []string{rec("a", 2, 2)}}}}}
	var live *ear
	var steps []engine.IdleStep
	synctest.Test(t, func(t *testing.T) {
		store := lasting{state.NewMemory()}
		live, _ = listen(t, time.Minute, engine.Options{Store: store}, rules, fresh(scripts, 0)...)
		var err error
		if steps, err = engine.IdleSteps(t.Context(), store); err != nil {
			t.Fatal(err)
		}
	})
	if len(steps) != 3 { // idle and grown to the absence, back, idle and grown to the next
		t.Fatalf("steps %+v", steps)
	}
	store, set := lasting{state.NewMemory()}, compile(t, rules)
	first := unhurried(fresh(scripts, 0))
	first[0].portions = append(first[0].portions[:1], portion{Err: errors.New("cut")})
	one, _, err := run(t.Context(), engine.Options{Store: store, Steps: steps}, set, first...)
	if err == nil {
		t.Fatal("the script's error was not heard")
	}
	second := unhurried(fresh(scripts, 0))
	second[0].stays = false
	two, _, err := run(t.Context(), engine.Options{Store: store, Steps: steps}, set, second...)
	if d := cmp.Diff(live.rows, append(one.rows, two.rows...)); d != "" || err != nil {
		t.Error(err, d)
	}
}

// Without --state the steps leave no trace; with it, growing on at one place is one step.
func TestStepsAreRecordedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := lasting{state.NewMemory()}
		var records []string
		for i := range 50 {
			records = append(records, rec("a", 100+float64(i), i))
		}
		listen(t, time.Hour, engine.Options{Store: store}, ab+`rule r { by i match a -> !b for 100s }`,
			&script{name: "p", stays: true, portions: []portion{{Records: records}}})
		steps, err := engine.IdleSteps(t.Context(), store)
		p := event.Partition{Source: "p"}
		want := []engine.IdleStep{{At: []event.Position{{Partition: p, Offset: 50}}, Idle: []event.Partition{p}, Time: 249e9}}
		if d := cmp.Diff(want, steps); d != "" || err != nil {
			t.Error(err, d)
		}
	})
}

// A store whose steps make no sense is refused.
func TestDamagedSteps(t *testing.T) {
	for _, value := range []string{"", "\x02\xff", "\x02\x01p", "\x02\x01p\x00\x00\x00\x07"} {
		store := lasting{state.NewMemory()}
		var b state.Batch
		b.Put(state.TableIdle, make([]byte, 8), []byte(value))
		if err := store.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if _, _, err := run(t.Context(), engine.Options{Store: store}, compile(t, ab), &script{name: "p"}); err == nil {
			t.Errorf("%q was taken for an idle step", value)
		}
	}
}

const timeRules = `event d (time: t(ms), id: i, dedup: 10s, ahead: 1m) { t int  i int }
rule r { from d emit { i: i } }`

// Copies are dropped for their span of the watermark, and not the first again for their
// sake; they do not move time.
func TestDedup(t *testing.T) {
	for name, test := range map[string]struct {
		records []string
		want    []string
		copies  uint64
	}{
		"a copy": {[]string{rec("d", 1, 1), rec("d", 1, 1)}, []string{`r 1 {"i":1}`}, 1},
		"a copy just before the span has passed": {
			[]string{rec("d", 1, 1), rec("d", 10.999, 2), rec("d", 11, 1)}, []string{`r 1 {"i":1}`, `r 10.999 {"i":2}`}, 1,
		},
		"an event exactly at the span": {
			[]string{rec("d", 1, 1), rec("d", 11, 2), rec("d", 11, 1)}, []string{`r 1 {"i":1}`, `r 11 {"i":2}`, `r 11 {"i":1}`}, 0,
		},
		"a copy does not move time": {
			[]string{rec("d", 1, 1), rec("d", 9, 1), rec("d", 2, 2)}, []string{`r 1 {"i":1}`, `r 2 {"i":2}`}, 1,
		},
		"a copy does not prolong": {
			[]string{rec("d", 1, 1), rec("d", 8, 2), rec("d", 8, 1), rec("d", 12, 3), rec("d", 12, 1)},
			[]string{`r 1 {"i":1}`, `r 8 {"i":2}`, `r 12 {"i":3}`, `r 12 {"i":1}`},
			1,
		},
		"what went to the dead letters is no first": {
			[]string{rec("d", 1, 1), rec("d", 100, 2), rec("d", 5, 2)}, []string{`r 1 {"i":1}`, `r 5 {"i":2}`}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, stats, err := run(t.Context(), engine.Options{}, compile(t, timeRules), &script{name: "p", portions: []portion{{Records: test.records}}})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got.what()); d != "" || stats.Copies != test.copies {
				t.Errorf("%v\n%d copies, want %d\n%s", test.records, stats.Copies, test.copies, d)
			}
		})
	}
}

// Of more ids than may be remembered the oldest are forgotten, and that is counted.
func TestDedupForgetsTheOldest(t *testing.T) {
	records := []string{rec("d", 1, 1), rec("d", 1, 2), rec("d", 1, 3), rec("d", 1, 1), rec("d", 1, 3)}
	_, stats, err := run(t.Context(), engine.Options{Marks: 2}, compile(t, timeRules), &script{name: "p", portions: []portion{{Records: records}}})
	if err != nil || stats.Copies != 1 || stats.MarksDropped != 2 {
		t.Errorf("%v: %d copies, %d marks dropped; want 1 and 2", err, stats.Copies, stats.MarksDropped)
	}
}

// An event too far ahead of its record's time stamp, or of the watermark where there is
// none, goes to the dead letters and does not make the next late.
func TestAhead(t *testing.T) {
	stamp := int64(1000e9)
	for name, test := range map[string]struct {
		stamp   int64
		records []string
		want    []string
		reason  string
	}{
		"the first event of a log without time stamps": {0, []string{rec("d", 5000, 1)}, []string{`r 5000 {"i":1}`}, ""},
		"exactly the span ahead":                       {0, []string{rec("d", 10, 1), rec("d", 70, 2)}, []string{`r 10 {"i":1}`, `r 70 {"i":2}`}, ""},
		"more than the span ahead of the watermark": {
			0,
			[]string{rec("d", 10, 1), rec("d", 70.001, 2), rec("d", 11, 3)},
			[]string{`r 10 {"i":1}`, `r 11 {"i":3}`},
			"ahead: its time is 1970-01-01T00:01:10.001Z, more than 1m0s after the watermark, 1970-01-01T00:00:10Z",
		},
		"within the span of the record's time": {stamp, []string{rec("d", 10, 1), rec("d", 1060, 2)}, []string{`r 10 {"i":1}`, `r 1060 {"i":2}`}, ""},
		"the first event, ahead of its record's time": {
			stamp,
			[]string{rec("d", 1060.001, 1), rec("d", 7, 2)},
			[]string{`r 7 {"i":2}`},
			"ahead: its time is 1970-01-01T00:17:40.001Z, more than 1m0s after its record's time, 1970-01-01T00:16:40Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var dead []engine.Dead
			o := engine.Options{Dead: func(d []engine.Dead) error { dead = append(dead, d...); return nil }}
			got, stats, err := run(t.Context(), o, compile(t, timeRules), &script{name: "p", portions: []portion{{Records: test.records, Stamp: test.stamp}}})
			if err != nil {
				t.Fatal(err)
			}
			var reasons []string
			for _, d := range dead {
				reasons = append(reasons, d.Reason)
			}
			if d := cmp.Diff(test.want, got.what()); d != "" || strings.Join(reasons, "\n") != test.reason || stats.Ahead != uint64(len(dead)) {
				t.Errorf("%s\ndead letters %q, want %q; %d counted", d, reasons, test.reason, stats.Ahead)
			}
		})
	}
}

// Dedup marks, waiting events and the merged time outlive a stop at any record, in
// Badger too: the alerts are those of one run.
func TestTimeOutlivesStops(t *testing.T) {
	rules := compile(t, `event d (time: t(ms), id: i, dedup: 10s, ahead: 1m, lateness: 3s) { t int  i int }
event e (time: t(ms), id: i, dedup: 2s) { t int  i int }
rule r { from d, e emit { i: i } }
rule s { match d -> !e for 5s }`)
	rapid.Check(t, func(rt *rapid.T) {
		var scripts []*script
		for n := range rapid.IntRange(1, 2).Draw(rt, "partitions") {
			s := &script{name: fmt.Sprint("p", n), portions: []portion{{}}}
			now := 0.0
			for range rapid.IntRange(1, 25).Draw(rt, "records") {
				now += float64(rapid.IntRange(-2, 4).Draw(rt, "step"))
				s.portions[0].Records = append(s.portions[0].Records, rec(rapid.SampledFrom([]string{"d", "e"}).Draw(rt, "type"), max(0, now), rapid.IntRange(1, 6).Draw(rt, "i")))
			}
			scripts = append(scripts, s)
		}
		whole := startAndStop(t.Context(), rt, engine.Options{Final: true}, rules, fresh(scripts, 0))
		store := openStore(rt, t)
		var rows []string
		until := make([]int, len(scripts))
		for i := range rapid.IntRange(1, 3).Draw(rt, "stops") {
			part := fresh(scripts, rapid.IntRange(1, 4).Draw(rt, "batch"))
			for k, s := range part {
				until[k] = rapid.IntRange(until[k], len(s.portions[0].Records)).Draw(rt, "until")
				s.portions[0].Records = s.portions[0].Records[:until[k]]
				s.portions = append(s.portions, portion{Err: errStopped})
				s.stays = true
			}
			ear, _, err := run(t.Context(), engine.Options{Store: store, EpochEvents: 1 + i}, rules, part...)
			if !errors.Is(err, errStopped) {
				rt.Fatal(err)
			}
			rows = append(rows, ear.rows...)
		}
		rest := startAndStop(t.Context(), rt, engine.Options{Store: store, Final: true}, rules, fresh(scripts, 2))
		if d := cmp.Diff(whole.rows, append(rows, rest.rows...)); d != "" {
			rt.Fatalf("%s\n(-whole +stopped)\n%s", show(scripts), d)
		}
	})
}

var errStopped = errors.New("stopped by the test")

// openStore opens Badger for some of the runs, and a store in memory for most: the
// contract of both is one.
func openStore(rt *rapid.T, t *testing.T) engine.Store {
	if rapid.IntRange(0, 9).Draw(rt, "badger") > 0 {
		return lasting{state.NewMemory()}
	}
	store, err := state.OpenBadger(t.TempDir(), state.Options{})
	if err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() {
		if err := store.Close(); err != nil {
			rt.Error(err)
		}
	})
	return store
}

// More events that wait than may is an error that names what to change, and nothing is
// lost: with a higher limit the next run goes on.
func TestWaitingIsBounded(t *testing.T) {
	rules := compile(t, `event l (time: t(ms), lateness: 1h) { t int  i int } rule r { from l emit { i: i } }`)
	var records []string
	for i := range 11 {
		records = append(records, rec("l", float64(i), i))
	}
	store := lasting{state.NewMemory()}
	scripts := []*script{{name: "p", portions: []portion{{Records: records}}}}
	_, _, err := run(t.Context(), engine.Options{Store: store, Waiting: 10, Final: true}, rules, fresh(scripts, 0)...)
	var waiting *engine.WaitingError
	if !errors.As(err, &waiting) || waiting.Limit != 10 || !strings.Contains(err.Error(), "more than 10 events of p wait for their time: with a lateness of 1h0m0s (event l)") {
		t.Fatalf("got %v", err)
	}
	got, stats, err := run(t.Context(), engine.Options{Store: store, Waiting: 11, Final: true}, rules, fresh(scripts, 0)...)
	if err != nil || len(got.heard) != 11 || stats.Watermark == math.MinInt64 {
		t.Errorf("%v, %d alerts", err, len(got.heard))
	}
}
