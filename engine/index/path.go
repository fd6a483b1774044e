package index

import (
	"cmp"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// path finds tests by the value of one field.
type path struct {
	slot    slot
	texts   *texts          // byValue, of a text: its number is that of its bucket
	numbers map[int64]int32 // byValue, of a number
	buckets []bucket
	parts   *automaton
	ranges  thresholds
}

// bucket holds the tests that ask for one value: those with a range on a field that many
// of them have are found by it.
type bucket struct {
	tests  []int32
	slot   slot
	ranges thresholds
}

// thresholds are tests whose fields must lie in intervals that are open on one side, in
// such an order that those which a number passes come first.
type thresholds struct {
	above []threshold // lo ascending
	below []threshold // hi descending
}

type threshold struct {
	at   int64
	test int32
}

func (t *thresholds) add(in interval, test int32) {
	if in.hi == math.MaxInt64 {
		t.above = append(t.above, threshold{in.lo, test})
	} else {
		t.below = append(t.below, threshold{in.hi, test})
	}
}

func (t *thresholds) sort() {
	slices.SortFunc(t.above, func(a, b threshold) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.test, b.test)) })
	slices.SortFunc(t.below, func(a, b threshold) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.test, b.test)) })
}

func (t *thresholds) empty() bool { return len(t.above) == 0 && len(t.below) == 0 }

// filed is a test on its way into a path.
type filed struct {
	test int32
	way  *way
	rest []*plan.Expr // what it still asks
}

// filer puts the tests of a type into its paths.
type filer struct {
	ti     *typeIndex
	byPath [][]filed
}

// file notes a test for the path of its way.
func (f *filer) file(n int32, w *way, rest []*plan.Expr) {
	i := slices.IndexFunc(f.ti.paths, func(p path) bool { return p.slot.number == w.slot })
	if i < 0 {
		i = len(f.ti.paths)
		f.ti.paths = append(f.ti.paths, path{slot: slotOf(f.ti.layout, w.slot)})
		f.byPath = append(f.byPath, nil)
	}
	f.byPath[i] = append(f.byPath[i], filed{test: n, way: w, rest: rest})
}

// finish builds the paths.
func (f *filer) finish(c eval.Compiler) {
	for i := range f.ti.paths {
		f.build(&f.ti.paths[i], f.byPath[i], c)
	}
}

func (f *filer) build(p *path, list []filed, c eval.Compiler) {
	byBucket := [][]filed{}
	parts := map[part]int32{}
	for _, t := range list {
		switch t.way.kind {
		case byRange:
			p.ranges.add(t.way.bound, t.test)
			f.ti.conditions(t.test, t.rest, c, false)
		case byPart:
			if p.parts == nil {
				p.parts = &automaton{}
			}
			p.parts.add(t.way.part, t.test, parts)
			f.ti.conditions(t.test, t.rest, c, false)
		default:
			for _, v := range t.way.values {
				n := p.bucketOf(v)
				for int(n) >= len(byBucket) {
					byBucket = append(byBucket, nil)
				}
				byBucket[n] = append(byBucket[n], t)
			}
		}
	}
	p.ranges.sort()
	if p.parts != nil {
		p.parts.build()
	}
	p.buckets = make([]bucket, len(byBucket))
	for n := range byBucket {
		f.fill(&p.buckets[n], byBucket[n], c)
	}
}

// bucketOf returns the number of a value's bucket.
func (p *path) bucketOf(v event.Value) int32 {
	if v.Kind == event.String {
		if p.texts == nil {
			p.texts = newTexts()
		}
		return p.texts.add(v.S)
	}
	if p.numbers == nil {
		p.numbers = map[int64]int32{}
	}
	n, ok := p.numbers[int64(v.N)]
	if !ok {
		n = int32(len(p.numbers))
		p.numbers[int64(v.N)] = n
	}
	return n
}

// fill puts the tests of one value into their bucket.
func (f *filer) fill(b *bucket, list []filed, c eval.Compiler) {
	inner := f.commonRange(list)
	if inner >= 0 {
		b.slot = slotOf(f.ti.layout, inner)
	}
	for _, t := range list {
		if at := f.rangeOn(t, inner); at >= 0 {
			b.ranges.add(f.ti.wayOf(t.rest[at]).bound, t.test)
			t.rest = slices.Concat(t.rest[:at], t.rest[at+1:])
		} else {
			b.tests = append(b.tests, t.test)
		}
		if f.ti.tests[t.test].conds == nil && f.ti.tests[t.test].whole == nil { // else another bucket has done it
			f.ti.conditions(t.test, t.rest, c, false)
		}
	}
	b.ranges.sort()
}

// commonRange is the slot on which most of the tests have a range, -1 where none has one:
// even of one test the threshold stands nearer than the test and its condition.
func (f *filer) commonRange(list []filed) int {
	n := map[int]int{}
	best := -1
	for _, t := range list {
		for _, e := range t.rest {
			w := f.ti.wayOf(e)
			if w == nil || w.kind != byRange {
				continue
			}
			if n[w.slot]++; best < 0 || n[w.slot] > n[best] {
				best = w.slot
			}
		}
	}
	return best
}

// rangeOn is the place of a test's range on a slot; -1: none. A test that is in several
// buckets asks the same in all of them.
func (f *filer) rangeOn(t filed, slot int) int {
	if slot < 0 || len(t.way.values) > 1 {
		return -1
	}
	return slices.IndexFunc(t.rest, func(e *plan.Expr) bool {
		w := f.ti.wayOf(e)
		return w != nil && w.kind == byRange && w.slot == slot
	})
}
