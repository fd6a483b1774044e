package index

import (
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
)

// lanes are the events of one type in a batch: lane i is events[at[i]].
type lanes struct {
	events []event.Event
	at     []int32
	slots  []uint64 // not nil: lane i is event i, and these are the Slots of all, width each
	width  int
}

// words is the length of a bitmap with a bit a lane.
func (l *lanes) words() int { return (len(l.at) + 63) / 64 }

// slotsOf are the slots of a lane, where lane i is event i.
func (l *lanes) slotsOf(i int) []uint64 {
	if l.slots != nil {
		return l.slots[i*l.width:][:l.width]
	}
	return l.events[i].Slots
}

// column is what is known of one condition over the lanes of a batch.
type column struct {
	batch uint64 // it is of
	val   []uint64
	known []uint64 // nil: every lane is
}

// fresh makes the column one of a batch, nothing known.
func (col *column) fresh(batch uint64, words int) {
	col.batch = batch
	col.val, col.known = resized(col.val, words), resized(col.known, words)
}

// resized returns n zero words in the memory of b where they fit.
func resized(b []uint64, n int) []uint64 {
	if cap(b) < n {
		return make([]uint64, n, n+n/2)
	}
	b = b[:n]
	clear(b)
	return b
}

// fill makes the column known in the lanes of need.
func (c *condition) fill(col *column, l *lanes, need []uint64, f *eval.Frame) {
	switch c.kind {
	case byInterval:
		c.fillNumbers(col, l)
	case byText:
		c.fillTexts(col, l)
	default:
		c.fillOneByOne(col, l, need, f)
	}
}

// fillNumbers asks all lanes: less than one jump a lane would cost.
func (c *condition) fillNumbers(col *column, l *lanes) {
	if col.known[0] != 0 {
		return
	}
	word, mask, at := c.field.word, c.field.mask, c.field.at
	lo, span := c.bound.lo, uint64(c.bound.hi-c.bound.lo)
	if c.bound.lo > c.bound.hi {
		col.settle(c.not, len(l.at))
		return
	}
	if l.slots != nil {
		c.fillTogether(col, l)
		col.settle(c.not, len(l.at))
		return
	}
	for w := range col.val {
		var got uint64
		part := l.at[64*w : min(64*w+64, len(l.at))]
		for i, n := range part {
			slots := l.events[n].Slots
			x := int64(slots[at])
			if c.field.isFloat {
				x = ordered(uint64(x))
			}
			if uint64(x-lo) <= span && slots[word]&mask != 0 {
				got |= 1 << i
			}
		}
		col.val[w] = got
	}
	col.settle(c.not, len(l.at))
}

// fillTogether is fillNumbers where all slots stand together.
func (c *condition) fillTogether(col *column, l *lanes) {
	word, mask, at, isFloat := c.field.word, c.field.mask, c.field.at, c.field.isFloat
	lo, span := c.bound.lo, uint64(c.bound.hi-c.bound.lo)
	slots := l.slots
	for w := range col.val {
		var got uint64
		for i := range min(64, len(l.at)-64*w) {
			x := int64(slots[at])
			if isFloat {
				x = ordered(uint64(x))
			}
			if uint64(x-lo) <= span && slots[word]&mask != 0 {
				got |= 1 << i
			}
			slots = slots[l.width:]
		}
		col.val[w] = got
	}
}

func (c *condition) fillTexts(col *column, l *lanes) {
	if col.known[0] != 0 {
		return
	}
	word, mask, at := c.field.word, c.field.mask, c.field.at
	for i, n := range l.at {
		ev := &l.events[n]
		if ev.Slots[word]&mask != 0 && string(event.Ref(ev.Slots[at]).Bytes(ev.Text)) == c.text {
			col.val[i/64] |= 1 << (i % 64)
		}
	}
	col.settle(c.not, len(l.at))
}

// settle says that all n lanes are known now, and takes the complement where not.
func (col *column) settle(not bool, n int) {
	for w := range col.known {
		col.known[w] = ^uint64(0)
		if not {
			col.val[w] = ^col.val[w]
		}
	}
	if rest := n % 64; rest != 0 {
		col.val[len(col.val)-1] &= 1<<rest - 1
	}
}

// fillOneByOne asks the lanes of need that are not known.
func (c *condition) fillOneByOne(col *column, l *lanes, need []uint64, f *eval.Frame) {
	for w, word := range need {
		for ask := word &^ col.known[w]; ask != 0; ask &= ask - 1 {
			i := bits.TrailingZeros64(ask)
			f.Event = &l.events[l.at[64*w+i]]
			if c.holds(f) {
				col.val[w] |= 1 << i
			}
		}
		col.known[w] |= word
	}
}

// at asks one lane.
func (c *condition) at(col *column, l *lanes, lane int, f *eval.Frame) bool {
	w, bit := lane/64, uint64(1)<<(lane%64)
	if col.known[w]&bit == 0 {
		f.Event = &l.events[l.at[lane]]
		if c.holds(f) {
			col.val[w] |= bit
		}
		col.known[w] |= bit
	}
	return col.val[w]&bit != 0
}
