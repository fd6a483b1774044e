package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"github.com/cepheus-cep/cepheus/state/journal"
	"github.com/cepheus-cep/cepheus/state/seal"
)

// Badger is the store on disk: a journal of epochs, and Badger's tree, into which what
// the journal holds is taken over in groups of epochs. It is safe for several goroutines,
// one of which commits.
type Badger struct {
	dir     string
	opt     Options
	db      *badger.DB
	journal *journal.Journal
	hasher  journal.Hasher
	ring    *seal.Ring // nil: not encrypted
	lock    *os.File   // of the directory; nil where the system has none
	mark    *marker

	recovery Recovery // what opening found

	taking chan struct{} // full while a checkpoint is under way, or the store closed; filled before commit is taken
	writes int           // transactions since opening
	seen   uint64        // greatest timestamp in the tree

	lastInTree []byte // full key of the last row of the outbox that the tree has anything of

	commit  sync.Mutex // held by the one commit under way; taken before mu
	places  []journal.Place
	hashes  []journal.Hash
	ballast bool // it is there: see ballast.go

	wake, stop chan struct{} // the goroutine of checkpoints
	background sync.WaitGroup
	stopping   sync.Once

	mu      sync.RWMutex // all below; a read holds it until its snapshot is taken
	epoch   uint64       // the last that was committed
	group   uint64       // timestamp of the last group that is whole in the tree
	live    *pending     // what was committed since the last checkpoint began
	frozen  *pending     // what that is taking over; nil where none is under way
	opened  *pending     // what was live when the store was opened
	broken  error        // why no more commits are taken
	closed  bool
	stats   Stats
	readers sync.WaitGroup // scans under way
}

// Durable is true: what is committed survives the process.
func (s *Badger) Durable() bool { return true }

// Epoch returns the number of the last complete epoch, 0 before the first.
func (s *Badger) Epoch() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// Commit makes everything in b durable as epoch Epoch()+1, or nothing of it. An error
// that came before writing (an ended context, a record out of bounds, *SpaceError)
// leaves the store as it was; after any other the store takes no more commits and has
// to be opened again. A commit that began to write does not look at ctx any more.
func (s *Badger) Commit(ctx context.Context, b *Batch) error {
	if err := s.makeRoom(ctx); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.admit(ctx, b); err != nil {
		return err
	}
	epoch := s.journal.Last() + 1
	if err := s.append(b); err != nil {
		return s.refuse(fmt.Errorf("commit epoch %d of %d records to state directory %s: %w", epoch, b.Len(), s.dir, err), b)
	}
	s.publish(epoch, b)
	if err := s.putMark(); err != nil {
		return s.fail(fmt.Errorf("commit epoch %d to state directory %s: %w", epoch, s.dir, err))
	}
	return nil
}

// append writes b to the journal, and notes hashes and places of its records.
func (s *Badger) append(b *Batch) error {
	n := b.Len()
	s.places = slices.Grow(s.places[:0], n)[:n]
	s.hashes = slices.Grow(s.hashes[:0], n)[:n]
	return s.journal.Append(n, func(i int) journal.Op {
		o := &b.ops[i]
		key := b.fullKey(o)
		if indexed(b.table(o)) {
			s.hashes[i] = s.hasher.Of(key)
		}
		return journal.Op{Key: key, Stored: b.stored(o)}
	}, s.places)
}

// refuse says why an epoch was not written. Where the disk was full and nothing is left of
// the attempt, the store is as it was.
func (s *Badger) refuse(err error, b *Batch) error {
	if !errors.Is(err, syscall.ENOSPC) || s.journal.Rollback() != nil {
		return s.fail(err)
	}
	free, _ := s.opt.FreeSpace(s.dir)
	return &SpaceError{Dir: s.dir, Free: free, Need: s.need(b)}
}

// fail has the store take no more commits.
func (s *Badger) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
	}
	return err
}

// publish lets readers see b, and asks for a checkpoint where enough is pending.
func (s *Badger) publish(epoch uint64, b *Batch) {
	small := s.live.withSmall(b) // which takes its time; no one else changes live
	s.mu.Lock()
	s.live.add(b, s.places, s.hashes, small)
	s.epoch = epoch
	due := s.live.above(&s.opt, 1)
	s.mu.Unlock()
	if cap(s.places) > boundKeys {
		s.places, s.hashes = nil, nil
	}
	if due {
		s.wakeUp()
	}
}

