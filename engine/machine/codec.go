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
	// AppendEvent appends an event, to be read back by ReadEvent. after is the event that
	// stands before it in the record, nil for the first, and base a time near its own: what
	// it has in common with them need not be written.
	AppendEvent(b []byte, ev, after *event.Event, base int64) []byte
	// ReadEvent reads one event from the whole of b, given the same after and base. It is
	// valid until the next call.
	ReadEvent(b []byte, after *event.Event, base int64) (*event.Event, error)
	// ReadShown is ReadEvent of what an alert shows, see [keep.Log]: the event may have
	// neither slots nor an identity.
	ReadShown(b []byte, after *event.Event, base int64) (*event.Event, error)
}

// ErrRecord is wrapped by the errors of Decode.
var ErrRecord = errors.New("damaged record of a key")

// recordWriter writes a record: the events it names come first, each once, in the order in
// which they were kept.
type recordWriter struct {
	x      *Context
	kind   recordKind
	body   []byte
	events []keep.Ref // by number, less one
	number map[keep.Ref]int
	kept   []int          // numbers in the order of keeping
	times  []int64        // of a trail
	text   []byte         // of an event, or an aggregate
	views  [2]event.Event // of an event and the one before it
}

// What a record may have for its writer or reader to serve again.
const (
	someBytes  = 64 << 10
	someEvents = 256
)

// newRecordWriter begins to write a record; finish gives the writer back to the context.
func newRecordWriter(x *Context, kind recordKind) *recordWriter {
	w := x.writer
	if w == nil {
		w = &recordWriter{x: x}
	}
	x.writer = nil
	w.kind, w.body, w.events = kind, w.body[:0], w.events[:0]
	clear(w.number)
	return w
}

func (w *recordWriter) int(n int64)   { w.body = binary.AppendVarint(w.body, n) }
func (w *recordWriter) uint(n uint64) { w.body = binary.AppendUvarint(w.body, n) }

// span writes a time as its distance from another one.
func (w *recordWriter) span(t, base int64) { w.body = event.AppendSpan(w.body, t, base) }

// time writes a time as its distance from the key's last event.
func (w *recordWriter) time(t int64) { w.span(t, w.x.Since) }

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
		if w.number == nil {
			w.number = map[keep.Ref]int{}
		}
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
	w.text = p.Append(w.text[:0], s)
	w.uint(uint64(len(w.text)))
	w.body = append(w.body, w.text...)
}

// finish appends the whole record to b.
func (w *recordWriter) finish(b []byte) []byte {
	b = append(b, byte(w.kind))
	if w.kind.hasEvents() {
		b = w.appendEvents(b)
	}
	b = append(b, w.body...)
	if w.views = [2]event.Event{}; cap(w.body)+cap(w.text) <= someBytes && max(cap(w.events), cap(w.times)) <= someEvents {
		w.x.writer = w
	}
	return b
}

// appendEvents appends how many events there are, and whether they were kept in the order
// of their numbers; then each, with its number where they were not.
func (w *recordWriter) appendEvents(b []byte) []byte {
	order, inOrder := w.order()
	head := uint64(len(w.events)) << 1
	if !inOrder {
		head |= 1
	}
	b = binary.AppendUvarint(b, head)
	var after *event.Event
	for i, n := range order {
		ev := w.x.Keep.View(w.events[n], &w.views[i&1])
		if !inOrder {
			b = binary.AppendUvarint(b, uint64(n))
		}
		w.text = w.x.Codec.AppendEvent(w.text[:0], ev, after, w.x.baseAfter(after))
		b = binary.AppendUvarint(b, uint64(len(w.text)))
		b = append(b, w.text...)
		after = ev
	}
	return b
}

// baseAfter is the time that an event's is near to: that of the one before it, else of the
// key's last event.
func (x *Context) baseAfter(after *event.Event) int64 {
	if after == nil {
		return x.Since
	}
	return after.Time
}

// order lists the events' numbers in the order in which they were kept: they are kept in
// that order again when the record is read.
func (w *recordWriter) order() (order []int, inOrder bool) {
	order = w.kept[:0]
	for i := range w.events {
		order = append(order, i)
	}
	w.kept = order
	byKept := func(i, j int) int { return cmp.Compare(w.x.Keep.Order(w.events[i]), w.x.Keep.Order(w.events[j])) }
	if slices.IsSortedFunc(order, byKept) {
		return order, true
	}
	slices.SortFunc(order, byKept)
	return order, false
}

// recordReader reads a record. After an error all reads give zero.
type recordReader struct {
	x      *Context
	rest   []byte
	events []keep.Ref // each held once by the reader itself
	err    error

	times []int64 // of a trail, and what is shown of it
	list  []keep.Shown
}

