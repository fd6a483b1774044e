package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// Recent keeps the last records that an engine has read, as they came, in memory: what rules
// can be tried over. It holds so many bytes at most, of all inputs together, whatever their
// types; beyond it the oldest go, some at a time. One engine writes to it, for
// [Options].Recent; it may be read by any goroutine.
type Recent struct {
	most int64

	mu    sync.Mutex // leaf
	pages []*page    // the oldest first
	open  map[event.Partition]*page
	bytes int64
}

// page is some records of one partition that followed each other. Nothing in it is written
// over, so who has read how long it is may look at it while it grows.
type page struct {
	partition event.Partition
	decode    event.Options
	batch     event.Batch
}

// NewRecent makes room for so many bytes, at least 64 KiB.
func NewRecent(bytes int64) *Recent {
	return &Recent{most: max(bytes, leastRecent), open: map[event.Partition]*page{}}
}

const leastRecent = 64 << 10

// pagesHeld is in how many pages the room is divided: what goes at a time.
const pagesHeld = 32

// longestKept is the share of the room that a record may have at most; a longer one is passed by.
const longestKept = 8

// recordTakesBeside is what a record takes beside its text.
const recordTakesBeside = int64(unsafe.Sizeof(event.RecordRef{}))

// RecentStats says what is kept.
type RecentStats struct {
	Records     int
	Bytes, Most int64
}

// Stats says what is kept.
func (r *Recent) Stats() RecentStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RecentStats{Bytes: r.bytes, Most: r.most}
	for _, p := range r.pages {
		s.Records += len(p.batch.Records)
	}
	return s
}

// add copies the records of a batch. A nil Recent keeps none, which costs nothing.
func (r *Recent) add(from *reader, b *event.Batch) {
	if r == nil || len(b.Records) == 0 || b.Decoded != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.open[from.name]
	for i := r.first(b); i < len(b.Records); i++ {
		if rec := &b.Records[i]; int64(rec.End-rec.Start) > r.most/longestKept {
			continue // before there is a page for it: none is empty
		}
		if at == nil || at.batch.Stamped != b.Stamped || at.size() >= r.most/pagesHeld {
			at = r.turn(at, from, b)
		}
		at.add(b, i)
	}
	r.count()
	r.forget()
}

// first is the first record of a batch that is worth copying: those before it would have to
// go again.
func (r *Recent) first(b *event.Batch) int {
	room := r.most
	if int64(len(b.Text))+int64(len(b.Records))*recordTakesBeside <= room {
		return 0
	}
	for i, rec := range slices.Backward(b.Records) {
		if room -= int64(rec.End-rec.Start) + recordTakesBeside; room < 0 {
			return i + 1
		}
	}
	return 0
}

// turn opens the page after one of the same partition, nil where there is none.
func (r *Recent) turn(p *page, from *reader, b *event.Batch) *page {
	p = p.next(from)
	p.batch.Stamped, p.batch.Header = b.Stamped, slices.Clone(b.Header) // the source sets it again
	r.open[from.name], r.pages = p, append(r.pages, p)
	return p
}

// next makes a page with as much room as the one before it has taken, so that it need not grow;
// nil: there was none.
func (p *page) next(from *reader) *page {
	n := &page{partition: from.name, decode: from.decode}
	if p != nil {
		n.batch.Text = make([]byte, 0, withSlack(len(p.batch.Text)))
		n.batch.Records = make([]event.RecordRef, 0, withSlack(len(p.batch.Records)))
	}
	return n
}

func withSlack(n int) int { return n + n/16 }

func (p *page) size() int64 {
	return int64(len(p.batch.Text)) + int64(len(p.batch.Records))*recordTakesBeside
}

func (p *page) add(b *event.Batch, i int) {
	rec := &b.Records[i]
	copyRecord(&p.batch, b, i, b.Text[rec.Start:rec.End])
}

// copyRecord appends the i-th record of a batch to another.
func copyRecord(to, from *event.Batch, i int, text []byte) {
	rec := &from.Records[i]
	to.Add(rec.Part, rec.Offset, rec.Time, text)
	to.Records[len(to.Records)-1].Fault = rec.Fault
	if i < len(from.Metas) {
		m := &from.Metas[i]
		var key, headers []byte
		if m.Key != 0 {
			key = m.Key.Bytes(from.Text)
		}
		if m.Headers != 0 {
			headers = m.Headers.Bytes(from.Text)
		}
		to.AddMeta(key, headers)
	}
}

// count finds out what is held, with the room that pages have grown by.
func (r *Recent) count() {
	r.bytes = 0
	for _, p := range r.pages {
		r.bytes += int64(cap(p.batch.Text)) + int64(cap(p.batch.Records))*recordTakesBeside + int64(cap(p.batch.Metas))*int64(unsafe.Sizeof(event.RecordMeta{}))
	}
}

// forget lets the oldest pages go that there is no room for.
func (r *Recent) forget() {
	for r.bytes > r.most && len(r.pages) > 0 {
		gone := r.pages[0]
		r.pages[0] = nil
		if r.pages = r.pages[1:]; r.open[gone.partition] == gone {
			delete(r.open, gone.partition)
		}
		r.count()
	}
}

// Inputs are the records that are kept, as they are by now, each partition a source of its
// own that ends, to be read as the engine's are.
func (r *Recent) Inputs() []Input {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Input
	at := map[event.Partition]*tape{}
	for _, p := range r.pages {
		t := at[p.partition]
		if t == nil {
			t = &tape{partition: p.partition}
			at[p.partition] = t
			all = append(all, Input{Source: t, Decode: p.decode})
		}
		t.pages = append(t.pages, p.batch)
	}
	return all
}

// tape is a source over records that are kept of a partition.
type tape struct {
	partition event.Partition
	pages     []event.Batch
	at        int64
}

// Partition implements Source.
func (t *tape) Partition() event.Partition { return t.partition }

// Resume implements Source: what is kept in memory is not to be had again.
func (t *tape) Resume(context.Context, int64, []byte) error {
	return errors.New("records in memory cannot be resumed")
}

// Next implements Source.
func (t *tape) Next(_ context.Context, into *event.Batch) error {
	if len(t.pages) == 0 {
		return io.EOF
	}
	b := &t.pages[0]
	into.Stamped, into.Header = b.Stamped, b.Header
	for i := range b.Records {
		rec := &b.Records[i]
		copyRecord(into, b, i, b.Text[rec.Start:rec.End])
		t.at = rec.Offset + 1
	}
	t.pages = t.pages[1:]
	return nil
}

// Position implements Source.
func (t *tape) Position() int64 { return t.at }

// Fingerprint implements Source.
func (t *tape) Fingerprint() []byte { return nil }
