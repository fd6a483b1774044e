package state

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"
)

// Outbox is the queue of committed alerts between the engine and the sinks, kept in two
// tables of a store:
//
//	TableOutbox     row number, 8 bytes big-endian → alert as JSON
//	TableDelivered  sink name → number of the last row it has delivered
//	TableMeta       "outbox.last" → number of the last row ever appended
//
// Rows are numbered from 1 and never twice. The engine appends the alerts of an epoch to
// its batch, and lets the acknowledgements of the sinks ride on the same batch; a row
// that all sinks have delivered is removed by it. So a crash between delivery and the
// next epoch repeats rows, and a clean stop, whose last epoch holds the last
// acknowledgements, repeats none.
//
// Append and Acknowledge belong to the goroutine that makes the batches; Rows, Delivered
// and Appended are safe from any. After a failed commit the Outbox is of no more use.
type Outbox struct {
	store     outboxStore
	last      uint64            // last row appended
	removed   uint64            // rows up to here are gone
	delivered map[string]uint64 // as last put into a batch
	appended  atomic.Uint64     // bytes of alerts since it was opened
}

// outboxStore is what Outbox needs of a store.
type outboxStore interface {
	Get(t Table, key, into []byte) ([]byte, bool, error)
	Scan(ctx context.Context, t Table, prefix, from []byte, visit func(key, value []byte) error) error
}

const outboxLast = "outbox.last"

// OpenOutbox reads where the outbox of a store stands. The store is not closed by it. An
// outbox whose tables contradict each other is an error: to go on with it would pass
// over alerts, or number them as others that are taken for delivered.
func OpenOutbox(ctx context.Context, store outboxStore) (*Outbox, error) {
	o := &Outbox{store: store, delivered: map[string]uint64{}}
	if err := o.open(ctx); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return o, nil
}

func (o *Outbox) open(ctx context.Context) error {
	last, err := o.number(TableMeta, outboxLast)
	if err != nil {
		return err
	}
	first, err := o.firstRow(ctx, 0)
	if err != nil {
		return err
	}
	o.last, o.removed = last, last
	if first != 0 {
		o.removed = first - 1
	}
	return o.check(ctx)
}

// check refuses rows and acknowledgements beyond the last row, and a gap before it: rows
// go from the front, so that where there is one the last is there.
func (o *Outbox) check(ctx context.Context) error {
	beyond, err := o.firstRow(ctx, o.last+1)
	if err != nil {
		return err
	}
	if beyond != 0 {
		return outboxDamaged("it has row %d, and the last appended is %d", beyond, o.last)
	}
	if o.removed < o.last {
		end, err := o.firstRow(ctx, o.last)
		if err != nil {
			return err
		}
		if end == 0 {
			return outboxDamaged("it has row %d, but not the last, %d", o.removed+1, o.last)
		}
	}
	return o.store.Scan(ctx, TableDelivered, nil, nil, func(sink, value []byte) error {
		n, err := decodeNumber(TableDelivered, value)
		if err == nil && n > o.last {
			err = outboxDamaged("sink %s has delivered row %d, and the last appended is %d", sink, n, o.last)
		}
		o.delivered[string(sink)] = n
		return err
	})
}

// firstRow returns the first row not below from, 0 where there is none.
func (o *Outbox) firstRow(ctx context.Context, from uint64) (row uint64, err error) {
	key := number(from)
	err = o.store.Scan(ctx, TableOutbox, nil, key[:], func(key, _ []byte) error {
		if row, err = decodeNumber(TableOutbox, key); err != nil {
			return err
		}
		return ErrStop
	})
	return row, err
}

func outboxDamaged(format string, args ...any) error {
	return fmt.Errorf("the state is damaged: "+format+"; restore it from a backup, or start on a fresh directory", args...)
}

// Append adds an alert to b as the next row and returns its number.
func (o *Outbox) Append(b *Batch, alert []byte) uint64 {
	o.last++
	o.appended.Add(uint64(len(alert)))
	row := number(o.last)
	b.Add(TableOutbox, row[:], alert)
	b.Put(TableMeta, []byte(outboxLast), row[:])
	return o.last
}

// Appended returns how many bytes of alerts were appended since the outbox was opened. It
// is safe from any goroutine.
func (o *Outbox) Appended() uint64 { return o.appended.Load() }

// Last returns the number of the last row appended, 0 before the first.
func (o *Outbox) Last() uint64 { return o.last }

// Acknowledge adds to b how far each sink has delivered, and removes the rows that all
// of them have. delivered must name every sink that is to get the rows; with none, all
// rows stay. A number never goes back.
func (o *Outbox) Acknowledge(b *Batch, delivered map[string]uint64) {
	if len(delivered) == 0 {
		return
	}
	least := uint64(math.MaxUint64)
	for sink, n := range delivered {
		least = min(least, n)
		if n > o.delivered[sink] {
			o.delivered[sink] = n
			row := number(n)
			b.Put(TableDelivered, []byte(sink), row[:])
		}
	}
	for ; o.removed < min(least, o.last); o.removed++ {
		row := number(o.removed + 1)
		b.AddDelete(TableOutbox, row[:])
	}
}

// Compare says whether a sink has delivered more than was acknowledged, and whether rows wait
// for one.
func (o *Outbox) Compare(delivered map[string]uint64) (more, waits bool) {
	for sink, n := range delivered {
		more = more || n > o.delivered[sink]
		waits = waits || n < o.last
	}
	return more, waits
}

// Rows calls visit for the committed rows above after, in order. The alert is valid
// until visit returns. An error of visit ends it and is returned, except ErrStop.
func (o *Outbox) Rows(ctx context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	from := number(after + 1)
	return o.store.Scan(ctx, TableOutbox, nil, from[:], func(key, value []byte) error {
		row, err := decodeNumber(TableOutbox, key)
		if err != nil {
			return err
		}
		return visit(row, value)
	})
}

// Delivered returns the last row that a sink had delivered when the last epoch was
// committed, 0 for a sink never heard of: it gets all rows that are still there.
func (o *Outbox) Delivered(sink string) (uint64, error) { return o.number(TableDelivered, sink) }

func (o *Outbox) number(t Table, key string) (uint64, error) {
	value, ok, err := o.store.Get(t, []byte(key), nil)
	if err != nil || !ok {
		return 0, err
	}
	return decodeNumber(t, value)
}

func number(n uint64) (b [8]byte) {
	binary.BigEndian.PutUint64(b[:], n)
	return b
}

func decodeNumber(t Table, b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("table %s: row number of %d bytes, want 8", t, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
