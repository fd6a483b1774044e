package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// markerKey holds the number of the last whole group, and of the last epoch in it.
var markerKey = []byte{byte(tableMarker), 'e'}

const markerBytes = 16

// beginKey holds the same of the last group that was begun.
var beginKey = []byte{byte(tableMarker), 'b'}

// begin says in the first transaction which epochs the group holds, so that the next start
// knows whether the journal covers what is left of it.
func (w *writer) begin(epoch uint64) error {
	return w.add(beginKey, w.marker(beginKey, epoch))
}

// marker is what is stored under key, as the marker or the like.
func (w *writer) marker(key []byte, epoch uint64) []byte {
	value := binary.BigEndian.AppendUint64(nil, w.group)
	return appendFrame(nil, key, binary.BigEndian.AppendUint64(value, epoch))
}

// writer writes the records of one group in as many transactions as it takes, each
// durable before the next begins. So the marker, which is added last, is in the only
// transaction, or in the last, whose other records it may vouch for: a transaction is
// all there or not at all after a crash. (Badger's own splitting sends transactions
// ahead; there a marker could follow a batch that had failed.)
type writer struct {
	store *Badger
	group uint64 // its timestamp
	txn   []*badger.Entry
	size  int64
	arena []byte // copies of what is in txn
	last  time.Time

	gently  bool // rest after each transaction as long as it took
	mayStop bool // end where the store is left
}

// What one transaction holds: Badger's bounds less the marker, and Badger's own cost
// for a record in bytes.
const (
	reservedSize  = 256
	reservedCount = 4
	recordCost    = 12
)

func (s *Badger) newWriter(group uint64) *writer {
	return &writer{store: s, group: group, last: s.opt.Now()}
}

// add writes stored (frame and value) under key (table and key), or deletes it where
// stored is nil. Both are referred to until the writer is complete.
func (w *writer) add(key, stored []byte) error {
	if err := w.makeRoom(key, stored); err != nil {
		return err
	}
	w.txn = append(w.txn, &badger.Entry{Key: key, Value: stored})
	return nil
}

// addCopy is add of what is valid until it returns.
func (w *writer) addCopy(key, stored []byte) error {
	if err := w.makeRoom(key, stored); err != nil {
		return err
	}
	n := len(key) + len(stored)
	if cap(w.arena)-len(w.arena) < n {
		w.arena = make([]byte, 0, max(n, copyBytes)) // the old one is referred to
	}
	at, mid := len(w.arena), len(w.arena)+len(key)
	w.arena = append(append(w.arena, key...), stored...)
	if stored != nil {
		stored = w.arena[mid:len(w.arena):len(w.arena)]
	}
	w.txn = append(w.txn, &badger.Entry{Key: w.arena[at:mid:mid], Value: stored})
	return nil
}

// copyBytes is the size of a piece of memory for copies.
const copyBytes = 256 << 10

// makeRoom counts a record to the transaction, or to the next one where it is full.
func (w *writer) makeRoom(key, stored []byte) error {
	size := int64(len(key)+len(stored)) + recordCost
	if int64(len(stored)) >= w.store.db.Opts().ValueThreshold {
		size = int64(len(key)) + 2*recordCost // a pointer into the value log
	}
	full := w.size+size >= w.store.db.MaxBatchSize()-reservedSize ||
		int64(len(w.txn)) >= w.store.db.MaxBatchCount()-reservedCount
	if full && len(w.txn) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.size += size
	return nil
}

// complete writes the marker with what is left. epoch is the last in the group.
func (w *writer) complete(epoch uint64) error {
	w.txn = append(w.txn, &badger.Entry{Key: markerKey, Value: w.marker(markerKey, epoch)})
	w.gently, w.mayStop = false, false
	return w.flush()
}

// flush writes one transaction and waits until it is durable.
func (w *writer) flush() error {
	s := w.store
	s.writes++
	if s.opt.beforeWrite != nil {
		if err := s.opt.beforeWrite(s.writes); err != nil {
			return err
		}
	}
	batch := s.db.NewWriteBatchAt(w.group)
	defer batch.Cancel()
	for _, e := range w.txn {
		if err := setOrDelete(batch, e); err != nil {
			return fmt.Errorf("write %d records: %w", len(w.txn), err)
		}
	}
	if err := s.opt.around(BeforeBatch, AfterBatch, batch.Flush); err != nil {
		return fmt.Errorf("write %d records: %w", len(w.txn), err)
	}
	w.txn, w.size, w.arena = w.txn[:0], 0, w.arena[:0]
	return w.rest()
}

// longestRest is how long others are let on at once.
const longestRest = 100 * time.Millisecond

// rest lets others get on, unless there is more to do than there should be.
func (w *writer) rest() error {
	if w.mayStop && w.store.isLeft() {
		return errStopped
	}
	if !w.gently {
		return nil
	}
	pause := time.Duration(0)
	if !w.store.isAbove(1) {
		pause = min(longestRest, w.store.opt.Now().Sub(w.last))
	}
	select {
	case <-w.store.stop:
		return errStopped
	case <-time.After(pause):
	}
	w.last = w.store.opt.Now()
	return nil
}

func setOrDelete(batch *badger.WriteBatch, e *badger.Entry) error {
	if e.Value == nil {
		return batch.Delete(e.Key)
	}
	return batch.SetEntry(e)
}

// repair undoes in the tree what a torn group has left and the journal does not cover, as
// it can be after a power cut without synced writes: every key with a version above the
// last whole group, and no write pending, gets its value as of that group, or a delete, in
// a group of its own, which holds no epoch above taken. A repair that is itself torn is
// repaired by the next. What the journal covers is hidden by it, and overwritten by a later
// group.
func (s *Badger) repair(taken uint64) error {
	good := s.db.NewTransactionAt(s.group, false)
	defer good.Discard()
	all := s.db.NewTransactionAt(s.seen, false)
	defer all.Discard()
	it := all.NewIterator(badger.IteratorOptions{AllVersions: true, SinceTs: s.group})
	defer it.Close()

	w, undone := s.newWriter(s.seen+1), 0
	var last []byte
	for it.Rewind(); it.Valid(); it.Next() {
		key := it.Item().Key()
		if last != nil && string(key) == string(last) {
			continue // the versions of a key follow each other
		}
		last = append([]byte(nil), key...)
		if _, _, covered := s.latest(last); covered || last[0] == byte(tableMarker) {
			continue
		}
		stored, err := storedAt(good, last)
		if err == nil {
			err = w.add(last, stored)
		}
		if err != nil {
			return fmt.Errorf("undo what follows group %d: %w", s.group, err)
		}
		undone++
	}
	if undone == 0 {
		return nil
	}
	if err := w.complete(taken); err != nil {
		return fmt.Errorf("undo what follows group %d: %w", s.group, err)
	}
	s.recovery.Undone = undone
	s.seen, s.group = w.group, w.group
	return nil
}

// storedAt returns a copy of frame and value of key, nil where there is none.
func storedAt(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was before: %w", err)
	}
	return item.ValueCopy(nil)
}
