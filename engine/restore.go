package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// errState is wrapped by errors on records of the store that make no sense.
var errState = errors.New("damaged state")

// restore takes back what the store remembers: partitions, where their reading goes
// on, events that wait, silences, key states.
func (e *Engine) restore(ctx context.Context) error {
	e.addSilences()
	if err := e.restorePartitions(); err != nil {
		return err
	}
	if err := e.shapes.restore(ctx, e.store); err != nil {
		return err
	}
	if err := e.restoreTime(); err != nil {
		return err
	}
	for i, in := range e.o.Inputs {
		if err := e.addInput(ctx, i, in); err != nil {
			return err
		}
	}
	slices.SortFunc(e.merge.parts, (*partition).compare)
	e.direct = e.isDirect()
	e.addMaker()
	for _, sh := range e.shards {
		sh.x.Codec = newEventCodec(e.o.Set, e.shapes)
	}
	if !e.store.Durable() {
		return nil
	}
	if err := e.restoreFiles(ctx); err != nil {
		return err
	}
	if err := e.restoreSilences(ctx); err != nil {
		return err
	}
	if err := e.restoreSteps(ctx); err != nil {
		return err
	}
	return e.restoreKeys(ctx)
}

// addMaker makes what makes events, where rules of later strata read them.
func (e *Engine) addMaker() {
	if e.strata > 1 {
		e.maker = maker{
			set: e.o.Set, codec: newEventCodec(e.o.Set, e.shapes), router: e.index.NewRouter(e.world, index.Spread{}),
			part: e.partitionNumber(event.Partition{Source: derivedSource}),
		}
	}
}

// What TableMeta holds of the engine: the names of the partitions by number, the merged
// time, the version of each rule that states of keys belong to, and how many keys it has.
const (
	metaPartitions = "partitions"
	metaTime       = "time"
	metaRule       = "rule."
	metaKeys       = "keys." // rule → number of keys in the store by slot: see saveCounts
)

// restorePartitions reads the partitions' names by number.
func (e *Engine) restorePartitions() error {
	b, ok, err := e.store.Get(state.TableMeta, []byte(metaPartitions), nil)
	if err != nil || !ok {
		return err
	}
	for len(b) > 0 {
		var p event.Partition
		var parts [2]string
		for i := range parts {
			n, used := binary.Uvarint(b)
			if used <= 0 || n > uint64(len(b)-used) {
				return fmt.Errorf("%w: names of partitions", errState)
			}
			parts[i], b = string(b[used:used+int(n)]), b[used+int(n):]
		}
		number, used := binary.Varint(b)
		if used <= 0 {
			return fmt.Errorf("%w: names of partitions", errState)
		}
		p.Source, p.Topic, p.Number, b = parts[0], parts[1], int32(number), b[used:]
		e.world.Partitions = append(e.world.Partitions, p)
	}
	return nil
}

// putNames adds to the batch the partitions' names and what every rule is now.
func (e *Engine) putNames() {
	var b []byte
	for _, p := range e.world.Partitions {
		for _, s := range []string{p.Source, p.Topic} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
		b = binary.AppendVarint(b, int64(p.Number))
	}
	e.commits.batch().Put(state.TableMeta, []byte(metaPartitions), b)
	e.commits.batch().Put(state.TableMeta, []byte(metaSet), []byte(e.o.Set.Version))
	for _, c := range e.rules {
		e.commits.batch().Put(state.TableMeta, []byte(metaRule+c.rule.Name), []byte(c.stored()))
		if steps := c.storedSteps(); steps != "" {
			e.commits.batch().Put(state.TableMeta, []byte(metaSteps+c.rule.Name), []byte(steps))
		}
	}
	for _, r := range e.obsolete {
		e.commits.batch().Delete(r.table, []byte(r.key))
	}
	for _, name := range e.gone {
		e.commits.batch().Delete(state.TableMeta, []byte(metaRule+name))
		e.commits.batch().Delete(state.TableMeta, []byte(metaSteps+name))
	}
	e.putDoomed()
	e.obsolete, e.gone = nil, nil
}

// addInput makes the reader and the partition of an input, and resumes it.
func (e *Engine) addInput(ctx context.Context, i int, in Input) error {
	name := in.Source.Partition()
	for _, p := range e.merge.parts {
		if p.Partition == name {
			return fmt.Errorf("two inputs are named %s", name.Source)
		}
	}
	number := e.partitionNumber(name)
	e.readers = append(e.readers, newReader(i, in.Source, number, e.clock, jobsAhead(len(e.shards))))
	r := e.readers[len(e.readers)-1]
	r.name, r.decode, r.recent = name, in.Decode, e.o.Recent
	p := &partition{Partition: name, source: i, number: number, lateness: e.latenessOf(in.Decode), greatest: math.MinInt64, at: math.MinInt64}
	p.idleWait = cmp.Or(in.Idle, e.o.Idle)
	p.unsaved.noted = e.store.Durable()
	e.addMarks(p)
	e.merge.parts = append(e.merge.parts, p)
	if !e.store.Durable() {
		return nil
	}
	return e.restorePartition(ctx, in.Source, p)
}

// latenessOf is the greatest lateness of the types that an input may carry.
func (e *Engine) latenessOf(o event.Options) int64 {
	most := int64(0)
	for _, t := range e.o.Set.Types {
		if o.Type == "" || o.Type == t.Schema.Name {
			most = max(most, t.Schema.Lateness)
		}
	}
	return most
}

