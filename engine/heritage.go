package engine

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// heritage is what shards hand on from one generation to the next.
type heritage struct {
	old, next *generation
	from      []int32 // by new rule: the old one whose units it takes over; -1: none
	to        []int32 // the inverse, by old rule
	named     []int32 // by new rule: the old one of its name; -1: none
	moves     []move  // by old type
	again     bool    // some events are decoded anew
	moved     bool    // some types have other numbers
}

func newHeritage(c *Change) *heritage {
	h := &heritage{old: c.base, next: c.next, from: c.from, moves: moves(c.base.set, c.next.set)}
	for n, m := range h.moves {
		h.again, h.moved = h.again || m.again, h.moved || m.to != int32(n)
	}
	h.to = make([]int32, len(c.base.rules))
	names := make(map[string]int32, len(c.base.rules))
	for n := range c.base.rules {
		h.to[n], names[c.base.rules[n].rule.Name] = -1, int32(n)
	}
	h.named = make([]int32, len(c.next.rules))
	for n, was := range c.from {
		if was >= 0 {
			h.to[was] = int32(n)
		}
		h.named[n] = -1
		if was, ok := names[c.next.rules[n].rule.Name]; ok {
			h.named[n] = was
		}
	}
	return h
}

// inPlace reports whether all timers of a stratum stay what they are.
func (h *heritage) inPlace(stratum int) bool {
	for was, n := range h.to {
		if h.old.rules[was].rule.Stratum == stratum && (n != int32(was) || h.next.rules[n].rule.Stratum != stratum) {
			return false
		}
	}
	return true
}

// succeed hands the shard's units on: those that are taken over keep their keys as they are
// in memory.
func (sh *shard) succeed(h *heritage, codec *eventCodec) {
	units, dropped := sh.units, sh.dropped
	sh.units, sh.sweepers, sh.cached, sh.strata = make([]unit, len(h.next.rules)), nil, nil, nil
	sh.dropped, sh.faults = make([]machine.Dropped, len(h.next.rules)), make([]eval.Fault, len(h.next.rules))
	sh.rules, sh.work = h.next.rules, make([][]work, h.next.strata)
	for n := range h.next.rules {
		sh.strata = append(sh.strata, h.next.rules[n].rule.Stratum)
		if old := h.named[n]; old >= 0 {
			sh.dropped[n] = dropped[old]
		}
		if old := h.from[n]; old >= 0 && units[old] != nil {
			sh.units[n] = units[old].become(sh, &sh.rules[n], int32(n))
		}
	}
	for old, n := range h.to {
		if u := units[old]; n < 0 && u != nil && u.letGo(sh, 0) {
			sh.leaving = append(sh.leaving, u)
		}
	}
	sh.succeedTimers(h)
	sh.succeedEvents(h, codec)
}

// succeedTimers keeps the timers of units that go on, under their new numbers, where they
// stand: there may be millions, and the run waits. Those of a rule that is in another stratum
// now are put in anew.
func (sh *shard) succeedTimers(h *heritage) {
	was := sh.timers
	sh.timers = make([]timers, h.next.strata)
	var apart []timer
	for s := range was {
		if s >= len(sh.timers) || !h.inPlace(s) {
			was[s].renumber(func(t *timer) bool {
				if t.unit = h.to[t.unit]; t.unit < 0 {
					return false
				}
				if sh.strata[t.unit] != s {
					apart = append(apart, *t)
					return false
				}
				return true
			})
		}
		if s < len(sh.timers) {
			sh.timers[s] = was[s]
		}
	}
	for _, t := range apart {
		sh.timers[sh.strata[t.unit]].push(t)
	}
}

// succeedEvents makes the kept events those of the new set: what it decodes of them that
// the old one did not is there, and their types have its numbers.
func (sh *shard) succeedEvents(h *heritage, codec *eventCodec) {
	if !h.again && !h.moved {
		return
	}
	sh.store.Renew(func(ev *event.Event) bool {
		m := h.moves[ev.Type]
		return codec.again(ev, h.old.set, m) != nil || m.again
	})
	if h.moved {
		sh.x.Log.Renumber(func(typ int32) int32 { return max(0, h.moves[typ].to) })
	}
}

