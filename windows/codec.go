package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
)

// ErrCorrupt is wrapped by all errors of Decode: the bytes are not what Append wrote
// for the same window and aggregates.
var ErrCorrupt = errors.New("windows: corrupt state")

// Append writes the State. A State that evicts is written as its events, oldest
// first; what else it holds follows from them. One that only inserts is written as
// its accumulators. Either way the bytes depend only on what the results depend on,
// and the State that Decode makes of them gives the same results ever after.
func (p *Program) Append(b []byte, s *State) []byte {
	n := p.Len(s)
	b = binary.AppendUvarint(b, uint64(n))
	if n == 0 {
		return b
	}
	if p.evicts {
		return p.appendEvents(b, s)
	}
	for i := range p.cols {
		b = p.appendColumn(b, s, &p.cols[i])
	}
	for i := range p.aggs {
		if a := &p.aggs[i]; a.tail >= 0 {
			b = p.appendTail(b, s, a)
		}
	}
	return b
}

func (p *Program) appendEvents(b []byte, s *State) []byte {
	if p.rowless() {
		return b
	}
	texts := make([]numbering, len(p.cols))
	before := int64(0)
	for i := range s.live {
		slot := s.slot(i)
		if p.timed {
			t := int64(p.row(s, slot)[0])
			b = event.AppendSpan(b, t, before)
			before = t
		}
		for c := 0; c < len(p.cols); c += 8 {
			b = append(b, p.takenBits(s, c, slot))
		}
		for c := range p.cols {
			if p.cols[c].value >= 0 && getBit(p.bitmap(s, c), slot) {
				b = p.appendValue(b, s, &p.cols[c], slot, &texts[c])
			}
		}
	}
	return b
}

// numbering gives dictionary entries numbers, from 1, in the order they are met.
type numbering struct {
	of   []uint32 // by entry; 0: not met
	last uint32
}

// appendValue writes what the event in a slot gave to a column; a text in full only
// where it comes first.
func (p *Program) appendValue(b []byte, s *State, c *column, slot uint32, met *numbering) []byte {
	v, text := p.value(s, c, slot)
	if !c.text {
		return appendNumber(b, c.kind, v)
	}
	if met.of == nil {
		met.of = make([]uint32, len(s.ext.dicts[c.dict].entries))
	}
	n := &met.of[p.row(s, slot)[c.value]>>32]
	b = binary.AppendUvarint(b, uint64(*n))
	if *n > 0 {
		return b
	}
	met.last++
	*n = met.last
	return appendText(b, text)
}

// takenBits packs which of eight columns from c on the event in a slot gave a value.
func (p *Program) takenBits(s *State, c int, slot uint32) (b byte) {
	for i := range min(8, len(p.cols)-c) {
		if getBit(p.bitmap(s, c+i), slot) {
			b |= 1 << i
		}
	}
	return b
}

func appendNumber(b []byte, kind event.Kind, v uint64) []byte {
	switch kind {
	case event.Float:
		return appendFloat(b, v)
	case event.Time:
		return event.AppendSpan(b, int64(v), 0)
	}
	return binary.AppendVarint(b, int64(v))
}

// Most numbers that people write have few digits, and few of them after the point: such a
// float is written as its digits and, in the three lowest bits, how many stand after the
// point; any other one as its eight bytes, after wideFloat.
const (
	maxPoint  = 4
	wideFloat = 7
	pointBits = 3
)

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4}

