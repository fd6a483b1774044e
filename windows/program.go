package windows

import (
	"fmt"
	"math"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

// Agg is one aggregate of a window.
type Agg struct {
	Func  Func
	Arg   event.Kind // of the argument; Nil: none
	Param float64    // percentile: p, from 0 to 100; top and collect: k, from 1 to MaxItems

	// Same is 1 + the index of an earlier aggregate with the very same argument, whose
	// column this one shares and whose Arg stands for both; 0: a column of its own.
	Same int

	// As is the declared type of a List or Record argument, by which its JSON text is
	// read again; nil: as it comes.
	As *event.Type
}

// Limits of a Program.
const (
	MaxItems  = 10_000  // greatest k of top and collect
	MaxEvents = 1 << 30 // greatest number of events in one State; the oldest leaves beyond it
	MaxOpen   = 10_000  // greatest number of hopping windows that may hold one event
)

// Arg is what one event gives to one aggregate. Take is false where the argument is
// nil or count's condition does not hold; then nothing else is looked at. N holds
// Bool, Int, Float (bits), Time and Duration; S holds String and IP, and the JSON
// text of List, Record and Any. S is copied where it is kept. A NaN or an infinity
// counts as nil, and -0 as 0.
type Arg struct {
	Take bool
	N    uint64
	S    string
}

// Program is the compiled form of one window and its aggregates. It is immutable and
// may be shared by all keys and goroutines.
//
// A Program either evicts (Sliding, Last): its States keep the events, in a ring; or
// it only inserts (the other kinds, and [NewAcc]): its States keep accumulators alone.
type Program struct {
	spec    Spec
	evicts  bool
	bounded bool // Spec says which events it holds: not an Acc
	zone    *time.Location
	aggs    []aggregate
	cols    []column

	fixed  int // words of accumulators at the front of a State's memory
	bits   int // bitmaps: one a column
	queue  int // monotone queues
	width  int // words of a row: the time, then values
	timed  bool
	totals bool // inserting: columns keep counts and sums alone, and windows do not overlap
	span   int  // word with the window's length in nanoseconds, for rate; -1
	ext    extShape
}

// aggregate is an Agg tied to its column; col is -1 for count() and rate().
type aggregate struct {
	fn    Func
	kind  event.Kind // of the result, or of its elements
	col   int
	param float64
	tail  int // collect in a State that only inserts: index into ext.tails; -1
}

// sums a column may keep, by place in column.sum.
const (
	sumX  = iota // Σx
	sumXX        // Σx²
	sumT         // Σt over the events that gave an x
	sumTT
	sumTX
	sums
)

// maxInline is the greatest number of limbs that a sum has in line.
const maxInline = 5

// inlineLimbs is how many limbs a sum has before it spills: enough that whole numbers
// never do, and floats only where they span more than some 40 decimal digits.
func inlineLimbs(kind event.Kind, sum int) int {
	switch {
	case !whole(kind, sum):
		if sum == sumX {
			return 3
		}
		return maxInline
	case sum == sumX || sum == sumT:
		return 2
	}
	return 3
}

// whole reports that a sum is of integers: its limbs then begin at 2^0.
func whole(kind event.Kind, sum int) bool {
	return kind != event.Float || sum == sumT || sum == sumTT
}

// column is what a State keeps of one argument. Numbers of words and indices are -1
// for what no aggregate needs.
type column struct {
	arg  int // which Arg of an event it takes
	kind event.Kind
	text bool        // its values are strings
	as   *event.Type // how JSON text is read

	value  int // word of a row that holds its value, or its dictionary entry
	taken  int // word: how many events of the window gave a value
	ends   int // evicting: word with the numbers of the first and last event that did
	first  int // inserting: word, or for text the slot, of the first value
	last   int
	fresh  int // inserting: word, whether the newest event gave a value
	sum    [sums]int
	wide   [sums]int // index into ext.wides
	best   [2]int    // min, max: word; evicting: the queue's state; inserting: the value, or for text the slot
	queue  [2]int
	dict   int
	order  int
	listed bool // values or top: the dictionary's entries have an order
	plain  bool // inserting: it has a count and sums alone
	total  bool // plain, and its only sum is Σx
}

// extShape says how many of each thing an ext has.
type extShape struct{ wides, dicts, orders, tails, texts int }

// NewProgram compiles a window and its aggregates. The error says which of them
// cannot be.
func NewProgram(spec Spec, aggs []Agg) (*Program, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	p := &Program{spec: spec, evicts: spec.Kind.AtEvent(), bounded: true}
	if spec.Zone != "" {
		zone, err := time.LoadLocation(spec.Zone)
		if err != nil {
			return nil, fmt.Errorf("load time zone %q: %w", spec.Zone, err)
		}
		p.zone = zone
	}
	if err := p.compile(aggs); err != nil {
		return nil, err
	}
	return p, nil
}

// NewAcc compiles aggregates over events that are only ever added, without a window:
// those of a repeated step. Results are those of a window that never evicts.
func NewAcc(aggs []Agg) (*Program, error) {
	p := &Program{}
	if err := p.compile(aggs); err != nil {
		return nil, err
	}
	return p, nil
}

// Check says what is wrong with a window.
func (s Spec) Check() error {
	switch s.Kind {
	case Last, Batch:
		if s.Count < 1 || s.Count > MaxEvents {
			return fmt.Errorf("a window of %d events: from 1 to %d", s.Count, MaxEvents)
		}
		return nil
	case Hopping:
		if s.Every <= 0 {
			return fmt.Errorf("a window that hops by %d ns: must be positive", s.Every)
		}
		if s.Size/s.Every > MaxOpen {
			return fmt.Errorf("an event would be in %d hopping windows: at most %d", s.Size/s.Every, MaxOpen)
		}
	}
	if s.Size <= 0 || s.Max < 0 {
		return fmt.Errorf("a window of %d ns: must be positive", s.Size)
	}
	if s.Zone != "" && (s.Kind != Tumbling || s.Size%int64(day) != 0) {
		return fmt.Errorf("a window with a time zone must be tumbling, of whole days or weeks")
	}
	return nil
}

func (p *Program) compile(aggs []Agg) error {
	p.span = -1
	p.timed = p.evicts && p.spec.Kind == Sliding
	byAgg := make([]int, len(aggs))
	for i, a := range aggs {
		if err := p.checkAgg(aggs, i); err != nil {
			return err
		}
		byAgg[i] = p.columnOf(a, i, byAgg)
		p.timed = p.timed || p.evicts && a.Func == Slope
	}
	if p.timed {
		p.width = 1
	}
	for i, a := range aggs {
		p.aggs = append(p.aggs, aggregate{fn: a.Func, kind: a.Arg, col: byAgg[i], param: a.Param, tail: -1})
		p.need(&p.aggs[i])
	}
	p.totals = p.bounded && p.spec.Kind == Tumbling && p.ext.tails == 0
	for i := range p.cols {
		c := &p.cols[i]
		c.plain = len(c.slots()) == 0 && c.fresh < 0 && c.dict < 0 && c.order < 0
		c.total = c.plain && c.sum[sumX] >= 0 && c.sum[sumXX] < 0 && c.sum[sumT] < 0
		p.totals = p.totals && c.plain
	}
	return nil
}

// Reads lists the numbers of the Args that Add reads, in order.
func (p *Program) Reads() []int {
	var out []int
	for i := range p.cols {
		out = append(out, p.cols[i].arg)
	}
	return out
}

func (p *Program) checkAgg(aggs []Agg, i int) error {
	a := aggs[i]
	if err := takes(a.Func, a.Arg); err != nil {
		return err
	}
	switch {
	case a.Same < 0 || a.Same > i || a.Same > 0 && aggs[a.Same-1].Arg != a.Arg:
		return fmt.Errorf("aggregate %d cannot share the argument of %d", i, a.Same-1)
	case a.Func == Percentile && !(a.Param >= 0 && a.Param <= 100):
		return fmt.Errorf("percentile takes p from 0 to 100, not %v", a.Param)
	case (a.Func == Top || a.Func == Collect) && !(a.Param >= 1 && a.Param <= MaxItems && a.Param == math.Trunc(a.Param)):
		return fmt.Errorf("%s takes k from 1 to %d, not %v", a.Func, MaxItems, a.Param)
	case a.Func == Rate && (!p.bounded || p.spec.Kind == Last || p.spec.Kind == Batch):
		return fmt.Errorf("rate needs a window of time")
	}
	return nil
}

// columnOf finds or makes the column of an aggregate's argument. A count() without
// an argument has none; every event gives to it.
func (p *Program) columnOf(a Agg, i int, byAgg []int) int {
	if a.Func == Rate || a.Func == Count && a.Arg == event.Nil {
		return -1
	}
	if a.Same > 0 && byAgg[a.Same-1] >= 0 {
		return byAgg[a.Same-1]
	}
	c := column{arg: i, kind: a.Arg, text: a.Arg == event.String || a.Arg >= event.IP, as: a.As}
	if c.as == nil {
		c.as = &event.Type{Kind: event.Any}
	}
	for _, f := range []*int{&c.value, &c.ends, &c.first, &c.last, &c.fresh, &c.best[0], &c.best[1], &c.queue[0], &c.queue[1], &c.dict, &c.order} {
		*f = -1
	}
	for i := range sums {
		c.sum[i], c.wide[i] = -1, -1
	}
	p.word(&c.taken, 1)
	if p.evicts {
		p.bits++
	}
	p.cols = append(p.cols, c)
	return len(p.cols) - 1
}

// word gives *at n words of the fixed part.
func (p *Program) word(at *int, n int) {
	*at = p.fixed
	p.fixed += n
}

// need gives a column what an aggregate reads.
func (p *Program) need(a *aggregate) {
	if a.col < 0 {
		if a.fn == Rate && !p.evicts && p.span < 0 {
			p.word(&p.span, 1)
		}
		return
	}
	c := &p.cols[a.col]
	if p.evicts && a.fn != Count {
		p.needValue(c)
	}
	switch a.fn {
	case Sum, Avg:
		p.needSum(c, sumX)
	case Stddev, Variance:
		p.needSum(c, sumX, sumXX)
	case ZScore:
		p.needSum(c, sumX, sumXX)
		p.needLast(c)
	case Slope:
		p.needSum(c, sumX, sumT, sumTT, sumTX)
	case Min:
		p.needBest(c, 0)
	case Max:
		p.needBest(c, 1)
	case First:
		p.needFirst(c)
	case LastOf:
		p.needLast(c)
	case Distinct, Values, Top:
		c.listed = c.listed || a.fn != Distinct
		p.needOnce(&c.dict, &p.ext.dicts)
	case Median, Percentile:
		p.needOnce(&c.order, &p.ext.orders)
	case Collect:
		if p.evicts {
			p.needLast(c)
		} else {
			p.needOnce(&a.tail, &p.ext.tails)
		}
	}
}

// needValue gives the column a word in each row. Strings are kept in a dictionary.
func (p *Program) needValue(c *column) {
	if c.value < 0 {
		c.value = p.width
		p.width++
	}
	if c.text {
		p.needOnce(&c.dict, &p.ext.dicts)
	}
}

func (p *Program) needOnce(at, next *int) {
	if *at < 0 {
		*at = *next
		*next++
	}
}

func (p *Program) needSum(c *column, which ...int) {
	for _, i := range which {
		if c.sum[i] < 0 {
			p.word(&c.sum[i], 1+inlineLimbs(c.kind, i))
			p.needOnce(&c.wide[i], &p.ext.wides)
		}
	}
}

func (p *Program) needFirst(c *column) {
	if p.evicts {
		p.needEnds(c)
	} else {
		p.needSlot(c, &c.first)
	}
}

func (p *Program) needLast(c *column) {
	if p.evicts {
		p.needEnds(c)
		return
	}
	p.needSlot(c, &c.last)
	if c.fresh < 0 {
		p.word(&c.fresh, 1)
	}
}

func (p *Program) needEnds(c *column) {
	if c.ends < 0 {
		p.word(&c.ends, 1)
	}
}

// needSlot gives a value of its own a place: a word, or a text.
func (p *Program) needSlot(c *column, at *int) {
	switch {
	case *at >= 0:
	case c.text:
		p.needOnce(at, &p.ext.texts)
	default:
		p.word(at, 1)
	}
}

func (p *Program) needBest(c *column, side int) {
	if !p.evicts {
		p.needSlot(c, &c.best[side])
		return
	}
	if c.best[side] < 0 {
		p.word(&c.best[side], 1)
		c.queue[side] = p.queue
		p.queue++
	}
}
