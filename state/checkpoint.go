package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/cepheus-cep/cepheus/state/journal"
)

// Stats says how the journal and the tree stand.
type Stats struct {
	JournalBytes int64 // on disk
	PendingKeys  int   // in the journal and not yet in the tree
	PendingBytes int64 // of writes in the journal, also of those that others have replaced

	Checkpoints    int
	LastCheckpoint time.Duration // how long it took, pauses included
	InCheckpoints  time.Duration // all of them
}

// Stats returns how the journal and the tree stand.
func (s *Badger) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stats := s.stats
	stats.JournalBytes = s.journal.Bytes()
	for _, p := range []*pending{s.live, s.frozen} {
		if p != nil {
			stats.PendingKeys += p.index.Len()
			stats.PendingBytes += p.bytes
		}
	}
	return stats
}

// Checkpoint takes over all that is pending into the tree, and leaves the journal empty
// but for what is committed meanwhile.
func (s *Badger) Checkpoint(ctx context.Context) error {
	return s.settled(ctx, func() error { return nil })
}

// settled takes over all that is pending, and calls do while the tree is as of an epoch.
// do must not commit.
func (s *Badger) settled(ctx context.Context, do func() error) error {
	defer s.hold()()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.takeOver(everything); err != nil {
		return err
	}
	return do()
}

// howMuch says what a checkpoint takes over.
type howMuch int

const (
	// everything: afterwards the tree is as of an epoch.
	everything howMuch = iota
	// whatIsCold leaves out keys that were written again since the checkpoint began: the
	// journal keeps them until they are in the next group, or the one after. So a key that
	// is written in every epoch costs the tree nothing.
	whatIsCold
	// gently is whatIsCold with pauses, so that others get on.
	gently
)

// wakeUp asks for a checkpoint in the background.
func (s *Badger) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeOverWhenDue is the goroutine of checkpoints.
func (s *Badger) takeOverWhenDue() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			if err := s.takeOverIf(1, gently); err != nil {
				s.opt.Log.Warn("a checkpoint did not end: the next commit says why", "dir", s.dir, "error", err)
			}
		}
	}
}

// takeOverIf makes a checkpoint where more is pending than n times the bounds, unless the store is
// being left. An error is also that of the next commit, except that of a full disk: there commits
// go on while they can.
func (s *Badger) takeOverIf(n int64, how howMuch) error {
	select {
	case <-s.stop:
		return nil
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	}
	if s.usable() != nil || !s.isAbove(n) {
		return nil
	}
	err := s.takeOver(how)
	if errors.Is(err, errStopped) {
		return nil
	}
	if space := (*SpaceError)(nil); errors.As(err, &space) {
		s.opt.Log.Warn("put off a checkpoint: the disk is nearly full", "dir", s.dir, "free", space.Free, "need", space.Need)
	}
	return err
}

func (s *Badger) isAbove(n int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.above(&s.opt, n)
}

// makeRoom has a commit wait while twice as much is pending as there should be, unless the
// store is being left: the next start then has an epoch or two more to read.
func (s *Badger) makeRoom(ctx context.Context) error {
	if !s.isAbove(2) || s.holdsOpened() && !s.isAbove(4) || ctx.Err() != nil || s.isLeft() {
		return nil // what the context says comes later
	}
	taken := make(chan error, 1)
	s.background.Go(func() { taken <- s.takeOverIf(2, whatIsCold) })
	select {
	case <-s.stop:
		return nil
	case err := <-taken:
		return err
	}
}

// errStopped ends a checkpoint because the store is being left: what it has written is a torn
// group that the journal covers.
var errStopped = errors.New("state: the store is being left")

// littleBytes and littleKeys are what Close takes over; more would keep it longer than the
// next start takes to read it from the journal, which is a tenth of the work.
const (
	littleBytes = 16 << 20
	littleKeys  = boundKeys / 16
)

func (s *Badger) takeOverLittle() error {
	if s.usable() != nil {
		return nil
	}
	s.mu.RLock()
	little := s.frozen == nil && s.live.latestBytes() <= littleBytes && s.live.index.Len() <= littleKeys
	s.mu.RUnlock()
	if !little {
		return nil
	}
	err := s.takeOver(everything)
	if space := (*SpaceError)(nil); errors.As(err, &space) {
		return nil // it stays in the journal
	}
	return err
}

// takeOver makes a group of what is pending, and removes the segments that held it. The
// caller holds taking.
func (s *Badger) takeOver(how howMuch) error {
	began := s.opt.Now()
	group, err := s.freeze()
	if err != nil || group == nil {
		return err
	}
	if err := s.writeGroup(group, how); err == errStopped { //nolint:errorlint // a signal of our own
		return err // the journal has it all
	} else if err != nil {
		return s.fail(fmt.Errorf("take epochs up to %d over into the tree of state directory %s: %w", group.epoch, s.dir, s.ofJournal(err)))
	}
	s.thaw()
	if err := s.putMark(); err != nil {
		return s.fail(err)
	}
	if err := s.journal.Remove(group.end); err != nil {
		return s.fail(fmt.Errorf("remove what was taken over from the journal of state directory %s: %w", s.dir, err))
	}
	s.collect()
	s.mu.Lock()
	s.stats.Checkpoints++
	s.stats.LastCheckpoint = s.opt.Now().Sub(began)
	s.stats.InCheckpoints += s.stats.LastCheckpoint
	s.mu.Unlock()
	return nil
}