func appendFloat(b []byte, v uint64) []byte {
	f := math.Float64frombits(v)
	for point := 0; point <= maxPoint; point++ {
		n := math.Round(f * tens[point])
		if math.Abs(n) < 1<<53 && math.Float64bits(n/tens[point]) == v {
			return binary.AppendUvarint(b, zigzag(int64(n))<<pointBits|uint64(point))
		}
	}
	return binary.LittleEndian.AppendUint64(append(b, wideFloat), v)
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (p *Program) appendColumn(b []byte, s *State, c *column) []byte {
	taken := s.mem[c.taken]
	b = binary.AppendUvarint(b, taken)
	if taken == 0 {
		return b
	}
	for _, slot := range c.slots() {
		if v, text := p.got(s, c, slot); c.text {
			b = appendText(b, text)
		} else {
			b = appendNumber(b, c.kind, v)
		}
	}
	if c.fresh >= 0 {
		b = append(b, byte(s.mem[c.fresh]))
	}
	for i := range c.sum {
		if c.sum[i] >= 0 {
			b = p.appendSum(b, s, c, i)
		}
	}
	if c.dict >= 0 {
		b = appendDict(b, c, &s.ext.dicts[c.dict])
	}
	if c.order >= 0 {
		before, o := uint64(0), &s.ext.orders[c.order]
		b = binary.AppendUvarint(b, uint64(o.n)) // less than taken where AddAtMost had no room
		for _, block := range o.blocks {
			for _, key := range block {
				b = binary.AppendUvarint(b, key-before)
				before = key
			}
		}
	}
	return b
}

// slots lists the places of single values that a column has.
func (c *column) slots() []int {
	return slices.DeleteFunc([]int{c.first, c.last, c.best[0], c.best[1]}, func(i int) bool { return i < 0 })
}

// appendSum writes a sum without limbs that say nothing, so that the bytes depend on
// its value alone.
func (p *Program) appendSum(b []byte, s *State, c *column, which int) []byte {
	var w wide
	if at := s.mem[c.sum[which]:]; at[0] == spilled {
		w = s.ext.wides[c.wide[which]]
	} else {
		w = wide{lo: int(int64(at[0])), limbs: at[1 : 1+inlineLimbs(c.kind, which)]}
	}
	w.trim()
	b = binary.AppendUvarint(b, uint64(len(w.limbs)))
	if len(w.limbs) == 0 {
		return b
	}
	b = binary.AppendVarint(b, int64(w.lo))
	for _, l := range w.limbs {
		b = binary.LittleEndian.AppendUint64(b, l)
	}
	return b
}

func appendDict(b []byte, c *column, d *dict) []byte {
	b = binary.AppendUvarint(b, uint64(d.live))
	for i := range d.entries {
		e := &d.entries[i]
		if c.text {
			b = appendText(b, d.view(e))
		} else {
			b = appendNumber(b, c.kind, e.value)
		}
		b = binary.AppendUvarint(b, uint64(e.count))
	}
	return b
}

func (p *Program) appendTail(b []byte, s *State, a *aggregate) []byte {
	c := &p.cols[a.col]
	if s.mem[c.taken] == 0 {
		return b
	}
	t := &s.ext.tails[a.tail]
	b = binary.AppendUvarint(b, uint64(t.len()))
	for i := range t.len() {
		if v, text := t.at(i); c.text {
			b = appendText(b, text)
		} else {
			b = appendNumber(b, c.kind, v)
		}
	}
	return b
}

// Decode makes s the State whose bytes b are, all of them. Bytes that no Append wrote
// give an error that wraps [ErrCorrupt], and an empty State; never a panic, nor more
// memory than some multiple of their length. Nothing of b is kept.
func (p *Program) Decode(b []byte, s *State) error {
	s.Reset()
	r := reader{b: b}
	p.read(&r, s)
	if len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		s.Reset()
	}
	return r.err
}

func (p *Program) read(r *reader, s *State) {
	live := r.uvarint()
	switch {
	case r.err != nil || live == 0:
	case live > math.MaxInt64 || p.evicts && live > MaxEvents || p.evicts && p.spec.Kind == Last && live > uint64(p.spec.Count):
		r.fail("%d events", live)
	case p.evicts:
		p.readEvents(r, s, uint32(live))
	default:
		s.setInserted(int(live))
		if p.fixed > 0 {
			s.mem = make([]uint64, p.fixed)
		}
		for i := range p.cols {
			p.readColumn(r, s, &p.cols[i])
		}
		for i := range p.aggs {
			if a := &p.aggs[i]; a.tail >= 0 {
				p.readTail(r, s, a)
			}
		}
	}
}