// admit says whether an epoch may begin.
func (s *Badger) admit(ctx context.Context, b *Batch) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkSizes(b); err != nil {
		return err
	}
	return s.checkSpace(s.need(b))
}

func (s *Badger) usable() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if s.broken != nil {
		return fmt.Errorf("an earlier commit did not end, the store has to be opened again: %w", s.broken)
	}
	return nil
}

// need is what must be free for an epoch: what is spare and the epoch itself, and the
// ballast too where it could not be made.
func (s *Badger) need(b *Batch) uint64 {
	need := s.opt.spare() + uint64(b.Bytes())
	if !s.ballast {
		need += s.opt.spare()
	}
	return need
}

func (s *Badger) checkSpace(need uint64) error {
	free, err := s.free()
	if err != nil {
		return err
	}
	if free < need {
		return &SpaceError{Dir: s.dir, Free: free, Need: need}
	}
	return nil
}

// Get appends the value of key to into and returns it; false where there is none.
func (s *Badger) Get(t Table, key, into []byte) ([]byte, bool, error) {
	s.mu.RLock() // held throughout, so that no checkpoint lets go of what is read here
	defer s.mu.RUnlock()
	if s.closed {
		return into, false, ErrClosed
	}
	var buf [64]byte
	full := append(append(buf[:0], byte(t)), key...)
	n := len(into)
	into, ok, err := s.stored(full, into)
	if err == nil && ok {
		var value []byte
		if value, err = unframe(s.dir, full, into[n:]); err == nil {
			return append(into[:n], value...), true, nil
		}
	}
	if err != nil {
		err = fmt.Errorf("read a record of table %s: %w", t, s.ofJournal(err))
	}
	return into[:n], false, err
}

// stored appends frame and value of a full key to into: from what is pending, else from
// the tree.
func (s *Badger) stored(full, into []byte) ([]byte, bool, error) {
	stored, place, ok := s.latest(full)
	switch {
	case !ok:
		return s.fromTree(full, into)
	case place.Deleted() || place == 0 && stored == nil:
		return into, false, nil
	case place == 0:
		return append(into, stored...), true, nil
	}
	into, err := s.journal.Read(place, full, into)
	return into, true, err
}

// latest returns the last write of a full key that is pending: its place in the journal,
// or, where the table is kept in memory, what was stored, nil where it was deleted.
func (s *Badger) latest(full []byte) (stored []byte, p journal.Place, ok bool) {
	if !indexed(Table(full[0])) {
		if stored, ok = s.live.get(full); !ok && s.frozen != nil {
			stored, ok = s.frozen.get(full)
		}
		return stored, 0, ok
	}
	if s.live.index.Len() == 0 && s.frozen == nil {
		return nil, 0, false
	}
	h := s.hasher.Of(full)
	if p, ok = s.live.index.Get(h); !ok && s.frozen != nil {
		p, ok = s.frozen.index.Get(h)
	}
	return nil, p, ok
}

func (s *Badger) fromTree(full, into []byte) ([]byte, bool, error) {
	txn := s.db.NewTransactionAt(s.group, false)
	defer txn.Discard()
	item, err := txn.Get(full)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return into, false, nil
	}
	if err == nil {
		err = item.Value(func(stored []byte) error {
			into = append(into, stored...)
			return nil
		})
	}
	return into, err == nil, err
}

// ofJournal makes damage of the journal damage of the directory.
func (s *Badger) ofJournal(err error) error {
	if d := (*journal.Damage)(nil); errors.As(err, &d) {
		return damaged(s.dir, d)
	}
	return err
}

// Leave has no commit wait for a checkpoint any more: one that is under way ends, unless all of
// it was asked for, and no other begins. It is for who is about to commit the last epochs and
// to close the store, and does not wait.
func (s *Badger) Leave() { s.stopping.Do(func() { close(s.stop) }) }

// hold waits until no checkpoint is under way, and has none begin until the returned function is
// called.
func (s *Badger) hold() (release func()) {
	s.taking <- struct{}{}
	return func() { <-s.taking }
}

// isLeft reports whether Leave or Close was called.
func (s *Badger) isLeft() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// Close waits for the commit, the checkpoint and the scans under way, takes over what is
// pending where that is little, closes the files and gives up the lock. A second Close
// does nothing.
func (s *Badger) Close() error {
	s.Leave()
	s.background.Wait()
	defer s.hold()()
	err := s.takeOverLittle()
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.readers.Wait()
	if err = errors.Join(err, s.release()); err != nil {
		return fmt.Errorf("close state directory %s: %w", s.dir, err)
	}
	return nil
}
