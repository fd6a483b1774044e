package engine

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// job is one batch of a source on its way: read, then decoded and routed by a worker,
// then taken event by event, or in stretches, into epochs. It is used again once all its
// events have been through an epoch.
type job struct {
	source int
	batch  event.Batch
	err    error // the source's last word, io.EOF at its end; batch may hold records too
	arena  event.Arena
	events []event.Event // of the arena, or of the batch where the source has decoded them
	at     []int32       // by record: its event, -1: none; empty where each record is one
	// found is what the events matter to: in the direct lane one list a shard, else one
	// list, of which starts[i] is where the items of event i begin.
	found   index.Routed
	starts  []int32
	direct  bool  // found is for the direct lane
	cursors []int // direct lane, by shard: how far its list is worked off
	common  event.Common
	dead    []Dead
	counts  counts
	after   int64 // position after the batch
	came    time.Time
	mark    []byte // the source's fingerprint, to go with that position and later ones
	done    chan struct{}
	broken  error // a panic of the worker; nothing of the job can be taken

	next  int // the first record not yet taken
	taken int // events before it
	held  int // events, or stretches of them, taken and not yet through an epoch

	by     *generation // it was decoded and routed by; nil: the first
	routed *routed     // knows the job; nil: the rule set has no files
	inUse  bool        // routed, and not yet made ready for another batch; guarded by routed
}

// size is the number of records that can be taken.
func (j *job) size() int {
	if j.broken != nil {
		return 0
	}
	return len(j.batch.Records)
}

// eventOf is the number of a record's event, -1 where it is none.
func (j *job) eventOf(record int) int32 {
	if len(j.at) == 0 {
		return int32(record)
	}
	return j.at[record]
}

// counts is what a worker counted in one job, by rule.
type counts struct {
	undeclared, undecodable uint64
	nilKeys                 []ruleCount
	faults                  []index.FaultOf
}

type ruleCount struct {
	rule int32
	n    uint64
}

// Dead is a record that could not be taken, for the dead letters.
type Dead struct {
	Partition event.Partition
	Offset    int64
	Time      int64 // of the record, or of its arrival
	Reason    string
	Record    []byte
}

// worker decodes and routes jobs; one goroutine owns it.
type worker struct {
	current  *atomic.Pointer[generation]
	by       *generation      // what follows is made for
	set      *plan.Set        // of by
	decoders []*event.Decoder // by source
	bases    []int32          // by source: global number of its partition 0
	router   *index.Router
	parts    []event.Partition
	routed   *routed // nil: the rule set has no files
	direct   bool    // events go to the shards in stretches: see Engine.direct
	record   int     // at hand
	broken   error   // the panic that has ended the worker's work

	mismatches []Mismatch // of decoders that it had before
}

// turn makes the worker go by the current generation.
func (w *worker) turn() {
	g := w.current.Load()
	if g == w.by {
		return
	}
	w.bookFields()
	w.by, w.set, w.parts, w.bases, w.routed, w.direct = g, g.set, g.parts, g.bases, g.routed, g.direct
	w.router, w.decoders = g.newRouter(), nil
	for i := range g.inputs {
		w.decoders = append(w.decoders, g.newDecoder(i))
	}
}

// run works off jobs until ctx is done.
func (w *worker) run(ctx context.Context, jobs <-chan *job) error {
	for {
		select {
		case j := <-jobs:
			if j.by == nil {
				w.work(j)
			} else {
				w.again(j)
			}
			close(j.done)
		case <-ctx.Done():
			return nil
		}
	}
}

// work does a job. A panic, which only a broken invariant can cause, makes the job a
// broken one, at which the run ends: nothing of the job is taken, and, for who knows what it
// has left behind, nothing of any other that the worker is given. As long as it is being
// worked on nobody else may route it.
func (w *worker) work(j *job) {
	w.turn()
	j.by = w.by
	w.routed.begin(j)
	defer w.routed.end()
	defer func() {
		if r := recover(); r != nil {
			w.broken = fmt.Errorf("decode and route %s: broken invariant: %v\n%s", w.place(j), r, debug.Stack())
		}
		if w.broken != nil {
			j.events, j.dead, j.counts, j.broken = nil, nil, counts{}, w.broken
		}
	}()
	if w.broken == nil {
		w.do(j)
	}
}