func (p *Program) readEvents(r *reader, s *State, live uint32) {
	if p.rowless() {
		s.live = live
		return
	}
	args := make([]Arg, len(p.aggs))
	texts := make([][]string, len(p.cols))
	at := int64(0)
	for i := uint32(0); i < live && r.err == nil; i++ {
		if p.timed {
			at = r.time(at, i == 0)
		}
		taken := r.bytes((len(p.cols) + 7) / 8)
		for c := range p.cols {
			col := &p.cols[c]
			a := &args[col.arg]
			*a = Arg{Take: r.err == nil && taken[c/8]&(1<<(c%8)) != 0}
			switch {
			case !a.Take || col.value < 0:
			case col.text:
				a.S = r.repeated(&texts[c])
			default:
				a.N = r.number(col.kind)
			}
		}
		if r.err == nil {
			p.Add(s, at, args)
		}
	}
	if r.err == nil && s.live != live {
		r.fail("events that lie further apart than the window is long")
	}
}

func (p *Program) readColumn(r *reader, s *State, c *column) {
	taken := r.uvarint()
	if taken > uint64(s.inserted()) {
		r.fail("%d values of %d events", taken, s.inserted())
	}
	if taken == 0 || r.err != nil {
		return
	}
	s.mem[c.taken] = taken
	for _, slot := range c.slots() {
		if c.text {
			p.put(s, c, slot, 0, r.text())
		} else {
			p.put(s, c, slot, r.number(c.kind), "")
		}
	}
	if c.fresh >= 0 {
		s.mem[c.fresh] = uint64(r.flag())
	}
	for i := range c.sum {
		if c.sum[i] >= 0 {
			p.readSum(r, s, c, i)
		}
	}
	if c.dict >= 0 {
		readDict(r, c, &p.extOf(s).dicts[c.dict], taken)
	}
	if c.order >= 0 {
		readOrder(r, &p.extOf(s).orders[c.order], taken)
	}
}

func readOrder(r *reader, o *ordered, taken uint64) {
	n := r.uvarint()
	if n == 0 || n > taken {
		r.fail("%d keys of %d values", n, taken)
	}
	key := uint64(0)
	for i := uint64(0); i < n && r.err == nil; i++ {
		d := r.uvarint()
		if d > math.MaxUint64-key {
			r.fail("keys out of order")
			return
		}
		key += d
		o.insert(key)
	}
}

// maxWide bounds the limbs of a sum and their places: nothing that floats, their
// squares and their products with times can add up to is beyond it.
const maxWide = 80

