package machine

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// bucketRig is a rule over one window with count() and median(meta.time), and a shard's
// context to run it in.
type bucketRig struct {
	*Bucket
	x     Context
	store keep.Store
	ev    event.Event
	made  []int64 // times of the effects
}

func newBucketRig(t testing.TB, w plan.Window, aggs ...plan.Agg) *bucketRig {
	t.Helper()
	at := &plan.Expr{Op: plan.OpMeta, Name: "time", Type: event.Type{Kind: event.Time}}
	rule := &plan.Rule{
		Name: "r", Windows: []plan.Window{w}, Once: true, Aggs: aggs, Inputs: []plan.Input{{}},
		Having: &plan.Expr{
			Op: plan.OpGt, Type: event.Type{Kind: event.Bool}, Args: []*plan.Expr{
				{Op: plan.OpAgg, Type: event.Type{Kind: event.Int}},
				{Op: plan.OpConst, Type: event.Type{Kind: event.Int}, Const: event.OfInt(1)},
			},
		},
	}
	for _, a := range aggs {
		arg := plan.AggArg{}
		if a.ArgT.Kind != event.Nil {
			arg.Value = at
		}
		rule.Inputs[0].Args = append(rule.Inputs[0].Args, arg)
	}
	types := []*plan.Type{{Schema: event.Schema{Name: "e"}}}
	b, err := CompileBucket(rule, eval.Compiler{Types: types, Event: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := &bucketRig{Bucket: b}
	r.x = Context{
		Frame: eval.Frame{World: &eval.World{Types: types, Partitions: make([]event.Partition, 1)}}, Keep: &r.store,
		Limits: Limits{}.WithDefaults(), Codec: timesOnly{}, Effect: func(e *Effect) { r.made = append(r.made, e.Time) },
	}
	return r
}

var countAndMedian = []plan.Agg{
	{Func: windows.Count, Type: event.Type{Kind: event.Int}},
	{Func: windows.Median, Type: event.Type{Kind: event.Time}, ArgT: event.Type{Kind: event.Time}},
}

func (r *bucketRig) take(k *BucketKey, at int64) {
	r.x.Begin()
	r.Settle(&r.x, k, at)
	r.ev = event.Event{Time: at, At: at, Offset: at}
	r.Event(&r.x, k, &r.ev, 1, false)
	r.x.End()
}

// timesOnly writes events as their times.
type timesOnly struct{}

func (timesOnly) AppendEvent(b []byte, ev, _ *event.Event, base int64) []byte {
	return event.AppendSpan(b, ev.Time, base)
}

func (c timesOnly) ReadShown(b []byte, after *event.Event, base int64) (*event.Event, error) {
	return c.ReadEvent(b, after, base)
}

func (timesOnly) ReadEvent(b []byte, _ *event.Event, base int64) (*event.Event, error) {
	at, n := event.ReadSpan(b, base)
	if n != len(b) {
		return nil, errors.New("no time")
	}
	return &event.Event{Time: at, At: at, Offset: at}, nil
}

var bucketSpecs = []plan.Window{
	{Spec: windows.Spec{Kind: windows.Tumbling, Size: 10}},
	{Spec: windows.Spec{Kind: windows.Hopping, Size: 10, Every: 3}, Early: true},
	{Spec: windows.Spec{Kind: windows.Session, Size: 4, Max: 9}},
	{Spec: windows.Spec{Kind: windows.Batch, Count: 4}},
}

// FuzzBucketDecode: no bytes make Decode panic, and what it takes can be written, read
// and gone on with, with nothing of it left behind.
func FuzzBucketDecode(f *testing.F) {
	for kind, w := range bucketSpecs {
		r := newBucketRig(f, w, countAndMedian...)
		var k BucketKey
		for _, at := range []int64{1, 2, 4, 4, 7, 13, 15} {
			r.take(&k, at)
			f.Add(uint8(kind), r.Append(&r.x, nil, &k))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, record []byte) {
		r := newBucketRig(t, bucketSpecs[int(kind)%len(bucketSpecs)], countAndMedian...)
		var k, again BucketKey
		if err := r.Decode(&r.x, record, &k); err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		once := r.Append(&r.x, nil, &k)
		if err := r.Decode(&r.x, once, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(once, r.Append(&r.x, nil, &again)); diff != "" {
			t.Fatal(diff)
		}
		for _, key := range []*BucketKey{&k, &again} {
			r.take(key, math.MaxInt64/2)
			r.take(key, math.MaxInt64/2)
			r.Settle(&r.x, key, endOfTime)
			r.Release(&r.x, key)
		}
		if n := r.x.Log.Len(); n != 0 {
			t.Errorf("%d events are still kept", n)
		}
	})
}

func TestRecordsOfWindowsAreWrittenWithoutAllocating(t *testing.T) {
	r := newBucketRig(t, plan.Window{Spec: windows.Spec{Kind: windows.Tumbling, Size: 100}}, countAndMedian[0])
	var k BucketKey
	for at := range int64(20) {
		r.take(&k, at)
	}
	var b []byte
	if n := testing.AllocsPerRun(10, func() { b = r.Append(&r.x, b[:0], &k) }); n != 0 || len(b) < 20 {
		t.Errorf("%v allocations for a record of %d bytes", n, len(b))
	}
}

// TestDamagedRecordsOfWindows: a record that is cut short or longer is refused.
func TestDamagedRecordsOfWindows(t *testing.T) {
	for _, w := range bucketSpecs {
		r := newBucketRig(t, w, countAndMedian...)
		var k BucketKey
		for _, at := range []int64{1, 2, 2, 3, 5} {
			r.take(&k, at)
		}
		record := r.Append(&r.x, nil, &k)
		for n := range record {
			if err := r.Decode(&r.x, record[:n], new(BucketKey)); !errors.Is(err, ErrRecord) {
				t.Errorf("%+v: %d of %d bytes give the error %v", w.Spec, n, len(record), err)
			}
		}
		if err := r.Decode(&r.x, append(record, 0), new(BucketKey)); !errors.Is(err, ErrRecord) {
			t.Errorf("%+v: a byte too many gives the error %v", w.Spec, err)
		}
	}
}

// TestWindowsKeepNoEventsOnceClosed: what is kept of a key is its newest events, and
// nothing once its windows are over.
func TestWindowsKeepNoEventsOnceClosed(t *testing.T) {
	for _, w := range bucketSpecs {
		r := newBucketRig(t, w, countAndMedian...)
		var k BucketKey
		for i := range int64(400) {
			r.take(&k, i/100)
			if n := r.x.Log.Len(); n > MaxEvidence {
				t.Fatalf("%+v: %d events are kept", w.Spec, n)
			}
		}
		r.Settle(&r.x, &k, endOfTime)
		if n := r.x.Log.Len(); n != 0 || len(k.open.Open()) != 0 {
			t.Errorf("%+v: %d events are kept after %d windows have closed", w.Spec, n, len(k.open.Open()))
		}
	}
}

// TestWindowsBeyondTimeEndWithIt: a window whose end is past the last time there is
// closes with the end of the input.
func TestWindowsBeyondTimeEndWithIt(t *testing.T) {
	for _, w := range bucketSpecs[:3] {
		w.Early = false
		r := newBucketRig(t, w, countAndMedian...)
		var k BucketKey
		r.take(&k, endOfTime-1)
		r.take(&k, endOfTime-1)
		if due := r.Deadline(&k); due > endOfTime {
			t.Errorf("%+v: due at %d", w.Spec, due)
		}
		r.Settle(&r.x, &k, endOfTime)
		if len(r.made) == 0 || len(k.open.Open()) > 0 {
			t.Errorf("%+v: %d alerts, %d windows open", w.Spec, len(r.made), len(k.open.Open()))
		}
	}
}

func TestEventsOfWindowsAllocateNothing(t *testing.T) {
	for _, w := range bucketSpecs {
		r := newBucketRig(t, w, countAndMedian[0])
		var k BucketKey
		at := int64(0)
		next := func() {
			at++
			r.take(&k, at)
			r.made = r.made[:0]
		}
		for range 100 {
			next()
		}
		if n := testing.AllocsPerRun(200, next); n != 0 {
			t.Errorf("%+v: %v allocations an event", w.Spec, n)
		}
	}
}
