package engine

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// A rule whose pattern has changed behind its first steps begins anew, as one that has
// changed altogether does (see dropping.go), but takes over the runs that have not gone past
// these steps. All its keys are read for that, at the start or the change, and those
// that have such a run are written again under the new generation, with the next epoch.

// metaSteps is how records of TableMeta begin that say what the store knows of a pattern step
// by step: for which version, what its steps are (plan.Rule.Steps), and the layout of its
// records (machine.Pattern.Layout). A store of an earlier release has none.
const metaSteps = "steps."

// layoutField begins the field of such a record that is the layout.
const layoutField = "layout="

// storedSteps is what the store is to know of the rule's steps; empty: there is nothing.
func (c *compiled) storedSteps() string {
	if c.pattern == nil || c.rule.Steps == "" {
		return ""
	}
	layout := c.pattern.Layout()
	if layout == "" {
		return ""
	}
	return c.rule.Version + " " + c.rule.Steps + " " + layoutField + layout
}

// cutSteps takes apart what the store knows of the steps of a version of a rule; empty where
// it is of another version.
func cutSteps(stored, version string) (steps, layout string) {
	of, rest, _ := strings.Cut(stored, " ")
	steps, layout, ok := strings.Cut(rest, " "+layoutField)
	if of != version || !ok {
		return "", ""
	}
	return steps, layout
}

// carryOver is what of a rule's state goes on.
type carryOver struct {
	layout        string
	keep          []bool // by step: see plan.KeptSteps
	kept, dropped int    // runs
	keys          [][]carried
}

// carried is a key as the old form of a rule has it.
type carried struct {
	key    []byte
	seen   int64
	record []byte
}

// patternUnit is a pattern in one shard.
type patternUnit = keyed[machine.PatternKey, *machine.Pattern]

// gather reads all keys of a pattern.
func (sh *shard) gather(rule int32) (all []carried, err error) {
	u, ok := sh.units[rule].(*patternUnit)
	if !ok {
		return nil, nil
	}
	defer func() {
		if fault, ok := recover().(storeError); ok {
			err = fault.error
		}
	}()
	for slot := range slots {
		if u.disk != nil && u.disk.counts[slot] > 0 {
			u.loadSlot(sh, byte(slot))
		}
	}
	u.carryOut(sh, func(k carried) { all = append(all, k) })
	return all, nil
}

// plant gives a rule a key of its old form, if a run of it goes on.
func (sh *shard) plant(rule int32, c *machine.Carrier, k *carried) error {
	u := sh.unit(rule).(*patternUnit)
	var now machine.PatternKey
	sh.x.Key, sh.x.Since = k.key, k.seen
	sh.x.BeforeDecode()
	if err := c.Decode(&sh.x, k.record, &now); err != nil {
		return u.damaged(sh, k.key, err)
	}
	if u.machine.Empty(&now) {
		return nil
	}
	id := u.add(event.KeyHash(k.key), k.key)
	own := u.table.at(id)
	own.seen, own.state = k.seen, now
	u.after(sh, id, own)
	return nil
}

// collect reads the keys of the rules of which some goes on, while they are as they were.
func (e *Engine) collect(c *Change) error {
	for i := range c.rules {
		s := &c.rules[i]
		if s.carry == nil {
			continue
		}
		was := int32(s.was)
		s.carry.keys = make([][]carried, len(e.shards))
		err := e.eachShard(func(n int, sh *shard) (err error) {
			s.carry.keys[n], err = sh.gather(was)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachShard does something with each shard, side by side.
func (e *Engine) eachShard(do func(n int, sh *shard) error) error {
	errs := make([]error, len(e.shards))
	var all sync.WaitGroup
	for n, sh := range e.shards {
		all.Go(func() { errs[n] = do(n, sh) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// plant gives the rules of the new set what was collected, and says what became of it.
func (e *Engine) plant(c *Change) error {
	for i := range c.rules {
		s := &c.rules[i]
		if s.carry == nil {
			continue
		}
		carriers := make([]*machine.Carrier, len(e.shards))
		err := e.eachShard(func(n int, sh *shard) error {
			carriers[n] = e.carrier(s)
			for j := range s.carry.keys[n] {
				if err := sh.plant(int32(s.rule), carriers[n], &s.carry.keys[n][j]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, carrier := range carriers {
			s.carry.kept, s.carry.dropped = s.carry.kept+carrier.Kept, s.carry.dropped+carrier.Dropped
		}
		s.carry.keys = nil
		s.tell(e.o.Log)
		r := &c.report.Rules[slices.IndexFunc(c.report.Rules, func(r RuleChange) bool { return r.Name == s.name })]
		r.Steps, r.RunsKept, r.RunsDropped = len(s.carry.keep), s.carry.kept, s.carry.dropped
	}
	return nil
}

func (e *Engine) carrier(s *succession) *machine.Carrier {
	return e.rules[s.rule].pattern.NewCarrier(s.carry.layout, s.carry.keep)
}

// plantStored gives a rule the keys that the store has under the name of its old form.
func (e *Engine) plantStored(ctx context.Context, s *succession, name string) error {
	carrier := e.carrier(s)
	err := e.store.Scan(ctx, state.TableKeys, keyPrefix(nil, name), nil, func(row, value []byte) error {
		k, err := storedKey(row, value)
		sh := e.shards[shardOf(event.KeyHash(k.key), len(e.shards))]
		if err != nil {
			return sh.unit(int32(s.rule)).(*patternUnit).damaged(sh, row, err)
		}
		return sh.plant(int32(s.rule), carrier, &k)
	})
	s.carry.kept, s.carry.dropped = carrier.Kept, carrier.Dropped
	return err
}

// storedKey takes a row of TableKeys apart.
func storedKey(row, value []byte) (k carried, err error) {
	_, stored, ok := cutPrefix(row)
	if !ok || len(stored) == 0 {
		return k, machine.ErrRecord
	}
	key, rest, err := cutKey(stored[1:], value)
	if err != nil {
		return k, err
	}
	k.key = slices.Clone(key)
	k.seen, _, k.record, err = readCell(rest)
	return k, err
}
