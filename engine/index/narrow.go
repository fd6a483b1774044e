package index

import (
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
)

// Most batches are of one type, and most types have few tests, none of them in a path. Then
// what an event passed is a word with a bit a test, and the items of a rule follow from it
// without a look at each test.

// mostNarrow is how many tests a type may have for that.
const mostNarrow = 64

// group is the tests of one rule that take the key in one way.
type group struct {
	rule, key int32
	tests     uint64 // by place in typeIndex.columns, as a set
	bits      []bitOf
	joins     bool // the rule has tests of another group, whose key may be the same
}

// bitOf says what a test of a group means for an item.
type bitOf struct {
	test  uint64 // as a set of one
	bit   uint64
	until bool
}

// group makes the groups of a type, nil where it has too many tests or paths.
func (ti *typeIndex) group(rules []Rule) {
	if len(ti.paths) > 0 || len(ti.columns) > mostNarrow || len(ti.columns) == 0 {
		return
	}
	for c, n := range ti.columns {
		t := &ti.tests[n]
		i := slices.IndexFunc(ti.groups, func(g group) bool { return g.rule == t.rule && g.key == t.key })
		if i < 0 {
			i = len(ti.groups)
			ti.groups = append(ti.groups, group{rule: t.rule, key: t.key})
		}
		g := &ti.groups[i]
		g.tests |= 1 << c
		g.bits = append(g.bits, bitOf{test: 1 << c, bit: t.bit, until: t.until})
	}
	if k := &ti.keys[ti.groups[0].key]; k.text != nil {
		ti.byText = k
	}
	for i := range ti.groups {
		g := &ti.groups[i]
		for j := range ti.groups {
			g.joins = g.joins || i != j && g.rule == ti.groups[j].rule
		}
		if g.joins || g.key != ti.groups[0].key || rules[g.rule].Keyless {
			ti.byText = nil
		}
	}
}

// means is what the tests that an event passed mean for the group's item.
func (g *group) means(passed uint64) (mask uint64, until bool) {
	if len(g.bits) == 1 {
		return g.bits[0].bit, g.bits[0].until
	}
	for i := range g.bits {
		if b := &g.bits[i]; passed&b.test != 0 {
			mask, until = mask|b.bit, until || b.until
		}
	}
	return mask, until
}

// routeNarrow routes a batch of one type that has groups.
func (r *Router) routeNarrow(ti *typeIndex, w *typeWork) {
	words, columns := w.lanes.words(), len(ti.columns)
	r.narrow = resized(r.narrow, words*columns)
	for c, n := range ti.columns {
		r.askColumn(ti, w, &ti.tests[n])
		copy(r.narrow[c*words:], r.bits)
	}
	for word := range words {
		some := uint64(0)
		for c := range columns {
			some |= r.narrow[c*words+word]
		}
		if some == 0 {
			continue
		}
		if ti.byText != nil {
			r.textItems(ti, w, word, words, some)
			continue
		}
		for ; some != 0; some &= some - 1 {
			lane := bits.TrailingZeros64(some)
			at := w.lanes.at[64*word+lane]
			r.items(ti, &w.lanes.events[at], at, r.passed(columns, word, words, lane))
		}
	}
}

// passed is the tests that hold at a lane, by place in typeIndex.columns.
func (r *Router) passed(columns, word, words, lane int) uint64 {
	passed := uint64(0)
	for c := range columns {
		passed |= r.narrow[c*words+word] >> lane & 1 << c
	}
	return passed
}

