package windows

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

func TestMemoryOfSmallWindows(t *testing.T) {
	if n := unsafe.Sizeof(State{}); n != 48 {
		t.Errorf("a State is %d bytes", n)
	}
	for _, c := range []struct {
		name string
		aggs []Agg
		most int
	}{
		{"count", []Agg{{Func: Count}}, 119},
		{"count of a condition", []Agg{{Func: Count, Arg: event.Bool}}, 119},
		{"sum", []Agg{{Func: Sum, Arg: event.Float}}, 240},
		{"count, sum, avg, min, max", []Agg{{Func: Count}, {Func: Sum, Arg: event.Float}, {Func: Avg, Arg: event.Float, Same: 2}, {Func: Min, Arg: event.Float, Same: 2}, {Func: Max, Arg: event.Float, Same: 2}}, 300},
	} {
		p, s := filled(t, Spec{Kind: Sliding, Size: 1000}, c.aggs, 5, 5)
		if n := p.Bytes(s); n > c.most {
			t.Errorf("%s: %d bytes for 5 events, want at most %d", c.name, n, c.most)
		}
	}
}

// A long window costs no more memory per event than a short one, and a burst that is
// over gives its memory back.
func TestMemoryFollowsTheEvents(t *testing.T) {
	aggs := []Agg{{Func: Sum, Arg: event.Float}, {Func: Max, Arg: event.Float, Same: 1}, {Func: Distinct, Arg: event.String}, {Func: Median, Arg: event.Float, Same: 1}}
	p, s := filled(t, Spec{Kind: Sliding, Size: 1 << 40}, aggs, 100_000, 1000)
	short, few := filled(t, Spec{Kind: Sliding, Size: 1 << 40}, aggs, 100, 100)
	if long, per := p.Bytes(s)/100_000, short.Bytes(few)/100; long > per {
		t.Errorf("%d bytes an event in a long window, %d in a short one", long, per)
	}
	args := make([]Arg, len(aggs))
	for i := range args {
		args[i] = Arg{Take: true, N: math.Float64bits(1), S: "x"}
	}
	p.Add(s, 1<<41, args)
	if n := p.Bytes(s); n > 4<<10 {
		t.Errorf("%d bytes after a burst", n)
	}
}

// filled makes a State of n events, one a unit of time, with a number of values.
func filled(t testing.TB, spec Spec, aggs []Agg, n, values int) (*Program, *State) {
	t.Helper()
	p, err := NewProgram(spec, aggs)
	if err != nil {
		t.Fatal(err)
	}
	s := new(State)
	f := feed(p, aggs, values)
	for range n {
		f(s)
	}
	return p, s
}

