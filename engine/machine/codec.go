package machine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/windows"
)

// EventCodec writes and reads the events within a key's record. The engine gives one:
// it knows types and partitions by name.
type EventCodec interface {
	// AppendEvent appends an event, to be read back by ReadEvent.
	AppendEvent(b []byte, ev *event.Event) []byte
	// ReadEvent reads one event from the whole of b. It is valid until the next call.
	ReadEvent(b []byte) (*event.Event, error)
}

// ErrRecord is wrapped by the errors of Decode.
var ErrRecord = errors.New("damaged record of a key")

// The first byte of a record: of patterns, and of windows.
const (
	recordVersion = 2
	windowVersion = 2
)

// recordWriter writes a record: the events it names come first, each once.
type recordWriter struct {
	x       *Context
	version byte
	body    []byte
	events  []keep.Ref
	number  map[keep.Ref]int
}

func newRecordWriter(x *Context) *recordWriter {
	return &recordWriter{x: x, version: recordVersion, number: map[keep.Ref]int{}}
}

func (w *recordWriter) int(n int64)   { w.body = binary.AppendVarint(w.body, n) }
func (w *recordWriter) uint(n uint64) { w.body = binary.AppendUvarint(w.body, n) }

func (w *recordWriter) bool(is bool) {
	n := uint64(0)
	if is {
		n = 1
	}
	w.uint(n)
}

// ref writes a reference to a kept event; none is 0.
func (w *recordWriter) ref(ref keep.Ref) {
	if ref == 0 {
		w.uint(0)
		return
	}
	n, ok := w.number[ref]
	if !ok {
		w.events = append(w.events, ref)
		n = len(w.events)
		w.number[ref] = n
	}
	w.uint(uint64(n))
}

func (w *recordWriter) refs(list []keep.Ref) {
	w.uint(uint64(len(list)))
	for _, ref := range list {
		w.ref(ref)
	}
}

func (w *recordWriter) state(p *windows.Program, s *windows.State) {
	b := p.Append(nil, s)
	w.uint(uint64(len(b)))
	w.body = append(w.body, b...)
}

