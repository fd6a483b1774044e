package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/cepheus-cep/cepheus/state/journal"
)

// OpenBadger opens the state directory dir, or makes it, reads the journal, and undoes
// what was written to the tree and is not in the journal any more. All tables are read and
// verified. The errors that a caller may want to tell apart: *LockedError, *NotStateError,
// *FormatError, *DamagedError, *CorruptError, *KeyError.
func OpenBadger(dir string, o Options) (*Badger, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Badger{dir: dir, opt: o, hasher: journal.NewHasher(), live: &pending{}, wake: make(chan struct{}, 1), stop: make(chan struct{}), taking: make(chan struct{}, 1)}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.background.Go(s.takeOverWhenDue)
	return s, nil
}

// open takes the lock, looks at what is there, opens it and repairs it. FORMAT, which
// makes a directory a state directory, comes last.
func (s *Badger) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil { // people's data is in it
		return fmt.Errorf("make state directory %s: %w", s.dir, err)
	}
	var err error
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	fresh, err := prepareDir(s.dir, s.opt.Key)
	if err != nil {
		return err
	}
	if s.ring, err = openRing(s.dir, s.opt.Key); err != nil {
		return err
	}
	if err := s.roomToOpen(); err != nil {
		return err
	}
	known, err := s.openTree(fresh)
	if err != nil {
		return err
	}
	if err := s.recover(known); err != nil {
		return fmt.Errorf("recover state directory %s: %w", s.dir, err)
	}
	if err := s.putMark(); err != nil {
		return fmt.Errorf("open state directory %s: %w", s.dir, err)
	}
	if err := s.putBallast(); err != nil {
		return err
	}
	if fresh {
		return s.opt.around(BeforeRename, AfterRename, func() error { return finishDir(s.dir) })
	}
	return nil
}

// treeOptions are Badger's.
func (s *Badger) treeOptions() badger.Options {
	return s.opt.badger(filepath.Join(s.dir, treeDir), s.ring)
}

// openTree opens the tree, unless there is damage in it, and returns the mark. A fresh
// directory has nothing that could be damaged.
func (s *Badger) openTree(fresh bool) (known mark, err error) {
	options := s.treeOptions()
	if !fresh {
		if known, err = readMark(s.dir); err != nil {
			return known, err
		}
		if s.recovery.LeftOpen, err = verify(s.dir, known, options); err != nil {
			return known, err
		}
	}
	if s.mark, err = newMarker(s.dir, &s.opt); err != nil { // before Badger, whose words for a disk that cannot be written say less
		return known, fmt.Errorf("open state directory %s: %w", s.dir, err)
	}
	if err := mendLeftovers(s.dir); err != nil {
		return known, err
	}
	db, err := badger.OpenManaged(options)
	if err != nil {
		return known, openError(s.dir, err) // there may be a db besides, of no use
	}
	s.db = db
	return known, nil
}

func (s *Badger) putMark() error {
	s.mu.RLock()
	epoch, group := s.epoch, s.group
	s.mu.RUnlock()
	return s.mark.put(epoch, group)
}

// release closes what is open: the tree, the journal, the mark, and last the lock.
func (s *Badger) release() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.roomToClose(), s.db.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	if s.mark != nil {
		if s.db != nil {
			s.mark.closing = s.broken == nil && errors.Join(errs...) == nil
			errs = append(errs, s.putMark()) // for Badger wrote its last table
		}
		errs = append(errs, s.mark.file.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// recover finds the last group that is whole in the tree, reads the epochs of the journal
// above it, and repairs forward where a torn group is in the tree that these do not cover.
func (s *Badger) recover(known mark) error {
	group, taken, err := s.readMarker(markerKey)
	if err != nil {
		return err
	}
	s.group = group
	if err := verifyReached(s.dir, known, s.group); err != nil {
		return err
	}
	if err := s.openJournal(taken, known.closed); err != nil {
		return err
	}
	s.epoch = s.journal.Last()
	if err := errors.Join(s.verifyEpoch(known), s.settle(known)); err != nil {
		return err
	}
	s.seen = max(s.group, s.db.MaxVersion())
	if covered, err := s.isCovered(); err != nil || !covered {
		if err = errors.Join(err, s.repair(taken)); err != nil {
			return err
		}
	}
	s.recovery.Epoch = s.epoch
	s.db.SetDiscardTs(s.group)
	s.lastInTree = s.lastRow()
	s.live.fresh = s.lastInTree
	return nil
}

// lastRow returns the last key of the outbox that the tree has anything of.
func (s *Badger) lastRow() []byte {
	prefix := []byte{byte(TableOutbox)}
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, AllVersions: true})
	defer it.Close()
	it.Seek([]byte{byte(TableOutbox) + 1})
	if it.ValidForPrefix(prefix) {
		return it.Item().KeyCopy(nil)
	}
	return prefix
}

// isCovered says whether nothing is left of a torn group, or only what is in the journal.
func (s *Badger) isCovered() (bool, error) {
	if s.seen == s.group {
		return true, nil
	}
	begun, epoch, err := s.readMarker(beginKey)
	return begun == s.seen && epoch <= s.epoch, err
}

// openJournal reads the epochs above taken, which makes them pending; closed says that they
// were left there by a Close.
func (s *Badger) openJournal(taken uint64, closed bool) error {
	o := journal.Options{NoSync: s.opt.NoSync, Hasher: &s.hasher}
	if s.ring != nil {
		o.AEAD = s.ring.Journal()
	}
	if s.opt.Step != nil {
		o.Step = func(name string) error { return s.opt.step(Step(name)) }
	}
	var small Batch
	j, found, err := journal.Open(filepath.Join(s.dir, journalDir), o, taken, func(o journal.Op, h journal.Hash, p journal.Place) error {
		if len(o.Key) == 0 {
			return errors.New("the journal has a record without a table")
		}
		s.live.count(o)
		if indexed(Table(o.Key[0])) {
			s.live.enter(o.Key, h, p)
			return nil
		}
		small.putStored(o.Key, o.Stored)
		if int64(small.Bytes()) > s.opt.rowsBound()/4 {
			s.live.keep(s.live.withSmall(&small))
			small.Reset()
		}
		return nil
	})
	if err != nil {
		return s.ofJournal(err)
	}
	s.live.keep(s.live.withSmall(&small))
	s.journal, s.opened = j, s.live
	s.recovery.LeftOpen = s.recovery.LeftOpen || found.Records > 0 && !closed
	if found.Cut > 0 {
		s.opt.Log.Warn("cut off an epoch that was not complete", "dir", s.dir, "file", found.File, "bytes", found.Cut, "epoch", j.Last())
	}
	return nil
}

// holdsOpened says whether no checkpoint has begun since the opening. What was found then may
// be more than is let be pending, for it had been in two layers: the first commits do not
// wait for it, but ask for a checkpoint beside them.
func (s *Badger) holdsOpened() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live == s.opened
}

// readMarker returns the group that is noted under key, 0 where there is none, and the last
// epoch that is in it.
func (s *Badger) readMarker(key []byte) (group, epoch uint64, err error) {
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read marker: %w", err)
	}
	err = item.Value(func(stored []byte) error {
		value, err := unframe(s.dir, key, stored)
		if err == nil && len(value) != markerBytes {
			return corrupt(s.dir, key, "it is not a marker of this release")
		}
		if err == nil {
			group, epoch = binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
		}
		return err
	})
	if err == nil && group != item.Version() {
		err = corrupt(s.dir, key, fmt.Sprintf("marker of group %d was written in group %d", group, item.Version()))
	}
	return group, epoch, err
}
