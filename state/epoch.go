package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// markerKey holds the number of the last complete epoch.
var markerKey = []byte{byte(tableMarker), 'e'}

// write writes b and the marker with the timestamp epoch.
func (s *Badger) write(epoch uint64, b *Batch) error {
	w := s.newWriter(epoch)
	for i := range b.ops {
		o := &b.ops[i]
		if err := w.add(b.fullKey(o), b.stored(o)); err != nil {
			return err
		}
	}
	return w.complete()
}

// writer writes the records of one epoch in as many transactions as it takes, each
// durable before the next begins. So the marker, which is added last, is in the only
// transaction, or in the last, whose other records it may vouch for: a transaction is
// all there or not at all after a crash. (Badger's own splitting sends transactions
// ahead; there a marker could follow a batch that had failed.)
type writer struct {
	store *Badger
	epoch uint64
	txn   []*badger.Entry
	size  int64
}

// What one transaction holds: Badger's bounds less the marker, and Badger's own cost
// for a record in bytes.
const (
	reservedSize  = 256
	reservedCount = 4
	recordCost    = 12
)

func (s *Badger) newWriter(epoch uint64) *writer { return &writer{store: s, epoch: epoch} }

// add writes stored (frame and value) under key (table and key), or deletes it where
// stored is nil. Both are referred to until the writer is complete.
func (w *writer) add(key, stored []byte) error {
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
	w.txn = append(w.txn, &badger.Entry{Key: key, Value: stored})
	w.size += size
	return nil
}

// complete writes the marker with what is left.
func (w *writer) complete() error {
	value := binary.BigEndian.AppendUint64(nil, w.epoch)
	w.txn = append(w.txn, &badger.Entry{Key: markerKey, Value: appendFrame(nil, markerKey, value)})
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
	batch := s.db.NewWriteBatchAt(w.epoch)
	defer batch.Cancel()
	for _, e := range w.txn {
		if err := setOrDelete(batch, e); err != nil {
			return fmt.Errorf("write %d records: %w", len(w.txn), err)
		}
	}
	if err := s.opt.around(BeforeBatch, AfterBatch, batch.Flush); err != nil {
		return fmt.Errorf("write %d records: %w", len(w.txn), err)
	}
	w.txn, w.size = w.txn[:0], 0
	return nil
}

func setOrDelete(batch *badger.WriteBatch, e *badger.Entry) error {
	if e.Value == nil {
		return batch.Delete(e.Key)
	}
	return batch.SetEntry(e)
}

// repair makes the store read as of the epoch marker again, in the new epoch, which it
// returns: every key with a version above marker gets its value as of marker, or a
// delete. A repair that is itself torn is repaired by the next.
func (s *Badger) repair(marker, epoch uint64) (uint64, error) {
	good := s.db.NewTransactionAt(marker, false)
	defer good.Discard()
	all := s.db.NewTransactionAt(epoch-1, false)
	defer all.Discard()
	it := all.NewIterator(badger.IteratorOptions{AllVersions: true, SinceTs: marker})
	defer it.Close()

	w, undone := s.newWriter(epoch), 0
	var last []byte
	for it.Rewind(); it.Valid(); it.Next() {
		key := it.Item().Key()
		if last != nil && string(key) == string(last) {
			continue // the versions of a key follow each other
		}
		last = append([]byte(nil), key...)
		stored, err := storedAt(good, last)
		if err != nil {
			return 0, err
		}
		if err := w.add(last, stored); err != nil {
			return 0, fmt.Errorf("undo epoch after %d: %w", marker, err)
		}
		undone++
	}
	if err := w.complete(); err != nil {
		return 0, fmt.Errorf("undo epoch after %d: %w", marker, err)
	}
	s.recovery.Undone = undone
	return epoch, nil
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