// again makes an event of another set one of the codec's, in place; it is valid until the
// next call. One that is none any more, for its type is gone or has become another, is
// blank, so that nothing can be wrong about it but what it says.
func (c *eventCodec) again(ev *event.Event, old *plan.Set, m move) error {
	err := errEvent
	switch {
	case m.to >= 0 && !m.again:
		ev.Type = m.to
		return nil
	case m.to >= 0:
		if err = c.anew(ev, old.Types[ev.Type]); err == nil {
			return nil
		}
	}
	ev.Type = max(0, m.to)
	ev.ID, ev.Slots = 0, nil
	if len(c.set.Types) > 0 {
		ev.Slots = make([]uint64, c.set.Types[ev.Type].Layout.Width())
	}
	return cmp.Or(err, errEvent)
}

// anew decodes an event of a type of another set; of what was beside its record it has what
// that set read.
func (c *eventCodec) anew(ev *event.Event, typ *plan.Type) error {
	id := string(madeID(ev, &typ.Schema))
	var meta beside
	meta.key, meta.headers = ev.MetaOf(&typ.Layout, nil)
	fresh, err := c.decode(typ.Schema.Name, ev.Offset, ev.Time, ev.JSON(), meta)
	if err != nil {
		return err
	}
	if id != "" && fresh.ID == 0 {
		fresh.ID = event.MakeRef(len(fresh.Text), len(id))
		fresh.Text = slices.Concat(fresh.Text, []byte(id))
	}
	fresh.Part, fresh.Time, fresh.At, fresh.Side = ev.Part, ev.Time, ev.At, ev.Side
	*ev = *fresh
	return nil
}

// becomes of a filter, which remembers nothing, is the new one.
func (u *filterUnit) become(_ *shard, c *compiled, _ int32) unit {
	return &filterUnit{machine: c.filter}
}

func (u *filterUnit) letGo(*shard, int) bool { return false }

// become makes the unit one of another compiled form of its rule, which remembers the same.
func (u *keyed[K, M]) become(sh *shard, c *compiled, number int32) unit {
	m := c.machine().(M)
	if old, ok := any(u.machine).(*machine.Pattern); ok {
		sh.x.Succeed(old, c.pattern)
	}
	u.number = number
	u.setMachine(sh, m)
	return u
}

// machine is the rule's machine.
func (c *compiled) machine() any {
	switch {
	case c.table != nil:
		return c.table
	case c.pattern != nil:
		return c.pattern
	case c.window != nil:
		return c.window
	case c.bucket != nil:
		return c.bucket
	}
	return c.filter
}

// letGoARound is how many keys of units that are gone are released in a round.
const letGoARound = 4096

// letGo releases the next keys of a unit that is gone; false where there are no more.
func (u *keyed[K, M]) letGo(sh *shard, n int) bool {
	for end := min(u.left+int32(n), u.table.keys.n); u.left < end; u.left++ {
		if u.table.isKey(u.left) {
			sh.x.Key = u.table.key(u.left)
			u.machine.Release(&sh.x, &u.table.at(u.left).state)
			u.table.remove(u.left)
		}
	}
	if u.left < u.table.keys.n {
		return true
	}
	if p, ok := any(u.machine).(*machine.Pattern); ok {
		sh.x.Leave(p)
	}
	return false
}

// letGo releases some of what units that are gone have held.
func (sh *shard) letGo() {
	if last := len(sh.leaving) - 1; last >= 0 && !sh.leaving[last].letGo(sh, letGoARound) {
		sh.leaving[last] = nil
		sh.leaving = sh.leaving[:last]
	}
}

func appendNumber(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clip(b), n)
}

func compareText(a, b string) int { return cmp.Compare(a, b) }