// finish appends the whole record to b.
func (w *recordWriter) finish(b []byte) []byte {
	b = append(b, w.version)
	b = binary.AppendUvarint(b, uint64(len(w.events)))
	ranks := w.ranks()
	for i, ref := range w.events {
		var ev event.Event
		text := w.x.Codec.AppendEvent(nil, w.x.Keep.View(ref, &ev))
		b = binary.AppendUvarint(b, uint64(ranks[i]))
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return append(b, w.body...)
}

// ranks is the place of each event in the order in which they were kept: they are kept
// in that order again when the record is read.
func (w *recordWriter) ranks() []int {
	byOrder := make([]int, len(w.events))
	for i := range byOrder {
		byOrder[i] = i
	}
	slices.SortFunc(byOrder, func(i, j int) int {
		return cmp.Compare(w.x.Keep.Order(w.events[i]), w.x.Keep.Order(w.events[j]))
	})
	ranks := make([]int, len(w.events))
	for rank, i := range byOrder {
		ranks[i] = rank
	}
	return ranks
}

// recordReader reads a record. After an error all reads give zero.
type recordReader struct {
	x      *Context
	rest   []byte
	events []keep.Ref // each held once by the reader itself
	err    error
}

func newRecordReader(x *Context, b []byte) *recordReader { return recordOf(x, b, recordVersion) }

// recordOf begins to read a record, which must be of a version.
func recordOf(x *Context, b []byte, version byte) *recordReader {
	r := &recordReader{x: x, rest: b}
	if len(b) == 0 {
		r.fail("it is empty")
		return r
	}
	if b[0] != version {
		r.fail("it is of version %d and this release reads version %d: run the release that wrote it, or start with an empty state directory", b[0], version)
		return r
	}
	r.rest = b[1:]
	r.readEvents()
	return r
}

// readEvents reads the record's events and keeps them in their old order.
func (r *recordReader) readEvents() {
	n := r.count()
	texts, places := make([][]byte, n), make([]int, n)
	for i := range n {
		rank := r.uint()
		if rank >= uint64(n) || texts[rank] != nil {
			r.fail("event %d of rank %d", i+1, rank)
			return
		}
		texts[rank], places[rank] = r.bytes(), i
	}
	kept := make([]keep.Ref, n)
	r.events = kept[:0]
	for rank, text := range texts {
		ev, err := r.x.Codec.ReadEvent(text)
		if err != nil {
			r.fail("event %d: %v", places[rank]+1, err)
			break
		}
		kept[places[rank]] = r.x.Keep.Hold(ev)
	}
	r.events = kept
}

func (r *recordReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

func (r *recordReader) int() int64 {
	n, used := binary.Varint(r.rest)
	return n * r.used(used)
}

func (r *recordReader) uint() uint64 {
	n, used := binary.Uvarint(r.rest)
	return n * uint64(r.used(used))
}

// used takes n bytes away and returns 1, or fails and returns 0.
func (r *recordReader) used(n int) int64 {
	if n <= 0 {
		r.fail("it is cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return 1
}

func (r *recordReader) bool() bool { return r.uint() != 0 }

// count reads a number of things of at least one byte each.
func (r *recordReader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail("%d things in %d bytes", n, len(r.rest))
		return 0
	}
	return int(n)
}

func (r *recordReader) bytes() []byte {
	n := r.count()
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// ref reads a reference and holds the event for it.
func (r *recordReader) ref() keep.Ref {
	n := r.uint()
	if n == 0 {
		return 0
	}
	if n > uint64(len(r.events)) {
		r.fail("event %d of %d", n, len(r.events))
		return 0
	}
	return r.x.Keep.Share(r.events[n-1])
}

func (r *recordReader) refs() []keep.Ref {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]keep.Ref, n)
	for i := range list {
		list[i] = r.ref()
	}
	return list
}

func (r *recordReader) state(p *windows.Program, s *windows.State) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	if err := p.Decode(b, s); err != nil {
		r.fail("window: %v", err)
	}
}

// finish lets go of the reader's own holds and returns the error, if any.
func (r *recordReader) finish() error {
	for _, ref := range r.events {
		r.x.Keep.Release(ref)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	return r.err
}

// Append appends the record of a key.
func (p *Pattern) Append(x *Context, b []byte, k *PatternKey) []byte {
	out := newRecordWriter(x)
	if p.line != nil {
		p.appendLine(out, k)
		return out.finish(b)
	}
	if k.general == nil {
		k = &PatternKey{seq: k.seq, general: &general{}}
	}
	out.uint(k.seq)
	out.bool(k.waits)
	out.int(k.due)
	out.uint(uint64(len(k.leads)))
	for _, at := range k.leads {
		out.int(at)
	}
	out.uint(uint64(len(k.lists)))
	for i := range k.lists {
		k.lists[i].append(out)
	}
	out.uint(uint64(len(k.spare)))
	for _, i := range k.spare {
		out.uint(uint64(i))
	}
	p.appendPool(out, k.pool)
	out.uint(uint64(len(k.runs)))
	for i := range k.runs {
		p.appendRun(out, &k.runs[i])
	}
	return out.finish(b)
}

func (l *list) append(out *recordWriter) {
	out.refs(l.head)
	out.int(l.skipped)
	out.refs(l.tail)
	out.int(l.base)
	out.int(l.newest)
	out.int(int64(l.holders))
	out.int(int64(l.leaf))
	out.uint(l.took)
	out.int(l.trim)
}

func (l *list) read(in *recordReader) {
	l.head, l.skipped, l.tail = in.refs(), in.int(), in.refs()
	l.base, l.newest = in.int(), in.int()
	l.holders, l.leaf = int32(in.int()), int32(in.int())
	l.took, l.trim = in.uint(), in.int()
}

func (p *Pattern) appendRun(out *recordWriter, r *run) {
	for _, n := range []int64{r.start, r.last, r.ownStart, r.ownLast, r.total, int64(r.stage), int64(r.turns)} {
		out.int(n)
	}
	for _, n := range []uint64{r.began, r.took, r.id[0], r.id[1], r.hit} {
		out.uint(n)
	}
	out.bool(r.stale)
	out.bool(r.spent)
	out.uint(uint64(len(r.binds)))
	for i := range r.binds {
		b := &r.binds[i]
		out.ref(b.ref)
		out.int(int64(b.list))
		out.int(b.n)
		out.int(b.from)
	}
	for i := range r.accs {
		out.state(p.accs[i].program, &r.accs[i])
	}
	for _, c := range r.config {
		out.uint(uint64(c.turns))
		out.uint(uint64(c.at))
		out.int(c.last)
		out.bool(c.stale)
	}
}

func (p *Pattern) readRun(in *recordReader, r *run) {
	var stage, turns int64
	for _, n := range []*int64{&r.start, &r.last, &r.ownStart, &r.ownLast, &r.total, &stage, &turns} {
		*n = in.int()
	}
	r.stage, r.turns = int32(stage), int32(turns)
	for _, n := range []*uint64{&r.began, &r.took, &r.id[0], &r.id[1], &r.hit} {
		*n = in.uint()
	}
	r.stale, r.spent = in.bool(), in.bool()
	if n := in.count(); n > 0 {
		r.binds = make([]bind, n)
	}
	for i := range r.binds {
		r.binds[i] = bind{ref: in.ref(), list: int32(in.int()), n: in.int(), from: in.int()}
	}
	r.accs = p.newStates()
	for i := range r.accs {
		in.state(p.accs[i].program, &r.accs[i])
	}
	if r.stage < 0 || int(r.stage) >= len(p.stages) || p.stages[r.stage].root == nil {
		return // checkRun has a word for a stage that is not there
	}
	r.config = p.stages[r.stage].start()
	for i := range r.config {
		c := &r.config[i]
		c.turns, c.at, c.last, c.stale = int32(in.uint()), int32(in.uint()), in.int(), in.bool()
	}
}

// Decode reads what Append wrote into a key that is empty.
func (p *Pattern) Decode(x *Context, b []byte, k *PatternKey) error {
	in := newRecordReader(x, b)
	if p.line != nil {
		return p.readLine(in, k)
	}
	k.begin(x)
	k.seq, k.waits, k.due = in.uint(), in.bool(), in.int()
	for range in.count() {
		k.leads = append(k.leads, in.int())
	}
	for range in.count() {
		var l list
		l.read(in)
		k.lists = append(k.lists, l)
	}
	for range in.count() {
		k.spare = append(k.spare, int32(in.uint()))
	}
	p.readPool(in, x, k)
	for range in.count() {
		var r run
		p.readRun(in, &r)
		k.runs = append(k.runs, r)
	}
	if err := in.finish(); err != nil {
		return err
	}
	return p.checkKey(k)
}

// checkKey refuses a record whose numbers would lead outside of what it holds.
func (p *Pattern) checkKey(k *PatternKey) error {
	if n := len(k.leads); n != 0 && n != len(p.leads) {
		return fmt.Errorf("%w: %d negations at the start, the pattern has %d", ErrRecord, n, len(p.leads))
	}
	for _, i := range k.spare {
		if int(i) >= len(k.lists) || i < 0 {
			return fmt.Errorf("%w: spare list %d of %d", ErrRecord, i, len(k.lists))
		}
	}
	for i := range k.runs {
		if err := p.checkRun(k, &k.runs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pattern) checkRun(k *PatternKey, r *run) error {
	if r.stage < 0 || int(r.stage) >= len(p.stages) || len(r.binds) > len(p.leaves) {
		return fmt.Errorf("%w: a run at stage %d with %d steps bound, the pattern has %d", ErrRecord, r.stage, len(r.binds), len(p.stages))
	}
	if s := &p.stages[r.stage]; s.root != nil && !s.root.sound(r.config) {
		return fmt.Errorf("%w: a run outside of its group", ErrRecord)
	}
	for i := range r.binds {
		b := &r.binds[i]
		if b.list < 0 {
			continue
		}
		if int(b.list) >= len(k.lists) {
			return fmt.Errorf("%w: list %d of %d", ErrRecord, b.list, len(k.lists))
		}
		if l := &k.lists[b.list]; b.from < l.base || b.n < 0 || b.from+b.n > l.end() || l.skipped < 0 || int(l.leaf) != i {
			return fmt.Errorf("%w: events %d to %d of a list from %d to %d", ErrRecord, b.from, b.from+b.n, l.base, l.end())
		}
	}
	return nil
}