// place names the record of a job that is at hand.
func (w *worker) place(j *job) string {
	if w.record >= len(j.batch.Records) {
		return "a batch of " + w.parts[w.bases[j.source]].Source
	}
	return fmt.Sprintf("the record of %s at %d", w.parts[w.bases[j.source]].Source, j.batch.Records[w.record].Offset)
}

// do decodes and routes a job.
func (w *worker) do(j *job) {
	if j.batch.Decoded != nil {
		j.events = j.batch.Decoded
	} else {
		w.decode(j)
	}
	w.record = len(j.batch.Records)
	j.number(w.bases[j.source])
	j.route(w.router, w.direct)
	w.count(j)
}

// decode makes events of the records.
func (w *worker) decode(j *job) {
	d, base := w.decoders[j.source], w.bases[j.source]
	for w.record = range j.batch.Records {
		outcome, err := d.Decode(&j.batch, w.record, &j.arena)
		if outcome == event.Decoded {
			if len(j.at) > 0 {
				j.at = append(j.at, int32(len(j.arena.Events)-1))
			}
			continue
		}
		for len(j.at) < w.record {
			j.at = append(j.at, int32(len(j.at))) // it is the first that is no event
		}
		j.at = append(j.at, -1)
		if outcome == event.Undeclared {
			j.counts.undeclared++
			continue
		}
		j.counts.undecodable++
		j.dead = append(j.dead, w.dead(j, w.record, base, err.Error()))
	}
	j.events = j.arena.Events
}

// number gives the events the number of their partition, and the time they count at if
// they are not late, where they have another one.
func (j *job) number(part int32) {
	j.common = j.batch.Common
	if j.batch.Decoded != nil && !j.common.Known {
		for i := range j.events {
			j.events[i].At = j.events[i].Time
		}
	}
	if !j.common.Known {
		j.common = event.CommonOf(j.events)
	}
	if j.common.Part != part {
		for i := range j.events {
			j.events[i].Part = part
		}
	}
}

// route finds what the events matter to.
func (j *job) route(router *index.Router, direct bool) {
	if j.direct != direct {
		j.direct, j.found.Lists = direct, nil // there are more of them, or fewer
	}
	router.RouteAs(j.events, &j.common, &j.found)
	if direct {
		j.cursors = append(j.cursors[:0], make([]int, len(j.found.Lists))...)
		return
	}
	j.starts = j.starts[:0]
	for i := range j.found.Lists[0] {
		for int(j.found.Lists[0][i].Event) >= len(j.starts) {
			j.starts = append(j.starts, int32(i))
		}
	}
	for len(j.starts) <= len(j.events) {
		j.starts = append(j.starts, int32(len(j.found.Lists[0])))
	}
}

// items are those of one event, in the lane that takes events one by one.
func (j *job) items(i int32) []index.Item { return j.found.Lists[0][j.starts[i]:j.starts[i+1]] }

// count moves what the router counted to the job.
func (w *worker) count(j *job) {
	for _, rule := range w.router.NilKeys.Rules {
		j.counts.nilKeys = append(j.counts.nilKeys, ruleCount{rule, w.router.NilKeys.N[rule]})
	}
	j.counts.faults = append(j.counts.faults, w.router.Faults...)
	w.router.Counted()
}

func (w *worker) dead(j *job, i int, base int32, reason string) Dead {
	r := &j.batch.Records[i]
	return Dead{
		Partition: w.parts[base+r.Part], Offset: r.Offset, Time: r.Time, Reason: reason,
		Record: bytes.Clone(j.batch.Text[r.Start:r.End]),
	}
}

// reset makes the job ready for another batch.
func (j *job) reset() {
	j.routed.retire(j)
	j.batch.Reset()
	j.arena.Reset()
	clear(j.dead)
	j.at, j.dead = j.at[:0], j.dead[:0]
	j.common = event.Common{}
	j.by, j.events, j.err, j.broken, j.next, j.taken, j.held = nil, nil, nil, nil, 0, 0, 0
	j.counts = counts{nilKeys: j.counts.nilKeys[:0], faults: j.counts.faults[:0]}
	j.done = make(chan struct{})
}
