package engine

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
)

// job is one batch of a source on its way: read, then decoded and routed by a worker,
// then taken event by event into epochs. It is used again once all its events have
// been through an epoch.
type job struct {
	source  int
	batch   event.Batch
	err     error // the source's last word, io.EOF at its end; batch may hold records too
	arena   event.Arena
	events  []event.Event // of the arena, or of the batch where the source has decoded them
	records []decoded // one a record of the batch
	items   []index.Item
	keys    []byte // of the items
	dead    []Dead
	counts  counts
	after   int64  // position after the batch
	mark    []byte // the source's fingerprint, to go with that position and later ones
	done    chan struct{}
	broken  error // a panic of the worker; nothing of the job can be taken

	next int // the first record not yet taken
	held int // events taken and not yet through an epoch

	routed *routed // knows the job; nil: the rule set has no files
	inUse  bool    // routed, and not yet made ready for another batch; guarded by routed
}

// decoded says what became of one record.
type decoded struct {
	event    int32 // index into events; -1: none
	from, to int32 // its items
}

// counts is what a worker counted in one job.
type counts struct {
	undeclared, undecodable uint64
	nilKeys                 []uint64     // by rule
	faults                  []eval.Fault // by rule
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
	decoders []*event.Decoder // by source
	bases    []int32          // by source: global number of its partition 0
	router   *index.Router
	parts    []event.Partition
	routed   *routed // nil: the rule set has no files
	broken   error   // the panic that has ended the worker's work
}

// run works off jobs until ctx is done.
func (w *worker) run(ctx context.Context, jobs <-chan *job) error {
	for {
		select {
		case j := <-jobs:
			w.work(j)
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
	w.routed.begin(j)
	defer w.routed.end()
	defer func() {
		if r := recover(); r != nil {
			w.broken = fmt.Errorf("decode and route %s: broken invariant: %v\n%s", w.place(j), r, debug.Stack())
		}
		if w.broken != nil {
			j.records, j.items, j.dead, j.counts, j.broken = nil, nil, nil, counts{}, w.broken
		}
	}()
	if w.broken == nil {
		w.do(j)
	}
}

// place names the record of a job that is at hand.
func (w *worker) place(j *job) string {
	if len(j.records) >= len(j.batch.Records) {
		return "a batch of " + w.parts[w.bases[j.source]].Source
	}
	return fmt.Sprintf("the record of %s at %d", w.parts[w.bases[j.source]].Source, j.batch.Records[len(j.records)].Offset)
}

// do decodes and routes a job.
func (w *worker) do(j *job) {
	d, base := w.decoders[j.source], w.bases[j.source]
	w.router.Reset()
	for i := range j.batch.Records {
		r := &j.batch.Records[i]
		out := decoded{event: -1, from: int32(len(j.items))}
		outcome, err := j.decode(d, i)
		switch outcome {
		case event.Decoded:
			out.event = int32(len(j.events) - 1)
			ev := &j.events[out.event]
			ev.Part = base + r.Part
			j.items = w.router.Route(ev, j.items)
		case event.Undeclared:
			j.counts.undeclared++
		case event.Undecodable:
			j.counts.undecodable++
			j.dead = append(j.dead, w.dead(j, i, base, err.Error()))
		}
		out.to = int32(len(j.items))
		j.records = append(j.records, out)
	}
	j.keys = append(j.keys, w.router.Keys...)
	w.count(j, d)
}

// decode makes record i the last of the job's events, unless the source has done so.
func (j *job) decode(d *event.Decoder, i int) (event.Outcome, error) {
	if j.batch.Decoded != nil {
		j.events = j.batch.Decoded[:i+1]
		return event.Decoded, nil
	}
	outcome, err := d.Decode(&j.batch, i, &j.arena)
	j.events = j.arena.Events
	return outcome, err
}

// count moves what decoder and router counted to the job.
func (w *worker) count(j *job, d *event.Decoder) {
	j.counts.nilKeys = append(j.counts.nilKeys[:0], w.router.NilKeys...)
	clear(w.router.NilKeys)
	j.counts.faults = append(j.counts.faults[:0], w.router.Faults...)
	clear(w.router.Faults)
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
	j.events = nil
	clear(j.dead)
	j.records, j.items, j.keys, j.dead = j.records[:0], j.items[:0], j.keys[:0], j.dead[:0]
	j.err, j.broken, j.next, j.held = nil, nil, 0, 0
	j.counts = counts{nilKeys: j.counts.nilKeys[:0], faults: j.counts.faults[:0]}
	j.done = make(chan struct{})
}
