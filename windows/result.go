package windows

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// Result returns aggregate i of the events in the window. What it returns is the
// caller's: nothing in it changes with the State. Numbers allocate nothing; strings
// and lists are copied.
//
// Over nothing count, sum, distinct and rate are 0 and all others nil. A sum is
// computed exactly and nil where it does not fit its type. An average, deviation or
// slope is rounded once, at its end.
func (p *Program) Result(s *State, i int) event.Value {
	a := &p.aggs[i]
	if a.col < 0 {
		if a.fn == Rate {
			return p.rate(s)
		}
		return event.OfInt(int64(p.Len(s)))
	}
	c := &p.cols[a.col]
	if s.mem == nil || s.mem[c.taken] == 0 {
		return nothing(a)
	}
	n := s.mem[c.taken]
	switch a.fn {
	case Count:
		return event.OfInt(int64(n))
	case Sum:
		return p.total(s, c)
	case Avg:
		return p.average(s, c, n)
	case Stddev, Variance:
		return p.deviation(s, c, a, n)
	case ZScore:
		return p.zscore(s, c, n)
	case Slope:
		return p.slope(s, c, n)
	case Min:
		return p.best(s, c, 0)
	case Max:
		return p.best(s, c, 1)
	case First:
		return p.end(s, c, c.first, 32)
	case LastOf:
		return p.end(s, c, c.last, 0)
	case Distinct:
		return event.OfInt(int64(s.ext.dicts[c.dict].live))
	case Values, Top:
		return p.values(s, c, a)
	case Median:
		return percentile(&s.ext.orders[c.order], c.kind, 0.5)
	case Percentile:
		return percentile(&s.ext.orders[c.order], c.kind, a.param/100)
	default:
		return p.collect(s, c, a)
	}
}

// Counts reports that all aggregates follow from the number of events: a caller that
// knows it needs no State, see OfCount.
func (p *Program) Counts() bool { return len(p.cols) == 0 && (p.evicts || p.span < 0) }

// OfCount returns aggregate i of a window with n events, for a Program that Counts.
func (p *Program) OfCount(n, i int) event.Value {
	if p.aggs[i].fn == Rate {
		return rate(n, p.spec.Size)
	}
	return event.OfInt(int64(n))
}

// Whole is Result for an aggregate that gives ints, times or durations; false for nil.
func (p *Program) Whole(s *State, i int) (int64, bool) {
	a := &p.aggs[i]
	if a.fn == Count && a.col < 0 {
		return int64(p.Len(s)), true
	}
	if a.fn == Distinct && s.mem != nil && s.mem[p.cols[a.col].taken] != 0 {
		return int64(s.ext.dicts[p.cols[a.col].dict].live), true
	}
	v := p.Result(s, i)
	return int64(v.N), !v.IsNil()
}

// Float is Result for an aggregate that gives floats; false for nil.
func (p *Program) Float(s *State, i int) (float64, bool) {
	v := p.Result(s, i)
	return v.Float(), !v.IsNil()
}

// nothing is the result over no values.
func nothing(a *aggregate) event.Value {
	switch a.fn {
	case Count, Distinct:
		return event.OfInt(0)
	case Sum:
		return event.OfKind(a.kind, 0) // the bits of a Float 0, too
	}
	return event.Value{}
}

// valueOf makes a Value of a word, or of a copy of the text of a String, an IP or JSON.
func (c *column) valueOf(v uint64, text string) event.Value {
	switch c.kind {
	case event.String, event.IP:
		return event.Value{Kind: c.kind, S: strings.Clone(text)}
	case event.List, event.Record, event.Any:
		return event.ParseAs([]byte(text), c.as)
	}
	return event.Value{Kind: c.kind, N: v}
}

// usual is the room that variances and slopes take where no sum has spilled.
const usual = 64

func (p *Program) rate(s *State) event.Value {
	length := p.spec.Size
	if !p.evicts {
		if s.mem == nil {
			return event.OfFloat(0)
		}
		length = int64(s.mem[p.span])
	}
	return rate(p.Len(s), length)
}

// rate is n events in a length of time, by the second.
func rate(n int, length int64) event.Value {
	return event.OfFloat(float64(n) / (float64(length) / 1e9))
}

func (p *Program) total(s *State, c *column) event.Value {
	var room [maxInline]uint64
	sc := scratch{room[:]}
	x := p.sumOf(s, &sc, c, sumX)
	if c.kind == event.Float {
		return event.OfFloat(x.float())
	}
	n, ok := x.int64()
	if !ok {
		return event.Value{}
	}
	return event.OfKind(c.kind, n)
}

