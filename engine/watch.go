package engine

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// watched is a rule whose machine tells what it does: units of its own, so that those
// which are not watched are as they were.
type watched struct {
	tests   index.Rule
	newUnit func(sh *shard, number int32) unit
}

// watch makes a watched machine of a rule.
func (c *compiled) watch(types []*plan.Type) error {
	w, err := newWatched(c.rule, eval.Compiler{Types: types, Event: -1})
	if err != nil {
		return fmt.Errorf("compile rule %s to be watched: %w", c.rule.Name, err)
	}
	c.watched = w
	return nil
}

func newWatched(rule *plan.Rule, ec eval.Compiler) (*watched, error) {
	switch {
	case rule.Pattern != nil:
		m, err := machine.WatchPattern(rule, ec)
		if err != nil {
			return nil, err
		}
		return &watched{index.Rule{Tests: m.Tests()}, func(sh *shard, n int32) unit {
			return watchedUnit[machine.PatternKey](sh, n, m)
		}}, nil
	case len(rule.Windows) > 0 && rule.Windows[0].Spec.Kind.AtEvent():
		m, err := machine.WatchWindow(rule, ec)
		if err != nil {
			return nil, err
		}
		return &watched{index.Rule{Tests: m.Tests()}, func(sh *shard, n int32) unit {
			return watchedUnit[machine.WindowKey](sh, n, m)
		}}, nil
	case len(rule.Windows) > 0:
		m, err := machine.WatchBucket(rule, ec)
		if err != nil {
			return nil, err
		}
		return &watched{index.Rule{Tests: m.Tests()}, func(sh *shard, n int32) unit {
			return watchedUnit[machine.BucketKey](sh, n, m)
		}}, nil
	}
	m := machine.WatchFilter(rule, ec)
	return &watched{index.Rule{Tests: m.Tests(), Keyless: len(rule.Keys) == 0}, func(*shard, int32) unit {
		return &watchedFilter{machine: m}
	}}, nil
}

// watchedUnit is a unit that hands every event to its machine, whatever it remembers.
func watchedUnit[K any, M keyMachine[K]](sh *shard, number int32, m M) unit {
	u := newKeyed[K](sh, number, m)
	u.ignores = nil
	return u
}

// watchedFilter runs a filter that is watched.
type watchedFilter struct {
	filterUnit
	machine machine.WatchedFilter
}

func (u *watchedFilter) event(sh *shard, it *index.Item, keys []byte, ev *event.Event) {
	sh.key = it.AppendKey(sh.key[:0], keys, ev)
	sh.x.Key = sh.key
	u.machine.See(&sh.x, ev, it.Mask)
}

func (u *watchedFilter) stretch(sh *shard, s *stretch, items []index.Item) {
	for i := range items {
		it := &items[i]
		ev := &s.job.events[it.Event]
		if sh.turned != it.Event {
			sh.turnIn(it, ev.At)
		}
		sh.now.ordinal = s.ordinal + it.Event - s.from
		u.event(sh, it, s.job.found.Keys, ev)
	}
	sh.account(items[0].Rule)
}
