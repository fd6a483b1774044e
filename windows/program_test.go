package windows

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

var allFuncs = []Func{
	Count, Sum, Avg, Min, Max, First, LastOf, Distinct, Values, Stddev, Variance, Median, Percentile, ZScore, Rate, Slope, Top, Collect,
}

var argKinds = []event.Kind{event.Nil, event.Bool, event.Int, event.Float, event.String, event.Time, event.Duration, event.IP}

// drawAggs draws aggregates that fit the window, some of them sharing arguments.
func drawAggs(t *rapid.T, check func([]Agg) error) []Agg {
	var aggs []Agg
	for range rapid.IntRange(1, 6).Draw(t, "aggregates") {
		a := Agg{Func: rapid.SampledFrom(allFuncs).Draw(t, "func"), Arg: rapid.SampledFrom(argKinds).Draw(t, "arg")}
		switch a.Func {
		case Percentile:
			a.Param = rapid.SampledFrom([]float64{0, 1, 25, 50, 99.9, 100}).Draw(t, "p")
		case Top, Collect:
			a.Param = float64(rapid.IntRange(1, 4).Draw(t, "k"))
		}
		for i := range aggs {
			if aggs[i].Arg == a.Arg && rapid.Bool().Draw(t, "same") {
				a.Same = i + 1
				break
			}
		}
		if check(append(aggs, a)) == nil {
			aggs = append(aggs, a)
		}
	}
	if len(aggs) == 0 {
		t.SkipNow()
	}
	return aggs
}

// values of each kind: a few that meet often, and the ends of the range.
func drawArg(t *rapid.T, kind event.Kind, tame bool) Arg {
	a := Arg{Take: rapid.IntRange(0, 4).Draw(t, "take") > 0}
	switch kind {
	case event.Float:
		a.N = math.Float64bits(drawFloat(t, tame))
	case event.String, event.IP:
		a.S = rapid.SampledFrom([]string{"", "a", "b", "ab", "zz", "a longer text", "ö"}).Draw(t, "s")
	case event.Bool:
		a.N = uint64(rapid.IntRange(0, 1).Draw(t, "b"))
	default:
		if tame || rapid.Bool().Draw(t, "small") {
			a.N = uint64(rapid.Int64Range(-3, 3).Draw(t, "n"))
		} else {
			a.N = uint64(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1 << 40, -1e18, 77}).Draw(t, "n"))
		}
	}
	return a
}

func drawFloat(t *rapid.T, tame bool) float64 {
	if tame || rapid.Bool().Draw(t, "plain") {
		return float64(rapid.IntRange(-500, 500).Draw(t, "cents")) / 100
	}
	return rapid.SampledFrom([]float64{
		0, math.Copysign(0, -1), 0.1, 1e18, -1e18, 1e300, -1e300, 1e-300, 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64,
		math.NaN(), math.Inf(1), 1 << 53, 1<<63 - 1, 123.456, 1e-20,
	}).Draw(t, "f")
}

func drawArgs(t *rapid.T, aggs []Agg, tame bool) []Arg {
	args := make([]Arg, len(aggs))
	for i, a := range aggs {
		args[i] = drawArg(t, a.Arg, tame)
	}
	return args
}

// near reports that two results are the same: floats to 1e-12 relative, all else
// exactly. Sums are exact in both and compared so.
func near(f Func, got, want event.Value) bool {
	if got.Kind == event.Float && want.Kind == event.Float && f != Sum {
		g, w := got.Float(), want.Float()
		return g == w || math.Abs(g-w) <= 1e-12*math.Max(math.Abs(g), math.Abs(w)) || math.Abs(g-w) <= 1e-320
	}
	if f == Stddev && got.Kind == event.Duration {
		return math.Abs(float64(got.Int()-want.Int())) <= 1+1e-12*math.Abs(float64(want.Int()))
	}
	return cmp.Equal(got, want)
}

func sameResults(t *rapid.T, p *Program, s *State, w *twin) {
	t.Helper()
	if p.Len(s) != len(w.live) {
		t.Fatalf("%d events, want %d", p.Len(s), len(w.live))
	}
	for i, a := range w.aggs {
		if got, want := p.Result(s, i), w.result(i); !near(a.Func, got, want) {
			t.Fatalf("%s of %s over %d events: got %v (%v), want %v (%v)", a.Func, a.Arg, len(w.live), got, got.Float(), want, want.Float())
		}
	}
}

// recode writes the State and reads it back, and checks that the bytes of the copy
// are the same.
func recode(t *rapid.T, p *Program, s *State) {
	t.Helper()
	b := p.Append(nil, s)
	var again State
	if err := p.Decode(b, &again); err != nil {
		t.Fatalf("decode: %v", err)
	}
	if c := p.Append(nil, &again); !bytes.Equal(b, c) {
		t.Fatalf("bytes change:\n%x\n%x", b, c)
	}
	*s = again
}

// alter does to the State what must not be seen.
func alter(t *rapid.T, p *Program, s *State) {
	switch rapid.IntRange(0, 5).Draw(t, "alter") {
	case 0:
		recode(t, p, s)
	case 1:
		var c State
		p.Copy(&c, s)
		*s = c
	}
}

func TestSlidingAndLastEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Kind: Sliding, Size: rapid.Int64Range(1, 30).Draw(t, "size")}
		if rapid.Bool().Draw(t, "last") {
			spec = Spec{Kind: Last, Count: rapid.IntRange(1, 20).Draw(t, "count")}
		}
		aggs := drawAggs(t, func(a []Agg) error { _, err := NewProgram(spec, a); return err })
		p, err := NewProgram(spec, aggs)
		if err != nil {
			t.Fatal(err)
		}
		w := &twin{spec: spec, aggs: aggs, length: spec.Size}
		tame := rapid.Bool().Draw(t, "tame")
		var s State
		now := rapid.SampledFrom([]int64{-5, 0, 1.7e18}).Draw(t, "start")
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 5, 40}).Draw(t, "step")
			if rapid.IntRange(0, 9).Draw(t, "expire") == 0 {
				p.Expire(&s, now)
				w.expire(now)
				sameResults(t, p, &s, w)
			}
			args := drawArgs(t, aggs, tame)
			p.Add(&s, now, args)
			w.add(now, args)
			alter(t, p, &s)
			sameResults(t, p, &s, w)
		}
	})
}

func TestAccEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		aggs := drawAggs(t, func(a []Agg) error { _, err := NewAcc(a); return err })
		p, err := NewAcc(aggs)
		if err != nil {
			t.Fatal(err)
		}
		w := &twin{aggs: aggs, acc: true}
		tame := rapid.Bool().Draw(t, "tame")
		var s State
		for i := range rapid.Int64Range(1, 30).Draw(t, "events") {
			args := drawArgs(t, aggs, tame)
			p.Add(&s, i/2, args)
			w.add(i/2, args)
			alter(t, p, &s)
			sameResults(t, p, &s, w)
		}
	})
}
