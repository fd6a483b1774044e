package workload

import "github.com/cepheus-cep/cepheus/benchmarks/gen"

// All spans are half-open: two events are within w when later - earlier < w.
const minute = 60_000

func oracle1(e *Events, _ int) (hits int) {
	for i := range e.Payments {
		if e.Payments[i].Amount > 990 {
			hits++
		}
	}
	return hits
}

func oracle2(e *Events, _ int) (hits int) {
	type bucket struct {
		card   int
		minute int64
	}
	counts := map[bucket]int{}
	for _, p := range e.Payments {
		counts[bucket{p.Card, p.TS / minute}]++
	}
	for _, n := range counts {
		if n >= 20 {
			hits++
		}
	}
	return hits
}

func oracle3(e *Events, _ int) (hits int) {
	windows := map[int][]int64{}
	for _, p := range e.Payments {
		w := append(windows[p.Card], p.TS)
		for w[0] <= p.TS-minute {
			w = w[1:]
		}
		if windows[p.Card] = w; len(w) >= 50 {
			hits++
		}
	}
	return hits
}

// byCard splits payments by their cards.
func byCard(payments []gen.Payment) map[int][]gen.Payment {
	cards := map[int][]gen.Payment{}
	for _, p := range payments {
		cards[p.Card] = append(cards[p.Card], p)
	}
	return cards
}

// next is the first payment after i and before a time for which cond holds, -1 where
// there is none.
func next(s []gen.Payment, i int, before int64, cond func(*gen.Payment) bool) int {
	for j := i + 1; j < len(s) && s[j].TS < before; j++ {
		if cond(&s[j]) {
			return j
		}
	}
	return -1
}

func oracle4(e *Events, _ int) (hits int) {
	for _, s := range byCard(e.Payments) {
		for i, a := range s {
			if a.Amount < 20 && next(s, i, a.TS+minute, func(b *gen.Payment) bool { return b.Amount > 900 }) >= 0 {
				hits++
			}
		}
	}
	return hits
}

func oracle5(e *Events, _ int) (hits int) {
	for _, s := range byCard(e.Payments) {
		for i, a := range s {
			if a.Amount >= 100 {
				continue
			}
			j := next(s, i, a.TS+minute, func(b *gen.Payment) bool { return b.Amount > a.Amount*5 })
			if j < 0 {
				continue
			}
			third := func(c *gen.Payment) bool { return c.Amount > s[j].Amount*1.5 && c.Country != a.Country }
			if next(s, j, a.TS+minute, third) >= 0 {
				hits++
			}
		}
	}
	return hits
}

// oracle6: a large payment ends a match when at least three small ones since the last
// match lie within 120 s before it.
func oracle6(e *Events, _ int) (hits int) {
	for _, s := range byCard(e.Payments) {
		var small []int64
		for _, p := range s {
			switch {
			case p.Amount < 100:
				small = append(small, p.TS)
			case p.Amount > 800 && within(small, p.TS, 2*minute) >= 3:
				hits++
				small = small[:0]
			}
		}
	}
	return hits
}

// within counts the times that lie less than a span before t.
func within(times []int64, t, span int64) (n int) {
	for _, u := range times {
		if t-u < span {
			n++
		}
	}
	return n
}

func oracle7(e *Events, _ int) (hits int) {
	for _, s := range byCard(e.Payments) {
		for i, a := range s {
			if a.Amount > 950 && (i+1 == len(s) || s[i+1].TS-a.TS >= minute/2) {
				hits++
			}
		}
	}
	return hits
}

func oracle8f(e *Events, n int) int { return oracleRules(e, n, Threshold) }

func oracle8s(e *Events, n int) int {
	return oracleRules(e, n, func(i int) float64 { return FewThreshold(i, n) })
}

func oracleRules(e *Events, n int, threshold func(int) float64) (hits int) {
	thresholds := make([][]float64, 1000)
	for i := range n {
		thresholds[i%1000] = append(thresholds[i%1000], threshold(i))
	}
	for _, p := range e.Payments {
		for _, t := range thresholds[p.Merchant] {
			if p.Amount > t {
				hits++
			}
		}
	}
	return hits
}

// oracle9 adds, for each first event, the second events before each third one. What is
// before an event is known from running totals, so that windows of any length cost the
// same: bs counts second events, pairs (second, third) are what a first event at the very
// beginning would match, and of those the second events before a have to go.
func oracle9(e *Events, n int) (hits int) {
	bs, cs, pairs := make([]int, len(e.Trades)+1), make([]int, len(e.Trades)+1), make([]int, len(e.Trades)+1)
	for i, t := range e.Trades {
		bs[i+1], cs[i+1], pairs[i+1] = bs[i], cs[i], pairs[i]
		switch {
		case !t.Sell && t.Name == oracleORCL:
			bs[i+1]++
		case t.Sell && t.Name == oracleCSCO:
			cs[i+1]++
			pairs[i+1] += bs[i]
		}
	}
	for i, t := range e.Trades {
		if t.Sell && t.Name == oracleMSFT {
			from, to := i+1, min(i+n, len(e.Trades))
			hits += pairs[to] - pairs[from] - bs[from]*(cs[to]-cs[from])
		}
	}
	return hits
}

// Numbers of the names that W9 asks for.
const (
	oracleMSFT = iota
	oracleORCL
	oracleCSCO
)

func oracle10(e *Events, _ int) (hits int) {
	type window struct {
		events []gen.Payment
		counts map[int]int
	}
	windows := map[int]*window{}
	for _, p := range e.Payments {
		w := windows[p.Card]
		if w == nil {
			w = &window{counts: map[int]int{}}
			windows[p.Card] = w
		}
		w.events = append(w.events, p)
		w.counts[p.Merchant]++
		for ; w.events[0].TS <= p.TS-10*minute; w.events = w.events[1:] {
			gone := w.events[0].Merchant
			if w.counts[gone]--; w.counts[gone] == 0 {
				delete(w.counts, gone)
			}
		}
		if len(w.counts) >= 500 {
			hits++
		}
	}
	return hits
}
