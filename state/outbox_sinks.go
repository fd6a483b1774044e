package state

import (
	"context"
	"encoding/binary"
)

// Sinks returns the last row that each sink known to the store has delivered.
func (o *Outbox) Sinks(ctx context.Context) (map[string]uint64, error) {
	known := map[string]uint64{}
	err := o.store.Scan(ctx, TableDelivered, nil, nil, func(sink, value []byte) (err error) {
		known[string(sink)], err = decodeNumber(TableDelivered, value)
		return err
	})
	return known, err
}

// Enrol adds to b that there is a sink which has delivered nothing yet. From then on it is
// seen when a run leaves it away while rows wait for it.
func (o *Outbox) Enrol(b *Batch, sink string) {
	b.Put(TableDelivered, []byte(sink), binary.BigEndian.AppendUint64(nil, 0))
}

// Forget adds to b that there is no such sink any more: rows no longer wait for it.
func (o *Outbox) Forget(b *Batch, sink string) {
	b.Delete(TableDelivered, []byte(sink))
	delete(o.delivered, sink)
}
