package state

import (
	"errors"
	"fmt"
)

// Table is the first byte of every key on disk. The numbers are part of the format:
// they are never changed and never used again.
type Table byte

// The tables. tableMarker is the store's own.
const (
	tableMarker    Table = 0
	TableMeta      Table = 1 // single values of the engine, by name
	TableKeys      Table = 2 // machine and window states
	TablePositions Table = 3 // where each partition goes on, its watermark
	TableOutbox    Table = 4 // alerts not yet delivered to all sinks: see Outbox
	TableDelivered Table = 5 // sink name → last row delivered: see Outbox
	TableTimers    Table = 6 // not used: timers follow from the states of keys
	TableDedup     Table = 7
	TableRules     Table = 8  // versions of the rule set; not used yet
	TableIdle      Table = 9  // recorded idle steps
	TableWaiting   Table = 10 // events that wait for their time
	TableSilences  Table = 11 // what suppress remembers
)

var tableNames = [...]string{"marker", "meta", "keys", "positions", "outbox", "delivered", "timers", "dedup", "rules", "idle", "waiting", "silences"}

// String returns the table's name for messages.
func (t Table) String() string {
	if int(t) < len(tableNames) {
		return tableNames[t]
	}
	return fmt.Sprintf("table %d", byte(t))
}

// Bounds of one record. A longer key or value is refused by Commit before anything is
// written. Values up to about 1 MiB live in Badger's tree; larger ones are possible
// for the sake of alerts with much evidence, and cost more.
const (
	MaxKey   = 32 << 10 // bytes, without the table
	MaxValue = 32 << 20 // bytes
)

// ErrStop ends a Scan early from within its visit function; Scan then returns nil.
var ErrStop = errors.New("state: stop scanning")

// ErrClosed is returned by every method of a store after Close.
var ErrClosed = errors.New("state: store is closed")

// ErrTooLarge is wrapped by Commit where a key or a value exceeds its bound.
var ErrTooLarge = errors.New("state: record too large")

// checkSizes refuses a batch with a record out of bounds.
func checkSizes(b *Batch) error {
	for i := range b.ops {
		o := &b.ops[i]
		if n := o.keyLen - 1; n > MaxKey {
			return fmt.Errorf("%w: key of %d bytes in table %s, the bound is %d", ErrTooLarge, n, b.table(o), MaxKey)
		}
		if n := len(b.value(o)); n > MaxValue {
			return fmt.Errorf("%w: value of %d bytes in table %s, the bound is %d", ErrTooLarge, n, b.table(o), MaxValue)
		}
	}
	return nil
}