// feed returns what adds the next of a stream of events to a State, one a unit of time.
func feed(p *Program, aggs []Agg, values int) func(*State) {
	r := rand.New(rand.NewPCG(3, 4))
	pool := make([]Arg, values)
	for i := range pool {
		pool[i] = Arg{Take: true, N: math.Float64bits(float64(i*7919%1000) / 100), S: fmt.Sprintf("merchant-%d", i)}
	}
	args := make([]Arg, len(aggs))
	at := int64(0)
	return func(s *State) {
		at++
		a := pool[r.IntN(values)]
		for i := range args {
			args[i] = a
		}
		p.Add(s, at, args)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	aggs := []Agg{
		{Func: Count},
		{Func: Sum, Arg: event.Float},
		{Func: Avg, Arg: event.Float, Same: 2},
		{Func: Min, Arg: event.Float, Same: 2},
		{Func: Max, Arg: event.Float, Same: 2},
		{Func: Stddev, Arg: event.Float, Same: 2},
		{Func: Slope, Arg: event.Float, Same: 2},
		{Func: ZScore, Arg: event.Float, Same: 2},
		{Func: Distinct, Arg: event.Float, Same: 2},
		{Func: Count, Arg: event.Bool},
	}
	for _, spec := range []Spec{{Kind: Sliding, Size: 100}, {Kind: Last, Count: 100}} {
		p, err := NewProgram(spec, aggs)
		if err != nil {
			t.Fatal(err)
		}
		var s State
		next := feed(p, aggs, 50)
		for range 1000 {
			next(&s)
		}
		if n := testing.AllocsPerRun(2000, func() {
			next(&s)
			for i := range aggs {
				p.Result(&s, i)
			}
		}); n != 0 {
			t.Errorf("%+v: %v allocations an event", spec, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	aggs := []Agg{
		{Func: Sum, Arg: event.Float},
		{Func: Stddev, Arg: event.Float, Same: 1},
		{Func: Values, Arg: event.String},
		{Func: Min, Arg: event.Int},
		{Func: Max, Arg: event.String, Same: 3},
		{Func: Median, Arg: event.Int, Same: 4},
		{Func: Collect, Arg: event.String, Param: 3, Same: 3},
		{Func: ZScore, Arg: event.Float, Same: 1},
		{Func: Avg, Arg: event.Duration},
		{Func: Slope, Arg: event.Float, Same: 1},
		{Func: Top, Arg: event.Int, Param: 2, Same: 4},
	}
	var programs []*Program
	for _, spec := range []Spec{{Kind: Sliding, Size: 50}, {Kind: Last, Count: 9}, {Kind: Session, Size: 5}} {
		p, s := filled(f, spec, aggs, 20, 5)
		f.Add(uint8(len(programs)), p.Append(nil, s))
		programs = append(programs, p)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		p := programs[int(which)%len(programs)]
		var s State
		if p.Decode(b, &s) != nil {
			if s.live != 0 || s.mem != nil {
				t.Fatal("a state in spite of an error")
			}
			return
		}
		for i := range aggs {
			p.Result(&s, i)
		}
		args := make([]Arg, len(aggs))
		for i := range args {
			args[i] = Arg{Take: true, N: 1, S: "x"}
		}
		at, ok := p.Newest(&s)
		if !ok {
			at = math.MaxInt64
		}
		for range 3 {
			p.Add(&s, at, args)
		}
		var again State
		if err := p.Decode(p.Append(nil, &s), &again); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name string
		aggs []Agg
	}{
		{"count", []Agg{{Func: Count}}},
		{"sum", []Agg{{Func: Sum, Arg: event.Float}}},
		{"sum of ints", []Agg{{Func: Sum, Arg: event.Int}}},
		{"max", []Agg{{Func: Max, Arg: event.Float}}},
		{"stddev", []Agg{{Func: Stddev, Arg: event.Float}}},
		{"slope", []Agg{{Func: Slope, Arg: event.Float}}},
		{"zscore", []Agg{{Func: ZScore, Arg: event.Float}}},
		{"percentile", []Agg{{Func: Percentile, Arg: event.Float, Param: 99}}},
		{"distinct", []Agg{{Func: Distinct, Arg: event.String}}},
	} {
		for _, size := range []int64{100, 100_000} {
			for _, values := range []int{10, 2000} {
				if values == 10 && c.name != "distinct" {
					continue
				}
				b.Run(fmt.Sprintf("%s/window=%d/values=%d", c.name, size, values), func(b *testing.B) {
					p, err := NewProgram(Spec{Kind: Sliding, Size: size}, c.aggs)
					if err != nil {
						b.Fatal(err)
					}
					var s State
					next := feed(p, c.aggs, values)
					for range 2 * size {
						next(&s)
					}
					b.ReportAllocs()
					for b.Loop() {
						next(&s)
						p.Result(&s, 0)
					}
				})
			}
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	aggs := []Agg{{Func: Sum, Arg: event.Float}, {Func: Distinct, Arg: event.String}}
	p, s := filled(b, Spec{Kind: Sliding, Size: 1 << 40}, aggs, 1000, 100)
	buf := p.Append(nil, s)
	b.Run("append", func(b *testing.B) {
		b.ReportMetric(float64(len(buf))/1000, "bytes/event")
		for b.Loop() {
			buf = p.Append(buf[:0], s)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			var again State
			if err := p.Decode(buf, &again); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// More events than 32 bits count, as a window of all events of a stream may get.
func TestStatesThatOnlyInsertCountFar(t *testing.T) {
	aggs := []Agg{{Func: Count}, {Func: Values, Arg: event.Int}}
	p, err := NewAcc(aggs)
	if err != nil {
		t.Fatal(err)
	}
	var s State
	p.Add(&s, 0, []Arg{{}, {Take: true, N: 2}})
	s.setInserted(math.MaxUint32)
	p.Add(&s, 0, []Arg{{}, {Take: true, N: 1}})
	var again State
	if err := p.Decode(p.Append(nil, &s), &again); err != nil {
		t.Fatal(err)
	}
	if n := p.Result(&again, 0).Int(); n != 1<<32 {
		t.Errorf("%d events, want %d", n, 1<<32)
	}
	if v := p.Result(&again, 1).Elems(); len(v) != 2 || v[0].Int() != 2 {
		t.Errorf("values are %v, want 2 and 1", v)
	}
}