// textItems makes the items of some lanes of a word, where the key of all is one text.
func (r *Router) textItems(ti *typeIndex, w *typeWork, word, words int, some uint64) {
	if len(ti.groups) == 1 && len(r.into.Lists) == 1 {
		r.ruleItems(ti, w, word, words, some)
		return
	}
	for ; some != 0; some &= some - 1 {
		lane := bits.TrailingZeros64(some)
		r.at = w.lanes.at[64*word+lane]
		ev := &w.lanes.events[r.at]
		passed := r.passed(len(ti.columns), word, words, lane)
		if s := ti.byText.text; ev.Slots[s.word]&s.mask == 0 {
			r.passBy(ti, passed)
			continue
		}
		hash, ref, plain := r.textKey(ti.byText, ev)
		for i := range ti.groups {
			g := &ti.groups[i]
			if passed&g.tests != 0 {
				mask, until := g.means(passed)
				r.put(r.listOf(g.rule, hash), g.rule, mask, hash, ref, plain, until)
			}
		}
	}
}

// ruleItems is textItems where there is one rule and one list: what most of the time of
// routing goes to. All columns are tests of the rule, in the order of its bits.
func (r *Router) ruleItems(ti *typeIndex, w *typeWork, word, words int, some uint64) {
	g, k := &ti.groups[0], ti.byText
	s, hashAt := *k.text, uint(k.hash)
	r.word = r.word[:0]
	for c := range g.bits {
		r.word = append(r.word, r.narrow[c*words+word])
	}
	list := slices.Grow(r.into.Lists[0], 64)
	for ; some != 0; some &= some - 1 {
		lane := bits.TrailingZeros64(some)
		slots := w.lanes.slotsOf(64*word + lane)
		if slots[s.word]&s.mask == 0 {
			r.NilKeys.add(g.rule)
			continue
		}
		list = list[:len(list)+1]
		it := &list[len(list)-1]
		it.Event, it.Rule = int32(64*word+lane), g.rule
		it.Mask, it.Until = g.meansAt(r.word, lane)
		if hashAt < uint(len(slots)) && hashAt != 0 && slots[hashAt] != 0 {
			it.Hash, it.Key, it.Plain = slots[hashAt], event.Ref(slots[s.at]), true
		} else {
			it.Hash, it.Key, it.Plain = r.textKey(k, &w.lanes.events[64*word+lane])
		}
	}
	r.into.Lists[0] = list
}

// meansAt is what the tests that hold at a lane mean: words are those of all columns, which
// are the group's.
func (g *group) meansAt(words []uint64, lane int) (mask uint64, until bool) {
	if len(g.bits) == 1 {
		return g.bits[0].bit, g.bits[0].until
	}
	for c, x := range words {
		if b := &g.bits[c]; x>>(lane&63)&1 != 0 {
			mask, until = mask|b.bit, until || b.until
		}
	}
	return mask, until
}

// textKey is the key of an event, which is a text: made, unless the event has its hash.
func (r *Router) textKey(k *keySpec, ev *event.Event) (hash uint64, ref event.Ref, plain bool) {
	ref = event.Ref(ev.Slots[k.text.at])
	if k.hash != 0 && k.hash < len(ev.Slots) && ev.Slots[k.hash] != 0 {
		return ev.Slots[k.hash], ref, true
	}
	start := len(r.into.Keys)
	r.into.Keys = event.AppendTextKey(r.into.Keys, ref.Bytes(ev.Text))
	return event.KeyHash(r.into.Keys[start:]), event.MakeRef(start, len(r.into.Keys)-start), false
}

// passBy counts an event whose key is nil.
func (r *Router) passBy(ti *typeIndex, passed uint64) {
	for i := range ti.groups {
		if passed&ti.groups[i].tests != 0 {
			r.NilKeys.add(ti.groups[i].rule)
		}
	}
}

// items makes the items of an event that passed some tests.
func (r *Router) items(ti *typeIndex, ev *event.Event, at int32, passed uint64) {
	r.event++
	r.at, r.nilRule = at, -1
	r.begin()
	for i := range ti.groups {
		if g := &ti.groups[i]; passed&g.tests != 0 {
			mask, until := g.means(passed)
			r.give(ti, g.key, g.rule, ev, mask, until, g.joins)
		}
	}
}