func (p *Program) readSum(r *reader, s *State, c *column, which int) {
	n := r.uvarint()
	if n == 0 || r.err != nil {
		return
	}
	lo := r.varint()
	if n > maxWide || lo < -maxWide || lo > maxWide {
		r.fail("a sum of %d limbs from %d", n, lo)
		return
	}
	raw := r.bytes(8 * int(n))
	if r.err != nil {
		return
	}
	w := wide{lo: int(lo), limbs: make([]uint64, n)}
	for i := range w.limbs {
		w.limbs[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	w.trim()
	at := s.mem[c.sum[which]:][:1+inlineLimbs(c.kind, which)]
	if whole(c.kind, which) {
		if w.lo < 0 || w.lo+len(w.limbs) >= len(at) {
			r.fail("a whole sum of %d limbs from %d", n, lo)
			return
		}
		extendInto(at[1:], w.limbs, w.lo)
		return
	}
	if len(w.limbs) >= len(at) {
		at[0] = spilled
		p.extOf(s).wides[c.wide[which]] = w
		return
	}
	at[0] = uint64(int64(w.lo))
	extendInto(at[1:], w.limbs, 0)
}

func readDict(r *reader, c *column, d *dict, taken uint64) {
	n := r.uvarint()
	if n == 0 {
		r.fail("no value of %d", taken)
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		var v uint64
		var text string
		if c.text {
			text = r.text()
		} else {
			v = r.number(c.kind)
		}
		count := r.uvarint()
		if r.err != nil {
			return
		}
		id, _, again := d.add(v, text, 0)
		if again || count == 0 || count > min(taken, math.MaxUint32) {
			r.fail("a value %d times", count)
			return
		}
		d.entries[id].count = uint32(count)
		taken -= count // what is left AddAtMost had no room for, or a count has stopped at its greatest
	}
}

func (p *Program) readTail(r *reader, s *State, a *aggregate) {
	c := &p.cols[a.col]
	if r.err != nil || s.mem[c.taken] == 0 {
		return
	}
	n := r.uvarint()
	if n != min(s.mem[c.taken], uint64(a.param)) {
		r.fail("%d collected values", n)
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		if t := &p.extOf(s).tails[a.tail]; c.text {
			t.push(int(a.param), true, 0, r.text())
		} else {
			t.push(int(a.param), false, r.number(c.kind), "")
		}
	}
}

// AppendBuckets writes the open windows of a key, and DecodeBuckets reads them, on
// the terms of Append and Decode.
func (p *Program) AppendBuckets(b []byte, w *Buckets) []byte {
	b = binary.AppendUvarint(b, uint64(len(w.open)))
	before := int64(0)
	for i := range w.open {
		o := &w.open[i]
		b = event.AppendSpan(b, o.Start, before)
		b = event.AppendSpan(b, o.End, o.Start)
		b = event.AppendSpan(b, o.First, o.Start)
		before = o.Start
		alerted := byte(0)
		if o.Alerted {
			alerted = 1
		}
		b = p.Append(append(b, alerted), &o.State)
	}
	return b
}

// DecodeBuckets is the inverse of AppendBuckets.
func (p *Program) DecodeBuckets(b []byte, w *Buckets) error {
	*w = Buckets{}
	r := reader{b: b}
	n := r.uvarint()
	before := int64(0)
	for i := uint64(0); i < n && r.err == nil; i++ {
		start := r.span(before)
		end := r.span(start)
		if end < start || i > 0 && start < before {
			r.fail("a window from %d to %d", start, end)
			break
		}
		before = start
		w.push(start, end)
		o := &w.open[i]
		o.First, o.Alerted = r.span(start), r.flag() != 0
		p.read(&r, &o.State)
		if r.err == nil && o.State.inserted() == 0 {
			r.fail("an empty window")
		}
		if r.err == nil {
			p.setSpan(o)
		}
	}
	if len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		*w = Buckets{}
	}
	return r.err
}

// reader takes bytes apart; after the first error it gives zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
		r.b = nil
	}
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("no number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("no number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes takes n bytes, nil after an error.
func (r *reader) bytes(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail("ends early")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) flag() byte {
	b := r.bytes(1)
	if r.err != nil {
		return 0
	}
	if b[0] > 1 {
		r.fail("a flag of %d", b[0])
		return 0
	}
	return b[0]
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("ends early")
		return ""
	}
	return string(r.bytes(int(n)))
}

// repeated reads a text that may have come before.
func (r *reader) repeated(texts *[]string) string {
	n := r.uvarint()
	if n > uint64(len(*texts)) {
		r.fail("text %d of %d", n, len(*texts))
		return ""
	}
	if n > 0 {
		return (*texts)[n-1]
	}
	s := r.text()
	*texts = append(*texts, s)
	return s
}

func (r *reader) number(kind event.Kind) uint64 {
	switch kind {
	case event.Float:
		return r.float()
	case event.Time:
		return uint64(r.span(0))
	}
	return uint64(r.varint())
}

// float reads what appendFloat wrote.
func (r *reader) float() uint64 {
	head := r.uvarint()
	point, n := head&(1<<pointBits-1), head>>pointBits
	if head == wideFloat {
		return r.wideFloat()
	}
	if point > maxPoint || n >= 1<<54 {
		r.fail("a number with %d digits after the point", point)
		return 0
	}
	return math.Float64bits(float64(int64(n>>1)^-int64(n&1)) / tens[point])
}

func (r *reader) wideFloat() uint64 {
	b := r.bytes(8)
	if r.err != nil {
		return 0
	}
	v := binary.LittleEndian.Uint64(b)
	if f := math.Float64frombits(v); math.IsNaN(f) || math.IsInf(f, 0) || v == 1<<63 {
		r.fail("the number %v", f)
		return 0
	}
	return v
}

// span reads a time that was written as its distance from another one.
func (r *reader) span(base int64) int64 {
	t, used := event.ReadSpan(r.b, base)
	if used <= 0 {
		r.fail("no time")
		return 0
	}
	r.b = r.b[used:]
	return t
}

// time reads the next time of events in order.
func (r *reader) time(before int64, first bool) int64 {
	t := r.span(before)
	if !first && t < before {
		r.fail("times that go back")
		return before
	}
	return t
}
