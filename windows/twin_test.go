package windows

import (
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
)

// twin is the plainest window: it keeps all live events and computes every result
// from them afresh, with exact fractions.
type twin struct {
	spec Spec
	aggs []Agg
	acc  bool // never evicts
	live []twinEvent
	// length of the window, for rate
	length int64
}

type twinEvent struct {
	at   int64
	args []Arg
}

func (w *twin) add(at int64, args []Arg) {
	w.live = append(w.live, twinEvent{at, slices.Clone(args)})
	if w.acc {
		return
	}
	w.expire(at)
	if w.spec.Kind == Last && len(w.live) > w.spec.Count {
		w.live = w.live[1:]
	}
}

func (w *twin) expire(now int64) {
	if w.acc || w.spec.Kind != Sliding {
		return
	}
	w.live = slices.DeleteFunc(w.live, func(e twinEvent) bool { return e.at <= now-w.spec.Size })
}

// arg is the argument of aggregate i, by Same.
func (w *twin) arg(e twinEvent, i int) (Arg, bool) {
	for w.aggs[i].Same > 0 {
		i = w.aggs[i].Same - 1
	}
	a := e.args[i]
	if w.aggs[i].Arg == event.Float {
		f := math.Float64frombits(a.N)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return a, false
		}
		a.N = math.Float64bits(f + 0) // -0 becomes 0
	}
	return a, a.Take
}

func rat(kind event.Kind, n uint64) *big.Rat {
	if kind == event.Float {
		return new(big.Rat).SetFloat64(math.Float64frombits(n))
	}
	return new(big.Rat).SetInt64(int64(n))
}

func (w *twin) result(i int) event.Value {
	a := w.aggs[i]
	kind := a.Arg
	var vs []event.Value
	var ts []int64
	for _, e := range w.live {
		if a.Func == Rate || a.Func == Count && kind == event.Nil {
			vs = append(vs, event.Value{})
		} else if arg, ok := w.arg(e, i); ok {
			vs = append(vs, event.Value{Kind: kind, N: arg.N, S: arg.S})
			ts = append(ts, e.at)
		}
	}
	switch a.Func {
	case Count:
		return event.OfInt(int64(len(vs)))
	case Rate:
		return event.OfFloat(float64(len(vs)) / (float64(w.length) / 1e9))
	case Distinct:
		return event.OfInt(int64(len(unique(vs))))
	case Sum:
		return fromRat(kind, sumRat(kind, vs))
	}
	if len(vs) == 0 {
		return event.Value{}
	}
	switch a.Func {
	case Avg:
		r := new(big.Rat).Quo(sumRat(kind, vs), big.NewRat(int64(len(vs)), 1))
		if kind == event.Duration {
			return event.OfKind(kind, roundEven(r))
		}
		return fromRat(event.Float, r)
	case Min, Max:
		best := vs[0]
		for _, v := range vs {
			if c := compare(v, best); a.Func == Min && c < 0 || a.Func == Max && c > 0 {
				best = v
			}
		}
		return best
	case First:
		return vs[0]
	case LastOf:
		return vs[len(vs)-1]
	case Values:
		return listOf(unique(vs))
	case Top:
		u := unique(vs)
		slices.SortStableFunc(u, func(x, y event.Value) int { return cmp.Compare(times(vs, y), times(vs, x)) })
		return listOf(u[:min(len(u), int(a.Param))])
	case Collect:
		return listOf(vs[max(0, len(vs)-int(a.Param)):])
	case Stddev, Variance:
		if len(vs) < 2 {
			return event.Value{}
		}
		v := varianceRat(kind, vs)
		if a.Func == Variance {
			return fromRat(event.Float, v)
		}
		f := sqrtRat(v)
		if kind == event.Duration {
			return event.OfKind(kind, int64(math.RoundToEven(f)))
		}
		return event.OfFloat(f)
	case ZScore:
		last, ok := w.arg(w.live[len(w.live)-1], i)
		others := vs[:len(vs)-1]
		if !ok || len(others) < 2 {
			return event.Value{}
		}
		v := varianceRat(kind, others)
		if v.Sign() == 0 {
			return event.Value{}
		}
		mean := new(big.Rat).Quo(sumRat(kind, others), big.NewRat(int64(len(others)), 1))
		d := new(big.Rat).Sub(rat(kind, last.N), mean)
		q := new(big.Rat).Quo(new(big.Rat).Mul(d, d), v)
		return event.OfFloat(sqrtRat(q) * float64(d.Sign()))
	case Slope:
		return slopeOf(kind, vs, ts)
	}
	p := a.Param / 100
	if a.Func == Median {
		p = 0.5
	}
	slices.SortStableFunc(vs, compare)
	rank := p * float64(len(vs)-1)
	k := int(rank)
	low, high := vs[k], vs[min(k+1, len(vs)-1)]
	if kind == event.Time || kind == event.Duration {
		return event.OfKind(kind, low.Int()+int64(uint64(math.RoundToEven(float64(high.N-low.N)*(rank-float64(k))))))
	}
	l, _ := rat(kind, low.N).Float64()
	h, _ := rat(kind, high.N).Float64()
	if d := h - l; !math.IsInf(d, 0) {
		return event.OfFloat(l + d*(rank-float64(k)))
	}
	r := new(big.Rat).SetFloat64(rank - float64(k))
	r.Mul(r, new(big.Rat).Sub(rat(kind, high.N), rat(kind, low.N)))
	return fromRat(event.Float, r.Add(r, rat(kind, low.N)))
}

