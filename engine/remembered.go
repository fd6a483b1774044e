package engine

import "github.com/cepheus-cep/cepheus/engine/machine"

// Remembered counts what an engine holds at a moment; each has a bound.
type Remembered struct {
	Keys       int   // of all rules and projections; Limits.KeysPerRule for each
	Cold       int   // those of them that are in the store alone
	KeyBytes   int64 // room that the others take where the store is durable; about Options.Cache
	Runs       int   // open runs of patterns, place by place; Limits.RunsPerKey for each key
	Events     int   // kept events, each counted once a shard
	EventBytes int64 // room that they take
	Timers     int   // those that do not count any more included; at most about twice as many as keys
	Silences   int   // of `suppress`; Options.Silences for each rule
	Marks      int   // of `dedup`; Options.Marks for each type and partition
	Waiting    int   // events that wait for their time; Options.Waiting for each partition
}

// Remembered counts what the engine holds. It takes time in proportion to the keys, and
// is to be called from Options.Progress, from Options.Committed where the store is not
// durable, or when Run does not run.
func (e *Engine) Remembered() Remembered {
	var r Remembered
	for _, sh := range e.shards {
		sh.remembered(&r)
	}
	for _, s := range e.silences {
		if s != nil {
			r.Silences += len(s.by)
		}
	}
	for _, p := range e.merge.parts {
		r.Waiting += p.waiting.len()
		for _, m := range p.marks {
			if m != nil {
				r.Marks += m.len()
			}
		}
	}
	return r
}

// remembered adds what a shard holds.
func (sh *shard) remembered(r *Remembered) {
	r.Events += sh.store.Len() + sh.x.Log.Len()
	r.EventBytes += sh.store.Bytes() + sh.x.Log.Bytes()
	for i := range sh.timers {
		r.Timers += sh.timers[i].len()
	}
	if sh.disk != nil {
		r.KeyBytes += sh.bytesHeld()
	}
	for _, u := range sh.units {
		if u == nil {
			continue
		}
		r.Keys += u.keys()
		r.Cold += u.keysCold()
		if p, ok := u.(*keyed[machine.PatternKey, *machine.Pattern]); ok {
			for id := range p.table.keys.n {
				r.Runs += p.table.at(id).state.Runs()
			}
		}
	}
}