func (p *Program) average(s *State, c *column, n uint64) event.Value {
	var room [maxInline]uint64
	sc := scratch{room[:]}
	x := p.sumOf(s, &sc, c, sumX)
	if c.kind == event.Duration {
		d, _ := x.over(n)
		return event.OfKind(event.Duration, d)
	}
	f, exp := x.scaled()
	return event.OfFloat(scale(f/float64(n), exp))
}

// spread returns n·Σx² − (Σx)², which is n(n−1) times the sample variance, as f·2^exp.
func (p *Program) spread(s *State, sc *scratch, c *column, n uint64) (f float64, exp int) {
	x := p.sumOf(s, sc, c, sumX)
	return sc.determinant(n, p.sumOf(s, sc, c, sumXX), x, x).scaled()
}

func (p *Program) deviation(s *State, c *column, a *aggregate, n uint64) event.Value {
	if n < 2 {
		return event.Value{}
	}
	var room [usual]uint64
	sc := scratch{room[:]}
	f, exp := p.spread(s, &sc, c, n)
	f /= float64(n) * float64(n-1)
	if a.fn == Variance {
		return event.OfFloat(scale(f, exp))
	}
	d := root(f, exp)
	if c.kind == event.Duration {
		return event.OfKind(event.Duration, int64(math.RoundToEven(d)))
	}
	return event.OfFloat(d)
}

// root returns the square root of f·2^exp.
func root(f float64, exp int) float64 {
	f, exp = evened(f, exp)
	return scale(math.Sqrt(f), exp/2)
}

func evened(f float64, exp int) (float64, int) {
	if exp&1 != 0 {
		return 2 * f, exp - 1
	}
	return f, exp
}

// zscore takes the newest value out of the sums, which are exact, compares it with
// what is left, and puts it back.
func (p *Program) zscore(s *State, c *column, n uint64) event.Value {
	v, at, fresh := p.newest(s, c)
	if !fresh || n < 3 {
		return event.Value{}
	}
	p.sums(s, c, v, at, true)
	defer p.sums(s, c, v, at, false)
	n--
	var room [usual]uint64
	sc := scratch{room[:]}
	f, exp := p.spread(s, &sc, c, n)
	if f == 0 {
		return event.Value{}
	}
	x := intTerm(int64(v))
	if c.kind == event.Float {
		x = floatTerm(v)
	}
	d, dexp := sc.determinant(n, sc.term(x), p.sumOf(s, &sc, c, sumX), sc.small(1)).scaled()
	f, exp = evened(f/(float64(n)*float64(n-1)), exp)
	return event.OfFloat(scale(d/float64(n)/math.Sqrt(f), dexp-exp/2))
}

// newest returns the value and time of the newest event, if it gave one to the column.
func (p *Program) newest(s *State, c *column) (v uint64, at int64, ok bool) {
	if !p.evicts {
		return s.mem[c.last], 0, s.mem[c.fresh] != 0
	}
	number := uint32(s.mem[c.ends])
	if number != s.base+s.live-1 {
		return 0, 0, false
	}
	slot := s.slot(s.live - 1)
	v, _ = p.value(s, c, slot)
	return v, int64(p.row(s, slot)[0]), true
}

func (p *Program) slope(s *State, c *column, n uint64) event.Value {
	if n < 2 {
		return event.Value{}
	}
	var room [usual]uint64
	sc := scratch{room[:]}
	x, t := p.sumOf(s, &sc, c, sumX), p.sumOf(s, &sc, c, sumT)
	over, oexp := sc.determinant(n, p.sumOf(s, &sc, c, sumTX), t, x).scaled()
	under, uexp := sc.determinant(n, p.sumOf(s, &sc, c, sumTT), t, t).scaled()
	if under == 0 {
		return event.Value{}
	}
	return event.OfFloat(scale(over/under*1e9, oexp-uexp))
}

func (p *Program) best(s *State, c *column, side int) event.Value {
	if !p.evicts {
		return p.own(s, c, c.best[side])
	}
	return p.at(s, c, p.queueOf(s, c, side).at(0))
}