func (e *Engine) restorePartition(ctx context.Context, source Source, p *partition) error {
	name := p.AppendName(nil)
	b, ok, err := e.store.Get(state.TablePositions, name, nil)
	if err != nil || !ok {
		return err
	}
	was, err := decodeStanding(name, b)
	if err != nil {
		return err
	}
	p.next, p.greatest, p.at, p.arrived, p.mark = was.next, was.greatest, was.at, was.arrived, was.mark
	if err := source.Resume(ctx, p.next, p.mark); err != nil {
		return err
	}
	if err := e.restoreMarks(ctx, p); err != nil {
		return err
	}
	return e.restoreWaiting(ctx, p)
}

// restoreWaiting takes back the events that wait for their time, in a job of their own.
func (e *Engine) restoreWaiting(ctx context.Context, p *partition) error {
	codec := newEventCodec(e.o.Set, e.shapes)
	prefix := keyPrefix(nil, string(p.AppendName(nil)))
	j := &job{source: p.source, held: 1, came: e.o.Now()} // held for ever: it is not of the reader's
	var orders []uint64
	err := e.store.Scan(ctx, state.TableWaiting, prefix, nil, func(key, value []byte) error {
		ev, err := codec.ReadEvent(value, nil, 0)
		if err != nil {
			return fmt.Errorf("%w: waiting event of %s, key %s: %w", errState, p.Source, keyInError(key), err)
		}
		if len(key) != len(prefix)+8 {
			return fmt.Errorf("%w: waiting event of %s, key %s", errState, p.Source, keyInError(key))
		}
		own := *ev
		own.Text, own.Slots = bytes.Clone(ev.Text), slices.Clone(ev.Slots)
		j.arena.Events = append(j.arena.Events, own)
		orders = append(orders, binary.BigEndian.Uint64(key[len(prefix):]))
		return nil
	})
	if err != nil {
		return err
	}
	j.by = e.lives.Load()
	j.by.routed.begin(j)
	defer j.by.routed.end()
	j.events = j.arena.Events
	j.route(e.index.NewRouter(e.world, index.Spread{}), false)
	j.held += len(j.events)
	for i := range j.events {
		p.waiting.push(waits{ev: &j.events[i], job: j, event: int32(i), order: orders[i]})
	}
	p.unsaved.upTo = p.arrived
	return nil
}

// restoreKeys takes the states of keys back into the shards that own them now. What
// belongs to rules that are gone or remember something else now is dropped with the next
// epochs.
func (e *Engine) restoreKeys(ctx context.Context) error {
	var all []*succession
	numbers := map[string]int{}
	for n := range e.rules {
		numbers[e.rules[n].rule.Name] = n
	}
	if err := e.restoreDoomed(ctx); err != nil {
		return err
	}
	err := e.store.Scan(ctx, state.TableMeta, []byte(metaRule), nil, func(key, value []byte) error {
		s := &succession{name: string(key[len(metaRule):]), rule: -1, generation: generationOf(string(value))}
		if n, ok := numbers[s.name]; ok {
			steps, _, err := e.store.Get(state.TableMeta, []byte(metaSteps+s.name), nil)
			if err != nil {
				return err
			}
			s.compare(n, &e.rules[n], string(value), string(steps))
			delete(numbers, s.name)
		} else {
			e.gone = append(e.gone, s.name)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := e.restoreRule(ctx, s); err != nil {
			return err
		}
		s.tell(e.o.Log)
	}
	e.countCold()
	for _, n := range numbers {
		e.beginGeneration(n, 0)
	}
	if len(all) > 0 {
		for _, name := range slices.Sorted(maps.Keys(numbers)) {
			e.o.Log.Info("rule added", "rule", name)
		}
	}
	return nil
}

// restoreRule takes note of the keys of a rule, which stay in the store until they are
// needed, or dooms them.
func (e *Engine) restoreRule(ctx context.Context, s *succession) (err error) {
	name := recordName(s.name, s.generation)
	if s.keeps() {
		e.setGeneration(s.rule, s.generation)
		return e.restoreCounts(name, func(slot int, count int32) {
			s.keys += int(count)
			e.shards[shardOf(uint64(slot), len(e.shards))].unit(int32(s.rule)).known(slot, count)
		})
	}
	e.obsolete = append(e.obsolete, row{state.TableMeta, metaKeys + name})
	e.doom(name)
	if s.rule >= 0 {
		e.beginGeneration(s.rule, 0)
	}
	if s.carry != nil {
		if err := e.plantStored(ctx, s, name); err != nil {
			return err
		}
	}
	return e.restoreCounts(name, func(_ int, count int32) { s.keys += int(count) })
}

// restoreCounts reads how many keys of each slot the records of a name are of.
func (e *Engine) restoreCounts(name string, visit func(slot int, count int32)) error {
	b, ok, err := e.store.Get(state.TableMeta, []byte(metaKeys+name), nil)
	if err != nil || !ok {
		return err
	}
	for slot := 0; len(b) > 0; slot++ {
		skip, used := binary.Uvarint(b)
		count, more := binary.Uvarint(b[max(used, 0):])
		if slot += int(min(skip, slots)); used <= 0 || more <= 0 || slot >= slots || count > math.MaxInt32 {
			return fmt.Errorf("%w: number of keys of rule %s", errState, ruleOf(name))
		}
		b = b[used+more:]
		visit(slot, int32(count))
	}
	return nil
}

// keyInError names a record's key in an error: as the store does, in hexadecimal, since it
// may be anything.
func keyInError(key []byte) string { return hex.EncodeToString(key[:min(len(key), 64)]) }