func sumRat(kind event.Kind, vs []event.Value) *big.Rat {
	s := new(big.Rat)
	for _, v := range vs {
		s.Add(s, rat(kind, v.N))
	}
	return s
}

func varianceRat(kind event.Kind, vs []event.Value) *big.Rat {
	n := big.NewRat(int64(len(vs)), 1)
	mean := new(big.Rat).Quo(sumRat(kind, vs), n)
	s := new(big.Rat)
	for _, v := range vs {
		d := new(big.Rat).Sub(rat(kind, v.N), mean)
		s.Add(s, d.Mul(d, d))
	}
	return s.Quo(s, big.NewRat(int64(len(vs)-1), 1))
}

func slopeOf(kind event.Kind, vs []event.Value, ts []int64) event.Value {
	n := int64(len(vs))
	mx, mt := new(big.Rat), new(big.Rat)
	for i := range vs {
		mx.Add(mx, rat(kind, vs[i].N))
		mt.Add(mt, new(big.Rat).SetInt64(ts[i]))
	}
	mx.Quo(mx, big.NewRat(n, 1))
	mt.Quo(mt, big.NewRat(n, 1))
	over, under := new(big.Rat), new(big.Rat)
	for i := range vs {
		dt := new(big.Rat).Sub(new(big.Rat).SetInt64(ts[i]), mt)
		dx := new(big.Rat).Sub(rat(kind, vs[i].N), mx)
		over.Add(over, new(big.Rat).Mul(dt, dx))
		under.Add(under, new(big.Rat).Mul(dt, dt))
	}
	if under.Sign() == 0 {
		return event.Value{}
	}
	over.Mul(over, big.NewRat(1e9, 1))
	return fromRat(event.Float, over.Quo(over, under))
}

func fromRat(kind event.Kind, r *big.Rat) event.Value {
	if kind == event.Float {
		f, _ := r.Float64()
		return event.OfFloat(f)
	}
	if !r.Num().IsInt64() {
		return event.Value{}
	}
	return event.OfKind(kind, r.Num().Int64())
}

func sqrtRat(r *big.Rat) float64 {
	f := new(big.Float).SetPrec(4000).SetRat(r)
	v, _ := f.Sqrt(f).Float64()
	return v
}

func roundEven(r *big.Rat) int64 {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	twice := new(big.Int).Lsh(m, 1)
	if c := twice.Cmp(r.Denom()); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}

func compare(a, b event.Value) int {
	switch a.Kind {
	case event.Float:
		return cmp.Compare(a.Float(), b.Float())
	case event.String:
		return cmp.Compare(a.S, b.S)
	}
	return cmp.Compare(a.Int(), b.Int())
}

func unique(vs []event.Value) []event.Value {
	var u []event.Value
	for _, v := range vs {
		if !slices.Contains(u, v) {
			u = append(u, v)
		}
	}
	return u
}

func times(vs []event.Value, v event.Value) int {
	n := 0
	for _, w := range vs {
		if v == w {
			n++
		}
	}
	return n
}

func listOf(vs []event.Value) event.Value {
	return list(len(vs), func(i int) event.Value { return vs[i] })
}
