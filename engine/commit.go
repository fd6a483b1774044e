package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// commit makes what the epoch did durable as one: alerts, and, where the store outlives
// the process, key states, positions, silences and events that wait for their time. There
// the next epoch begins while it is being written.
func (e *Engine) commit(ctx context.Context, ep *epoch) error {
	if e.o.Dead != nil && len(ep.dead) > 0 {
		if err := e.o.Dead(ep.dead); err != nil {
			return fmt.Errorf("write %d dead letters: %w", len(ep.dead), err)
		}
	}
	if e.o.Delivered != nil {
		e.told.at = e.o.Now()
		e.o.Outbox.Acknowledge(e.commits.batch(), e.o.Delivered())
	}
	e.bookFaults()
	e.bookSpent()
	e.weigh()
	e.forgetSilences(ep.worked)
	if e.store.Durable() {
		if err := e.dropSome(ctx); err != nil {
			return err
		}
		e.save(ep)
	}
	e.stats.Epochs++
	e.stats.Watermark = max(e.stats.Watermark, ep.known)
	if !e.store.Durable() {
		return e.commitNow(ctx, ep)
	}
	if err := e.land(); err != nil {
		return err
	}
	for _, sh := range e.shards {
		e.commits.batch().Join(sh.hand())
	}
	if e.o.Progress != nil {
		e.commits.what.CopyFrom(e.Stats()) // to be shown when the epoch they tell of is durable
	}
	e.commits.launch(ctx, e.o.Outbox.Last())
	e.changes.launch()
	e.timing.launch(ep)
	e.came, e.forgot = ep.taken, 0
	e.era++
	for _, sh := range e.shards {
		e.forgot += sh.forgot
		sh.era, sh.dirty, sh.forgot = e.era, 0, 0
	}
	return nil
}

// commitNow commits the batch at hand, and waits for it.
func (e *Engine) commitNow(ctx context.Context, ep *epoch) error {
	e.timing.launch(ep)
	if err := e.commits.write(ctx, e.commits.batch(), e.o.Outbox.Last()); err != nil {
		return err
	}
	e.commits.batch().Reset()
	e.changes.launch()
	e.changes.land(e.store.Epoch())
	e.timing.land(e.commits.took)
	if e.o.Progress != nil {
		e.o.Progress(e.Stats())
	}
	return nil
}

// land waits until the epoch that is being written is durable, and shows it.
func (e *Engine) land() error {
	was, err := e.commits.land()
	if err != nil || !was {
		return err
	}
	e.safe = e.era - 1
	e.changes.land(e.store.Epoch())
	e.timing.land(e.commits.took)
	if e.o.Progress != nil {
		e.o.Progress(&e.commits.what)
	}
	return nil
}

// send turns effects into alerts and puts those that are to be sent into the outbox.
func (e *Engine) send(effects []*effect) {
	for i := range effects {
		c := effects[i]
		rule := e.rules[c.rule].rule
		stats := &e.stats.Rules[c.rule]
		suppressed := uint64(0)
		if rule.Suppress > 0 {
			e.row = silenceKey(e.row, c)
			var send bool
			if suppressed, send = e.silences[c.rule].pass(e.row, c.Time); !send {
				stats.Suppressed++
				continue
			}
		}
		if rule.Mode == plan.Shadow {
			if stats.Shadowed++; e.o.Shadow != nil {
				e.o.Shadow(e.render(c, suppressed))
			}
			continue
		}
		stats.Alerts++
		e.stats.Alerts++
		a := e.render(c, suppressed)
		if e.alerts != nil {
			e.alerts.AppendAlert(a)
			continue
		}
		e.row = a.AppendJSON(e.row[:0])
		e.o.Outbox.Append(e.commits.batch(), e.row)
	}
}

// save puts what changed into the batch. What is where:
//
//	TableKeys       rule name, slot, key → when it was seen, where it is filed, the machine's record
//	                (a long key is a hash there: see appendStored; of the name: recordName)
//	TableTimers     see diary.go
//	TablePositions  partition name → next offset, watermark, fingerprint
//	TableWaiting    partition name, order of arrival → an event that waits for its time
//	TableSilences   see saveSilences
//	TableDedup      see saveMarks
//	TableIdle       see saveStep
//	TableMeta       see putNames, saveFiles, saveTime, putDoomed, metaSteps and shapes.save
func (e *Engine) save(ep *epoch) {
	if !e.named {
		e.putNames()
		e.named = true
	}
	e.saveFiles()
	e.saveKeys(ep.worked)
	for _, p := range e.merge.parts {
		e.savePartition(p)
		e.saveMarks(p)
	}
	e.saveTime(ep)
	e.saveStep()
	e.saveSilences()
	e.shapes.save(e.commits.batch())
}

// saveKeys writes what changed in the keys of all shards; each shard writes its own records.
func (e *Engine) saveKeys(now int64) {
	for _, sh := range e.shards {
		sh.safe = e.safe
	}
	var all sync.WaitGroup
	for _, sh := range e.shards[1:] {
		all.Go(func() { sh.save(now) })
	}
	e.shards[0].save(now)
	all.Wait()
	filed := noneFiled
	for _, sh := range e.shards {
		for part, at := range sh.filedFor {
			filed[part] = min(filed[part], at)
		}
	}
	e.diary.turn(filed)
	e.countCold()
	e.saveCounts()
}

// save writes the records of the keys that have changed, lets keys go cold, and begins the
// next epoch.
func (sh *shard) save(now int64) {
	sh.filedFor = noneFiled
	for _, u := range sh.units {
		if u != nil {
			u.save(sh, now)
		}
	}
	sh.keepWithin(sh.cache, sh.safe)
}

// hand gives what the shard has written, to be joined to an epoch's batch. What it gave last is
// durable by now, and its memory is written next.
func (sh *shard) hand() *state.Batch {
	written := sh.records
	sh.records = &sh.batches[0]
	if sh.records == written {
		sh.records = &sh.batches[1]
	}
	sh.records.Reset()
	return written
}

// keyPrefix starts the key of a rule's records.
func keyPrefix(b []byte, rule string) []byte {
	b = binary.AppendUvarint(b, uint64(len(rule)))
	return append(b, rule...)
}

// savePartition saves where a partition stands, and the events that wait in it.
func (e *Engine) savePartition(p *partition) {
	name := p.AppendName(nil)
	b := binary.AppendVarint(nil, p.next)
	b = binary.AppendVarint(b, p.greatest)
	b = binary.AppendVarint(b, p.at)
	b = binary.AppendUvarint(b, p.arrived)
	b = append(b, p.mark...)
	e.commits.batch().Put(state.TablePositions, name, b)

	key := keyPrefix(nil, string(name))
	codec := newEventCodec(e.o.Set, e.shapes)
	for i, ev := range p.unsaved.came {
		if ev != nil {
			order := p.unsaved.upTo + 1 + uint64(i)
			e.commits.batch().Put(state.TableWaiting, binary.BigEndian.AppendUint64(key, order), codec.AppendEvent(nil, ev, nil, 0))
		}
	}
	for _, order := range p.unsaved.went {
		e.commits.batch().Delete(state.TableWaiting, binary.BigEndian.AppendUint64(key, order))
	}
	p.unsaved.saved()
}