// group is what a checkpoint takes over.
type group struct {
	*pending
	epoch uint64 // the last in it
	end   uint64 // position in the journal behind it
}

// freeze has later commits go to a new layer. It returns nil where nothing is pending.
func (s *Badger) freeze() (*group, error) {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.frozen != nil: // the store is being closed
		return nil, ErrClosed
	case s.journal.Bytes() == 0:
		return nil, nil
	}
	need := s.opt.spare() + uint64(s.live.latestBytes())
	if err := s.checkSpace(need); err != nil {
		return nil, err
	}
	g := &group{s.live, s.epoch, s.journal.Seal()}
	s.frozen, s.live = s.live, s.live.next()
	return g, nil
}

// thaw lets readers see the group in the tree.
func (s *Badger) thaw() {
	s.mu.Lock()
	s.frozen, s.group = nil, s.seen
	s.mu.Unlock()
	s.db.SetDiscardTs(s.seen)
}

// writeGroup writes a group to the tree.
func (s *Badger) writeGroup(g *group, how howMuch) error {
	if how == gently {
		if err := s.letPass(g); err != nil {
			return err
		}
	}
	w := s.newWriter(s.seen + 1)
	w.gently, w.mayStop = how == gently, how != everything
	s.seen = w.group
	if err := w.begin(g.epoch); err != nil {
		return err
	}
	tree := s.db.NewTransactionAt(w.group, false)
	defer tree.Discard()
	write := func(add func(key, stored []byte) error, key, stored []byte) error {
		if stored == nil {
			if has, err := s.treeHas(tree, key); err != nil || !has {
				return err
			}
		}
		s.noteRow(key)
		return add(key, stored)
	}
	walk := s.journal.Walk() // a write to the tree may wait for who waits for a read of the journal
	for _, p := range s.wanted(g, how) {
		o, err := walk.View(p)
		if err == nil {
			err = write(w.addCopy, o.Key, o.Stored)
		}
		if err != nil {
			return err
		}
	}
	for t, rows := range g.small {
		if err := addRows(rows, s.rowsAgain(t, how), func(key, stored []byte) error { return write(w.add, key, stored) }); err != nil {
			return err
		}
	}
	return w.complete(g.epoch)
}

// noteRow notes that something is written to the tree under a full key.
func (s *Badger) noteRow(key []byte) {
	if key[0] == byte(TableOutbox) && bytes.Compare(key, s.lastInTree) > 0 {
		s.lastInTree = bytes.Clone(key)
	}
}

// A checkpoint lets so much time pass at most, and looks so often what has happened.
const (
	longestPass = 5 * time.Second
	lookAgain   = 20 * time.Millisecond
)

// letPass lets an epoch or two pass before a group is written, while there is room for
// them: what they write again, as keys and deadlines that are in every epoch, and what is
// gone by then, as alerts that are delivered, need not be written to the tree.
func (s *Badger) letPass(g *group) error {
	for range longestPass / lookAgain {
		if s.Epoch() > g.epoch && s.isDelivered(g) || s.isAbove(2) {
			return nil
		}
		select {
		case <-s.stop:
			return errStopped
		case <-time.After(lookAgain):
		}
	}
	return nil
}

// isDelivered says whether the outbox has lost the last row of a group, and so all of them.
func (s *Badger) isDelivered(g *group) bool {
	rows := g.small[TableOutbox]
	if len(rows) == 0 || rows[len(rows)-1].stored == nil {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, gone := s.live.get(rows[len(rows)-1].key)
	return gone
}

// treeHas says whether there is anything of a key in the tree, of a torn group too: where
// there is nothing, a removal need not be written.
func (s *Badger) treeHas(tree *badger.Txn, key []byte) (bool, error) {
	if key[0] == byte(TableOutbox) && bytes.Compare(key, s.lastInTree) > 0 {
		return false, nil
	}
	_, err := tree.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// wanted returns the places of what is to be written, in the order of the journal.
func (s *Badger) wanted(g *group, how howMuch) []journal.Place {
	const some = 4096 // at a time, so that no commit waits long
	places := make([]journal.Place, 0, g.index.Len())
	for at := 0; ; {
		s.mu.RLock()
		at = g.index.Some(at, some, func(h journal.Hash, p journal.Place) {
			if how != everything {
				if _, again := s.live.index.Get(h); again {
					return
				}
			}
			places = append(places, p)
		})
		s.mu.RUnlock()
		if at == 0 {
			break
		}
	}
	slices.Sort(places)
	return places
}

// rowsAgain returns what was written since the checkpoint began to a table that is held in
// memory and is to be left out.
func (s *Badger) rowsAgain(table int, how howMuch) []row {
	if how == everything {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.small[table]
}

// addRows adds rows, but for those of which again has the keys.
func addRows(rows, again []row, add func(key, stored []byte) error) error {
	for _, r := range rows {
		again = again[gallop(again, r.key):]
		if len(again) > 0 && bytes.Equal(again[0].key, r.key) {
			continue
		}
		if err := add(r.key, r.stored); err != nil {
			return err
		}
	}
	return nil
}

// worthwhile is the part of a file of Badger's value log that must be of no more use for it
// to be rewritten beside an engine.
const worthwhile = 0.5

// collect rewrites at most two files of large values that are mostly of no more use.
func (s *Badger) collect() {
	for range 2 {
		err := s.db.RunValueLogGC(worthwhile)
		if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
			return
		}
		if err != nil {
			s.opt.Log.Warn("collect values of the state store", "dir", s.dir, "err", err)
			return
		}
	}
}
