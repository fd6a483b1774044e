package machine

import (
	"math"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Bucket is the compiled form of a rule over a window that is evaluated at its end:
// tumbling, hopping, session or batch. A key has as many open windows as hold its
// newest event.
//
// A window is judged once: at its end, which is exact, or, if the rule is `early`, at
// the first event at which having holds. For `once` what counts of the window before
// is whether it held, early or at its end; where windows overlap, whether it has held
// so far.
type Bucket struct {
	rule    *plan.Rule
	reads   *Window // what is read of events, and where aggregates are computed
	program *windows.Program
	judge   head // having, emit and suppress by: they see no event
	batch   bool
	early   bool
	watch   *watching // nil: the rule is not watched
}

// BucketKey is what one key remembers of such a rule. Alerted in an open window says
// that having has held early.
type BucketKey struct {
	open   windows.Buckets
	held   bool // for `once`: the last window that is over held
	recent tail // newest events of the open windows
}

// CompileBucket compiles a rule that checks and has one window, evaluated at its end.
func CompileBucket(rule *plan.Rule, c eval.Compiler) (*Bucket, error) {
	reads, err := CompileWindow(rule, c)
	if err != nil {
		return nil, err
	}
	c.Event = -1
	w := &rule.Windows[0]
	return &Bucket{
		rule: rule, reads: reads, program: reads.parts[0].program,
		judge: compileHead(&plan.Input{Having: rule.Having, Emit: rule.Emit, SuppressBy: rule.SuppressBy, Derived: rule.Derived}, c),
		batch: w.Spec.Kind == windows.Batch, early: w.Early,
	}, nil
}

// Tests lists what engine/index must test for the rule: bit i for input i.
func (b *Bucket) Tests() []Test { return b.reads.Tests() }

// Empty reports whether the key remembers nothing.
func (b *Bucket) Empty(k *BucketKey) bool { return len(k.open.Open()) == 0 && !k.held }

// Event takes an event that passed the test of the input whose bit mask is, and returns as
// [Pattern.Event] does.
func (b *Bucket) Event(x *Context, k *BucketKey, ev *event.Event, mask uint64, _ bool) int64 {
	opens := len(k.open.Open()) == 0
	if b.see(x, k, ev, mask); b.Empty(k) {
		return Gone
	}
	if opens {
		return b.Deadline(k)
	}
	return math.MaxInt64 // no sooner than before
}

func (b *Bucket) see(x *Context, k *BucketKey, ev *event.Event, mask uint64) {
	x.Frame.Event = ev
	h := b.reads.head(mask)
	if !h.passes(x) {
		return
	}
	if h.readsKey {
		x.keys(b.rule.Keys)
	}
	before := len(k.open.Open())
	if before == 0 {
		b.program.Take(&x.spareOpen, &k.open)
	}
	args := b.reads.parts[0].arguments(x, h)
	if n := b.program.PutAtMost(&k.open, ev.At, args, x.Limits.EventsPerWindow); n > 0 {
		x.Dropped.WindowEvents += uint64(n)
	}
	open := k.open.Open()
	if len(open) == 0 {
		return // it lies between hopping windows
	}
	for i := before; i < len(open); i++ {
		open[i].First = ev.Time
	}
	k.recent.add(x, x.show(ev))
	switch {
	case b.batch:
		b.close(x, k, ev.At)
	case b.early:
		b.look(x, k)
	}
}

// look judges, at the event at hand, the open windows that have not held yet.
func (b *Bucket) look(x *Context, k *BucketKey) {
	open := k.open.Open()
	before := k.held
	for i := range open {
		w := &open[i]
		if !w.Alerted && b.holds(x, w) {
			w.Alerted = true
			if !before || !b.rule.Once {
				e := x.atEvent(x.Frame.Event)
				b.alert(x, k, w, e)
			}
		}
		before = w.Alerted
	}
}

// endOfTime is the last time the engine settles at: what would end later ends there.
const endOfTime = math.MaxInt64 - 1

// Settle closes the windows that are over at a time.
func (b *Bucket) Settle(x *Context, k *BucketKey, now int64) {
	if now == endOfTime {
		now = math.MaxInt64
	}
	if !b.batch { // a batch is closed by its last event alone
		b.close(x, k, now)
	}
}

// close takes out the windows that are over, each with its judgement, and the events
// that no open window shows any more.
func (b *Bucket) close(x *Context, k *BucketKey, now int64) {
	open := len(k.open.Open())
	b.program.Close(&k.open, now, func(w *windows.Bucket) { b.end(x, k, w) })
	if len(k.open.Open()) == open {
		return
	}
	most := 0
	for i := range k.open.Open() {
		most = max(most, b.program.Len(&k.open.Open()[i].State))
	}
	k.recent.keepNewest(x, most)
	if len(k.open.Open()) == 0 {
		b.program.Give(&x.spareOpen, &k.open)
	}
}

// end judges a window that is over.
func (b *Bucket) end(x *Context, k *BucketKey, w *windows.Bucket) {
	if b.early {
		k.held = b.rule.Once && w.Alerted
		return
	}
	before, held := k.held, b.holds(x, w)
	k.held = b.rule.Once && held
	if held && !before {
		b.alert(x, k, w, b.effect(x, w))
	}
}

// effect starts the effect of a window that is over: a batch is known by its last
// event, which is at hand, the others by their end.
func (b *Bucket) effect(x *Context, w *windows.Bucket) *Effect {
	if b.batch {
		return x.atEvent(x.Frame.Event)
	}
	e := &x.effect
	e.reset()
	e.Time, e.AtDeadline, e.Deadline = w.End, true, w.End
	return e
}

// holds shows a window to the rule's expressions and reports whether having holds.
func (b *Bucket) holds(x *Context, w *windows.Bucket) bool {
	if b.judge.readsKey {
		x.keys(b.rule.Keys)
	}
	x.bucket = bucketAggs{b: b, state: &w.State}
	x.Frame.Aggs = &x.bucket
	x.Frame.WindowStart, x.Frame.WindowEnd = w.Start, w.End
	if b.watch != nil {
		b.watchHeld(x, w.Start, w.End)
	}
	return b.judge.having == nil || b.judge.having(&x.Frame)
}

// alert hands on the effect of the window that holds was asked of last.
func (b *Bucket) alert(x *Context, k *BucketKey, w *windows.Bucket, e *Effect) {
	x.keys(b.rule.Keys)
	e.Window, e.WindowStart, e.WindowEnd = true, w.Start, w.End
	e.Total = int64(b.program.Len(&w.State))
	for _, ref := range k.recent.shown(x, int(e.Total)) {
		e.exhibit(x, ref)
	}
	e.Start, e.End = w.First, e.Evidence[len(e.Evidence)-1].Event.Time
	b.judge.outcome(x, e)
	x.Effect(e)
	if b.watch != nil {
		b.watch.alerted(x, e)
	}
}

// Deadline is when the next of the key's windows ends; math.MaxInt64: none does by
// time.
func (b *Bucket) Deadline(k *BucketKey) int64 {
	at, ok := b.program.Due(&k.open)
	if !ok {
		return math.MaxInt64
	}
	return min(at, endOfTime)
}

// Release lets go of all that the key holds.
func (b *Bucket) Release(x *Context, k *BucketKey) {
	k.recent.keepNewest(x, 0)
	*k = BucketKey{}
}