// newRecordReader begins to read a record, which must be of a kind; finish gives the reader back
// to the context.
func newRecordReader(x *Context, b []byte, kind recordKind) *recordReader {
	r := x.reader
	if r == nil {
		r = &recordReader{x: x}
	}
	x.reader = nil
	r.rest, r.events, r.err = b, r.events[:0], nil
	if len(b) == 0 {
		r.fail("it is empty")
		return r
	}
	if recordKind(b[0]) != kind {
		r.fail("it is of a %s, and this release runs the rule as a %s: run the release that wrote it, or start with an empty state directory", recordKind(b[0]), kind)
		return r
	}
	r.rest = b[1:]
	if kind.hasEvents() {
		r.readEvents()
	}
	return r
}

// readEvents reads the record's events and keeps them in their old order.
func (r *recordReader) readEvents() {
	head := r.uint()
	n := head >> 1
	if n > uint64(len(r.rest)) {
		r.fail("%d events in %d bytes", n, len(r.rest))
		return
	}
	kept := slices.Grow(r.events, int(n))[:n]
	clear(kept)
	var view event.Event
	var after *event.Event
	for i := range kept {
		number := uint64(i)
		if head&1 != 0 {
			number = r.uint()
		}
		text := r.bytes()
		if r.err == nil && (number >= n || kept[number] != 0) {
			r.fail("event %d of number %d", i+1, number)
		}
		if r.err != nil {
			break
		}
		ev, err := r.x.Codec.ReadEvent(text, after, r.x.baseAfter(after))
		if err != nil {
			r.fail("event %d: %v", i+1, err)
			break
		}
		kept[number] = r.x.Keep.Hold(ev)
		after = r.x.Keep.View(kept[number], &view)
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

// span reads a time that was written as its distance from another one.
func (r *recordReader) span(base int64) int64 {
	t, used := event.ReadSpan(r.rest, base)
	return t * r.used(used)
}

// time reads a time that was written as its distance from the key's last event.
func (r *recordReader) time() int64 { return r.span(r.x.Since) }

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
	if r.rest = nil; max(cap(r.events), cap(r.times)) <= someEvents {
		r.x.reader = r
	}
	return r.err
}

// Append appends the record of a key.
func (p *Pattern) Append(x *Context, b []byte, k *PatternKey) []byte {
	out := newRecordWriter(x, p.recordKind())
	if p.line != nil {
		p.appendLine(out, k)
		return out.finish(b)
	}
	if k.general == nil {
		k = &PatternKey{seq: k.seq, general: &general{}}
	}
	out.uint(k.seq)
	out.bool(k.waits)
	if k.waits {
		out.time(k.due)
	}
	out.uint(uint64(len(k.leads)))
	for _, at := range k.leads {
		out.time(at)
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
	out.time(r.start)
	out.span(r.last, r.start)
	out.span(r.ownStart, r.start)
	out.span(r.ownLast, r.last)
	for _, n := range []int64{r.total, int64(r.stage), int64(r.turns)} {
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
		out.span(c.last, r.last)
		out.bool(c.stale)
	}
}

// readHead reads what comes before the aggregates, and returns the stage as it was written.
func (r *run) readHead(in *recordReader) (stage int64) {
	var turns int64
	r.start = in.time()
	r.last, r.ownStart = in.span(r.start), in.span(r.start)
	r.ownLast = in.span(r.last)
	for _, n := range []*int64{&r.total, &stage, &turns} {
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
	return stage
}

func (p *Pattern) readRun(in *recordReader, r *run) {
	r.readHead(in)
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
		c.turns, c.at, c.last, c.stale = int32(in.uint()), int32(in.uint()), in.span(r.last), in.bool()
	}
}

// readHead reads what comes before the pool and the runs.
func (k *PatternKey) readHead(in *recordReader) {
	k.seq, k.waits = in.uint(), in.bool()
	if k.waits {
		k.due = in.time()
	}
	for range in.count() {
		k.leads = append(k.leads, in.time())
	}
	for range in.count() {
		var l list
		l.read(in)
		k.lists = append(k.lists, l)
	}
	for range in.count() {
		k.spare = append(k.spare, int32(in.uint()))
	}
}

// Decode reads what Append wrote into a key that is empty.
func (p *Pattern) Decode(x *Context, b []byte, k *PatternKey) error {
	in := newRecordReader(x, b, p.recordKind())
	if p.line != nil {
		return p.readLine(in, k)
	}
	k.begin(x)
	k.readHead(in)
	p.readPool(in, x, k)
	for range in.count() {
		var r run
		p.readRun(in, &r)
		k.runs = append(k.runs, r)
	}
	if err := in.finish(); err != nil {
		return err
	}
	return p.checkKey(x, k)
}
