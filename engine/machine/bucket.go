package machine

import (
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
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
}

// BucketKey is what one key remembers of such a rule. Alerted in an open window says
// that having has held early.
type BucketKey struct {
	open   windows.Buckets
	firsts []int64    // own time of the first event of each open window
	recent []keep.Ref // newest events of the open windows, at most MaxEvidence, oldest first
	held   bool       // for `once`: the last window that is over held
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

// Event takes an event that passed the test of the input whose bit mask is.
func (b *Bucket) Event(x *Context, k *BucketKey, ev *event.Event, mask uint64, _ bool) {
	x.Frame.Event = ev
	h := &b.reads.heads[bits.TrailingZeros64(mask)]
	if !h.passes(x) {
		return
	}
	args := x.arguments(h.args)
	x.Dropped.WindowEvents += uint64(b.program.PutAtMost(&k.open, ev.At, args, x.Limits.EventsPerWindow))
	open := k.open.Open()
	if len(open) == 0 {
		return // it lies between hopping windows
	}
	for len(k.firsts) < len(open) {
		k.firsts = append(k.firsts, ev.Time)
	}
	k.recent = append(k.recent, x.hold(ev))
	b.trim(x, k, MaxEvidence)
	switch {
	case b.batch:
		b.close(x, k, ev.At)
	case b.early:
		b.look(x, k)
	}
}

// look judges, at the event at hand, the open windows that have not held yet.
func (b *Bucket) look(x *Context, k *BucketKey) {
	x.keys(b.rule.Keys)
	open := k.open.Open()
	before := k.held
	for i := range open {
		w := &open[i]
		if !w.Alerted && b.holds(x, w) {
			w.Alerted = true
			if !before || !b.rule.Once {
				e := x.atEvent(x.Frame.Event)
				b.alert(x, k, w, k.firsts[i], e)
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
	closed := 0
	b.program.Close(&k.open, now, func(w *windows.Bucket) {
		b.end(x, k, w, k.firsts[closed])
		closed++
	})
	if closed == 0 {
		return
	}
	k.firsts = slices.Delete(k.firsts, 0, closed)
	most := 0
	for i := range k.open.Open() {
		most = max(most, b.program.Len(&k.open.Open()[i].State))
	}
	b.trim(x, k, min(most, MaxEvidence))
}

// end judges a window that is over.
func (b *Bucket) end(x *Context, k *BucketKey, w *windows.Bucket, first int64) {
	if b.early {
		k.held = b.rule.Once && w.Alerted
		return
	}
	x.keys(b.rule.Keys)
	before, held := k.held, b.holds(x, w)
	k.held = b.rule.Once && held
	if held && !before {
		b.alert(x, k, w, first, b.effect(x, w))
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
	x.bucket = bucketAggs{b: b, state: &w.State}
	x.Frame.Aggs = &x.bucket
	x.Frame.WindowStart, x.Frame.WindowEnd = w.Start, w.End
	return b.judge.having == nil || b.judge.having(&x.Frame)
}

// alert hands on the effect of the window that holds was asked of last.
func (b *Bucket) alert(x *Context, k *BucketKey, w *windows.Bucket, first int64, e *Effect) {
	e.Window, e.WindowStart, e.WindowEnd = true, w.Start, w.End
	e.Total = int64(b.program.Len(&w.State))
	for _, ref := range k.recent[max(0, len(k.recent)-int(e.Total)):] {
		e.show(x, -1, ref)
	}
	e.Start, e.End = first, e.Evidence[len(e.Evidence)-1].Event.Time
	b.judge.outcome(x, e)
	x.Effect(e)
}

// trim lets go of all but the newest n events.
func (b *Bucket) trim(x *Context, k *BucketKey, n int) {
	gone := len(k.recent) - n
	if gone <= 0 {
		return
	}
	for _, ref := range k.recent[:gone] {
		x.Keep.Release(ref)
	}
	k.recent = slices.Delete(k.recent, 0, gone)
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
	b.trim(x, k, 0)
	*k = BucketKey{}
}

// bucketAggs gives the aggregates over one open window, as [eval.Aggregates].
type bucketAggs struct {
	b     *Bucket
	state *windows.State
}

// Agg implements [eval.Aggregates].
func (a *bucketAggs) Agg(i int) event.Value {
	return a.b.program.Result(a.state, a.b.reads.at[i].agg)
}
