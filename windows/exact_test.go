package windows

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
)

// value is the exact value of a number, as a fraction.
func (x number) value() *big.Rat {
	n := new(big.Int)
	for i := len(x.mag) - 1; i >= 0; i-- {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(x.mag[i]))
	}
	if x.neg {
		n.Neg(n)
	}
	r := new(big.Rat).SetInt(n)
	scale := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(64*max(x.lo, -x.lo))))
	if x.lo < 0 {
		return r.Quo(r, scale)
	}
	return r.Mul(r, scale)
}

func drawAnyFloat(t *rapid.T) float64 {
	if rapid.Bool().Draw(t, "plain") {
		return drawFloat(t, true)
	}
	f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// What is added and taken out in any order leaves the exact sum of the rest, in line
// or spilled.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := NewProgram(Spec{Kind: Last, Count: MaxEvents}, []Agg{{Func: Variance, Arg: event.Float}})
		if err != nil {
			t.Fatal(err)
		}
		c := &p.cols[0]
		s := State{mem: make([]uint64, p.fixed)}
		x, xx := new(big.Rat), new(big.Rat)
		var live []float64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			out := len(live) > 0 && rapid.Bool().Draw(t, "out")
			var f float64
			if out {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				f = live[i]
				live = append(live[:i], live[i+1:]...)
			} else {
				f = drawAnyFloat(t)
				if math.IsNaN(f) || math.IsInf(f, 0) {
					f = 1
				}
				live = append(live, f)
			}
			p.sums(&s, c, math.Float64bits(f), 0, out)
			r := new(big.Rat).SetFloat64(f)
			rr := new(big.Rat).Mul(r, r)
			if out {
				r.Neg(r)
				rr.Neg(rr)
			}
			x.Add(x, r)
			xx.Add(xx, rr)
			for which, want := range []*big.Rat{x, xx} {
				var sc scratch
				got := p.sumOf(&s, &sc, c, which)
				if got.value().Cmp(want) != 0 {
					t.Fatalf("sum %d of %v: got %v, want %v", which, live, got.value(), want)
				}
				f, _ := want.Float64()
				if g := got.float(); g != f && math.Abs(f) > 1e-300 {
					t.Fatalf("sum %d of %v rounds to %v, want %v", which, live, g, f)
				}
			}
		}
	})
}

func TestArithmeticOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) number {
			return number{
				neg: rapid.Bool().Draw(t, name+" sign"), lo: rapid.IntRange(-3, 3).Draw(t, name+" lo"),
				mag: rapid.SliceOfN(rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(^uint64(0)), rapid.Uint64()), 0, 5).Draw(t, name),
			}
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		n := rapid.Uint64Range(1, math.MaxUint32).Draw(t, "n")
		var sc scratch
		if got, want := sc.minus(a, b).value(), new(big.Rat).Sub(a.value(), b.value()); got.Cmp(want) != 0 {
			t.Fatalf("a−b: got %v, want %v", got, want)
		}
		want := new(big.Rat).Mul(a.value(), new(big.Rat).SetInt(new(big.Int).SetUint64(n)))
		want.Sub(want, new(big.Rat).Mul(b.value(), c.value()))
		if got := sc.determinant(n, a, b, c).value(); got.Cmp(want) != 0 {
			t.Fatalf("n·a−b·c: got %v, want %v", got, want)
		}
		if f, _ := a.value().Float64(); a.float() != f {
			t.Fatalf("%v rounds to %v, want %v", a.value(), a.float(), f)
		}
	})
}

// A window of days of small amounts, through which enormous ones pass, gives the sum
// of what is live.
func TestSumsDoNotDrift(t *testing.T) {
	aggs := []Agg{{Func: Sum, Arg: event.Float}, {Func: Avg, Arg: event.Float, Same: 1}, {Func: Stddev, Arg: event.Float, Same: 1}}
	p, err := NewProgram(Spec{Kind: Sliding, Size: 1000}, aggs)
	if err != nil {
		t.Fatal(err)
	}
	w := &twin{spec: Spec{Kind: Sliding, Size: 1000}, aggs: aggs}
	r := rand.New(rand.NewPCG(1, 2))
	var s State
	for at := range int64(200_000) {
		f := float64(r.IntN(1_000_000)) / 100
		switch r.IntN(500) {
		case 0:
			f = 1e18
		case 1:
			f = -1e18 / 3
		case 2:
			f = 1e-9
		}
		a := Arg{Take: true, N: math.Float64bits(f)}
		p.Add(&s, at, []Arg{a, a, a})
		w.add(at, []Arg{a, a, a})
		if at%20_011 != 0 {
			continue
		}
		for i, agg := range aggs {
			if got, want := p.Result(&s, i), w.result(i); !near(agg.Func, got, want) {
				t.Errorf("at %d %s is %v, want %v", at, agg.Func, got.Float(), want.Float())
			}
		}
	}
}

// Thousands of values that just fit carry beyond the limbs that a sum has in line.
func TestSumsThatOutgrowTheirLimbs(t *testing.T) {
	for _, sign := range []float64{1, -1} {
		const n = 5000
		f := sign * math.Ldexp(1.75, 115)
		p, s := Program{}, State{}
		if err := p.compile([]Agg{{Func: Sum, Arg: event.Float}}); err != nil {
			t.Fatal(err)
		}
		p.Add(&s, 0, []Arg{{Take: true, N: math.Float64bits(sign * 1.5)}})
		for range n {
			p.Add(&s, 0, []Arg{{Take: true, N: math.Float64bits(f)}})
		}
		want := new(big.Rat).SetFloat64(f)
		want.Add(want.Mul(want, big.NewRat(n, 1)), new(big.Rat).SetFloat64(sign*1.5))
		var sc scratch
		if got := p.sumOf(&s, &sc, &p.cols[0], sumX); got.value().Cmp(want) != 0 {
			t.Errorf("got %v, want %v", got.value(), want)
		}
	}
}