// end returns the first or last value: in a slot of its own, or at the event whose
// number is in the column's ends at a shift.
func (p *Program) end(s *State, c *column, slot, shift int) event.Value {
	if !p.evicts {
		return p.own(s, c, slot)
	}
	return p.at(s, c, uint32(s.mem[c.ends]>>shift))
}

func (p *Program) own(s *State, c *column, slot int) event.Value {
	v, text := p.got(s, c, slot)
	return c.valueOf(v, text)
}

func (p *Program) at(s *State, c *column, number uint32) event.Value {
	v, text := p.value(s, c, s.slot(number-s.base))
	return c.valueOf(v, text)
}

// values lists what the dictionary holds: for values by first event, for top the k
// most frequent, ties by first event.
func (p *Program) values(s *State, c *column, a *aggregate) event.Value {
	d := &s.ext.dicts[c.dict]
	var ids []uint32
	if a.fn == Top && d.live > fewRanked && !(p.evicts && s.base+s.live < s.base) {
		ids = p.leaders(s, c, int(a.param))
	} else {
		ids = p.sortedValues(s, d, a)
	}
	return list(len(ids), func(i int) event.Value {
		e := &d.entries[ids[i]]
		if c.text {
			return c.valueOf(0, d.view(e))
		}
		return c.valueOf(e.value, "")
	})
}

// leaders are the entries of the k most frequent values. Numbers of events must not
// wrap within the window.
func (p *Program) leaders(s *State, c *column, k int) []uint32 {
	r := s.ext.dicts[c.dict].rank(!p.evicts)
	ids := make([]uint32, min(k, r.keys.n))
	for i := range ids {
		ids[i] = uint32(r.keys.at(i))
		if p.evicts { // what the key has is the first event with the value
			ids[i] = uint32(p.row(s, s.slot(ids[i]-s.base))[c.value] >> 32)
		}
	}
	return ids
}

// sortedValues are the entries of values or top, in order.
func (p *Program) sortedValues(s *State, d *dict, a *aggregate) []uint32 {
	ids := make([]uint32, 0, d.live)
	for i := range d.entries {
		if d.entries[i].count > 0 {
			ids = append(ids, uint32(i))
		}
	}
	slices.SortFunc(ids, func(x, y uint32) int {
		a1, b1 := &d.entries[x], &d.entries[y]
		if a.fn == Top && a1.count != b1.count {
			return cmp.Compare(b1.count, a1.count)
		}
		if !p.evicts {
			return cmp.Compare(x, y) // entries of values that never leave are in order
		}
		return cmp.Compare(a1.first-s.base, b1.first-s.base)
	})
	if a.fn == Top {
		ids = ids[:min(len(ids), int(a.param))]
	}
	return ids
}

func list(n int, at func(int) event.Value) event.Value {
	elems := make([]event.Value, n)
	for i := range elems {
		elems[i] = at(i)
	}
	return event.Value{Kind: event.List, C: &event.Compound{Elems: elems}}
}

// collect lists the last k values, oldest first.
func (p *Program) collect(s *State, c *column, a *aggregate) event.Value {
	if !p.evicts {
		t := &s.ext.tails[a.tail]
		return list(t.len(), func(i int) event.Value { return c.valueOf(t.at(i)) })
	}
	var elems []event.Value
	b := p.bitmap(s, a.col)
	for i := uint32(s.mem[c.ends]) - s.base + 1; i > 0 && len(elems) < int(a.param); i-- {
		if getBit(b, s.slot(i-1)) {
			elems = append(elems, p.at(s, c, s.base+i-1))
		}
	}
	slices.Reverse(elems)
	return list(len(elems), func(i int) event.Value { return elems[i] })
}

// percentile interpolates between the two values around rank q·(n−1).
func percentile(o *ordered, kind event.Kind, q float64) event.Value {
	rank := q * float64(o.n-1)
	k := int(rank)
	part := rank - float64(k)
	low := keyValue(kind, o.at(k))
	high := low
	if k+1 < o.n {
		high = keyValue(kind, o.at(k+1))
	}
	switch kind {
	case event.Float:
		return event.OfFloat(between(math.Float64frombits(low), math.Float64frombits(high), part))
	case event.Int:
		return event.OfFloat(between(float64(int64(low)), float64(int64(high)), part))
	}
	return event.OfKind(kind, int64(low+uint64(math.RoundToEven(float64(high-low)*part))))
}

func between(low, high, part float64) float64 {
	if d := high - low; !math.IsInf(d, 0) {
		return low + d*part
	}
	return low*(1-part) + high*part
}
