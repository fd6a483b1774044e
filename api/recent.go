package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Rows are the committed alerts that wait to be delivered: a state.Outbox.
type Rows interface {
	Rows(ctx context.Context, after uint64, visit func(row uint64, alert []byte) error) error
}

// RecentOptions bound what is kept. The zero value is good.
type RecentOptions struct {
	Alerts int // default 10,000
	Bytes  int // of their texts; default 64 MiB
	// Last is the last row of the outbox at the start: alerts are kept from there on.
	Last uint64
}

// Recent keeps the last committed alerts in memory.
type Recent struct {
	from Rows
	o    RecentOptions

	mu    sync.Mutex
	kept  []recent // in order of rows
	bytes int
	last  uint64        // row
	lost  uint64        // the greatest row that is kept no more, or never was
	more  chan struct{} // closed when there is more
}

// recent is an alert that is kept; nothing of it changes.
type recent struct {
	row  uint64
	text []byte
	rule string
	key  map[string]any
	time time.Time
}

// NewRecent keeps alerts that it reads from rows.
func NewRecent(from Rows, o RecentOptions) *Recent {
	o.Alerts, o.Bytes = or(o.Alerts, 10_000), or(o.Bytes, 64<<20)
	return &Recent{from: from, o: o, last: o.Last, lost: o.Last, more: make(chan struct{})}
}

// Committed is for engine.Options.Committed, before a dispatcher is told: it reads the rows
// up to last that are new, at most as many as are kept.
func (r *Recent) Committed(ctx context.Context, last uint64) error {
	r.mu.Lock()
	after := r.last
	r.mu.Unlock()
	if last <= after {
		return nil
	}
	after = max(after, last-min(last, uint64(r.o.Alerts)))
	var fresh []recent
	err := r.from.Rows(ctx, after, func(row uint64, alert []byte) error {
		if row <= last {
			fresh = append(fresh, newRecent(row, alert))
		}
		return nil
	})
	r.add(fresh, last)
	return err
}

func newRecent(row uint64, alert []byte) recent {
	n := recent{row: row, text: append([]byte(nil), alert...)}
	var head struct {
		Rule string         `json:"rule"`
		Key  map[string]any `json:"key"`
		Time time.Time      `json:"time"`
	}
	if json.Unmarshal(n.text, &head) == nil {
		n.rule, n.key, n.time = head.Rule, head.Key, head.Time
	}
	return n
}

func (r *Recent) add(fresh []recent, last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := last + 1
	if len(fresh) > 0 {
		first = fresh[0].row
	}
	if first > r.last+1 { // those between are gone, so what is older is of no use to a stream
		r.kept, r.bytes, r.lost = nil, 0, first-1
	}
	r.last = last
	for _, a := range fresh {
		r.kept = append(r.kept, a)
		r.bytes += len(a.text)
	}
	r.forget()
	close(r.more)
	r.more = make(chan struct{})
}

func (r *Recent) forget() {
	n := 0
	for ; n < len(r.kept) && (len(r.kept)-n > r.o.Alerts || r.bytes > r.o.Bytes); n++ {
		r.bytes -= len(r.kept[n].text)
		r.lost = r.kept[n].row
		r.kept[n] = recent{}
	}
	r.kept = r.kept[n:]
}

// after returns the alerts that are kept beyond a row, at most so many; lost is the last row
// that is not to be had, and more is closed when there is another.
func (r *Recent) after(row uint64, most int) (alerts []recent, lost uint64, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(alerts, r.tail(row, most)...), r.lost, r.more
}

func (r *Recent) tail(row uint64, most int) []recent {
	at, _ := slices.BinarySearchFunc(r.kept, row+1, func(a recent, row uint64) int { return cmp.Compare(a.row, row) })
	return r.kept[at:min(len(r.kept), at+most)]
}

// before returns alerts below a row, the newest first, that are wanted, at most so many; at
// is the row to go on below.
func (r *Recent) before(row uint64, most int, wanted func(*recent) bool) (alerts []recent, at uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.kept) - 1; i >= 0 && len(alerts) < most; i-- {
		if a := &r.kept[i]; a.row < row {
			at = a.row
			if wanted(a) {
				alerts = append(alerts, *a)
			}
		}
	}
	if len(alerts) < most {
		at = 0
	}
	return alerts, at
}
