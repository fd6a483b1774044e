package engine

import (
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/machine"
)

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

// Holds is about how many bytes the engine holds for what it remembers, by a sample of the
// keys, wherever its state is kept; records on their way are not in it. It is to be called
// as Remembered is, and takes little time.
func (e *Engine) Holds() (n int64) {
	for _, sh := range e.shards {
		n += sh.holds()
	}
	for _, s := range e.silences {
		if s != nil {
			n += int64(len(s.by)) * entryTakes
		}
	}
	for _, p := range e.merge.parts {
		n += int64(p.waiting.len()) * entryTakes
		for _, m := range p.marks {
			if m != nil {
				n += int64(m.len()) * entryTakes
			}
		}
	}
	return n
}

// entryTakes is about what a silence, a mark or an event that waits takes.
const entryTakes = 128

func (sh *shard) holds() int64 {
	n := sh.x.Bytes() + sh.longKeys.Bytes()
	for i := range sh.timers {
		n += int64(sh.timers[i].len()) * int64(unsafe.Sizeof(timer{}))
	}
	sample := max(1, keysMeasured/int32(max(1, len(sh.units))))
	for _, u := range sh.units {
		if m, ok := u.(interface{ bytes(sample int32) int64 }); ok {
			n += m.bytes(sample)
		}
	}
	return n
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
