package machine

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// A record whose checksum is right was written by a release of this product, but perhaps
// for a pattern that means something else here, or by one with a fault. What it says is
// believed as far as nothing that follows from it leads outside of what it holds.

// checkKey refuses a record whose numbers would lead outside of what it holds.
func (p *Pattern) checkKey(x *Context, k *PatternKey) error {
	if n := len(k.leads); n != 0 && n != len(p.leads) {
		return fmt.Errorf("%w: %d negations at the start, the pattern has %d", ErrRecord, n, len(p.leads))
	}
	holders := make([]int32, len(k.lists))
	for i := range k.runs {
		if err := p.checkRun(x, k, &k.runs[i], holders); err != nil {
			return err
		}
	}
	for i := range k.lists {
		if err := p.checkList(x, &k.lists[i], holders[i]); err != nil {
			return err
		}
	}
	return k.checkSpare(holders)
}

// checkSpare refuses free places that are none, or named twice.
func (k *PatternKey) checkSpare(holders []int32) error {
	free := make([]bool, len(k.lists))
	for _, i := range k.spare {
		if i < 0 || int(i) >= len(k.lists) || holders[i] > 0 || free[i] {
			return fmt.Errorf("%w: spare list %d of %d", ErrRecord, i, len(k.lists))
		}
		free[i] = true
	}
	return nil
}

func (p *Pattern) checkList(x *Context, l *list, holders int32) error {
	if !l.isSound(holders, l.leaf) {
		return fmt.Errorf("%w: a list that %d runs hold", ErrRecord, holders)
	}
	return p.checkTaken(x, l, int(l.leaf))
}

// checkTaken refuses events of a list that its leaf cannot have taken.
func (p *Pattern) checkTaken(x *Context, l *list, leaf int) error {
	for _, refs := range [][]keep.Ref{l.head, l.tail} {
		for _, ref := range refs {
			if !p.couldTake(x, leaf, ref) {
				return fmt.Errorf("%w: an event that its step does not take", ErrRecord)
			}
		}
	}
	return nil
}

// couldTake reports whether an event is there and of the type that a leaf takes.
func (p *Pattern) couldTake(x *Context, leaf int, ref keep.Ref) bool {
	if ref == 0 || leaf < 0 || leaf >= len(p.leaves) {
		return false
	}
	var ev event.Event
	return int(x.Keep.View(ref, &ev).Type) == p.rule.Pattern.Steps[p.leaves[leaf].step].Type
}

// checkRun refuses a run that is not one of the pattern, and counts it at its lists.
func (p *Pattern) checkRun(x *Context, k *PatternKey, r *run, holders []int32) error {
	if r.stage < 0 || int(r.stage) >= len(p.stages) || len(r.binds) > len(p.leaves) {
		return fmt.Errorf("%w: a run at stage %d with %d steps bound, the pattern has %d", ErrRecord, r.stage, len(r.binds), len(p.stages))
	}
	if s := &p.stages[r.stage]; s.root != nil && !s.root.sound(r.config) {
		return fmt.Errorf("%w: a run outside of its group", ErrRecord)
	}
	if s := &p.stages[r.stage]; s.root == nil && s.leaf >= len(r.binds) {
		return fmt.Errorf("%w: a run that has not taken the step at which it waits", ErrRecord)
	}
	for i := range r.binds {
		if err := p.checkBind(x, k, i, &r.binds[i]); err != nil {
			return err
		}
		if b := &r.binds[i]; b.list >= 0 {
			holders[b.list]++
		}
	}
	return nil
}

// checkBind refuses what a run cannot have taken by a leaf.
func (p *Pattern) checkBind(x *Context, k *PatternKey, leaf int, b *bind) error {
	switch {
	case b.list < 0 && b.n == 0 && b.ref == 0:
		return nil // nothing
	case b.list < 0:
		if b.n != 1 || p.leaves[leaf].repeats || !p.couldTake(x, leaf, b.ref) {
			return fmt.Errorf("%w: step %d took %d events", ErrRecord, leaf, b.n)
		}
		return nil
	case int(b.list) >= len(k.lists) || !p.leaves[leaf].repeats || b.ref != 0:
		return fmt.Errorf("%w: list %d of %d", ErrRecord, b.list, len(k.lists))
	}
	if l := &k.lists[b.list]; b.n < 1 || b.from < l.base || b.from > l.end()-b.n || int(l.leaf) != leaf {
		return fmt.Errorf("%w: %d events from %d of a list from %d to %d", ErrRecord, b.n, b.from, l.base, l.end())
	}
	return nil
}

// checkLine refuses events that the steps of a line cannot have taken.
func (p *Pattern) checkLine(x *Context, k *lineKey) error {
	s := k.store
	for n := range p.line.logs {
		if err := p.checkTaken(x, &s.logs[k.log(n)], int(p.line.leafOf[n])); err != nil {
			return err
		}
	}
	for i := k.oldest; i != 0; i = s.runs[i].newer {
		here := p.line.rooms[s.runs[i].room].leaf
		for leaf, ref := range s.held(i) {
			if ref != 0 && (p.leaves[leaf].repeats || !p.couldTake(x, leaf, ref)) || ref == 0 && leaf == here && !p.leaves[leaf].repeats {
				return fmt.Errorf("%w: a run in room %d with an event that step %d does not take", ErrRecord, s.runs[i].room, leaf)
			}
		}
	}
	return nil
}

// couldPool reports whether an event is of the type that each of some steps takes.
func (p *Pattern) couldPool(x *Context, ref keep.Ref, steps uint64) bool {
	for step, leaf := range p.leafAt {
		if steps&(1<<step) != 0 && !p.couldTake(x, leaf, ref) {
			return false
		}
	}
	return true
}
