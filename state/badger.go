package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options of a store on disk. The zero value is good for production.
type Options struct {
	// NoSync leaves the moment of writing to the operating system. A killed process
	// still loses nothing; after a power cut or a crash of the machine the last epochs
	// can be gone, or, worse, a marker can have outlived the batches it vouches for.
	// For tests and for runs that can be repeated.
	NoSync bool

	// MemTable is the size in bytes of Badger's write buffer, of which up to three are
	// in memory. Default 8 MiB, least 1 MiB. An epoch above about a seventh of it
	// takes several transactions.
	MemTable int64

	// Log gets Badger's messages; its chatter at debug level. Nil discards them.
	Log *slog.Logger

	// FreeSpace returns the free bytes of the file system that holds dir. Nil asks the
	// operating system, where it can be asked.
	FreeSpace func(dir string) (uint64, error)

	// Step is called at each step of the store's work; an error stands for a crash there:
	// the call under way returns it, and the store has to be opened again. For tests.
	Step func(Step) error

	// beforeWrite is called before each transaction, with its number since opening; an
	// error stands for a failed write. For tests of torn epochs.
	beforeWrite func(n int) error
}

const (
	defaultMemTable = 8 << 20
	leastMemTable   = 1 << 20
)

func (o *Options) validate() error {
	if o.MemTable == 0 {
		o.MemTable = defaultMemTable
	}
	if o.MemTable < leastMemTable {
		return fmt.Errorf("state: write buffer of %d bytes is below the least of %d", o.MemTable, leastMemTable)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	return nil
}

// badger translates the options. Memory is kept small: no block cache, for blocks are
// not compressed and are read from the mapped files; two write buffers. Badger verifies
// no checksums of its own: verify has done so, and our frames do; with its checks on, a
// bad block would end an iteration, and a compaction, as if there were no more keys.
func (o *Options) badger(dir string) badger.Options {
	b := badger.DefaultOptions(dir)
	b.SyncWrites = !o.NoSync
	b.DetectConflicts = false // one writer, blind writes
	b.NumVersionsToKeep = 1   // below the discard timestamp, which never passes the marker
	b.MemTableSize = o.MemTable
	b.NumMemtables = 2
	b.NumCompactors = 2
	b.Compression, b.BlockCacheSize = options.None, 0
	b.ValueThreshold = min(1<<20, o.MemTable*15/100-2*MaxKey) // the largest record must fit a transaction: 15 % of the buffer
	b.ValueLogFileSize = MaxValue + 1<<20
	b.MetricsEnabled = false
	b.Logger = logger{o.Log}
	return b
}

// Badger is the store on disk. It is safe for several goroutines, one of which commits.
type Badger struct {
	dir  string
	opt  Options
	db   *badger.DB
	lock *os.File // of the directory; nil where the system has none
	mark *marker

	recovery Recovery // what opening found

	commit  sync.Mutex // held by the one commit under way; taken before mu
	writes  int        // transactions since opening
	ballast bool       // it is there: see ballast.go
	broken  error      // why no more commits are taken

	mu      sync.RWMutex // epoch and closed; a read holds it until its snapshot is taken
	epoch   uint64
	closed  bool
	readers sync.WaitGroup // scans under way
}

// OpenBadger opens the state directory dir, or makes it, and undoes what a torn epoch
// left. All tables are read and verified. The errors that a caller may want to tell
// apart: *LockedError, *NotStateError, *FormatError, *DamagedError, *CorruptError.
func OpenBadger(dir string, o Options) (*Badger, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Badger{dir: dir, opt: o}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
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
	fresh, err := prepareDir(s.dir)
	if err != nil {
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
	if err := s.mark.put(s.epoch); err != nil {
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

// openTree opens the tree, unless there is damage in it, and returns the mark. A fresh
// directory has nothing that could be damaged.
func (s *Badger) openTree(fresh bool) (known mark, err error) {
	options := s.opt.badger(filepath.Join(s.dir, treeDir))
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
	if err := removeEmptied(s.dir); err != nil {
		return known, err
	}
	db, err := badger.OpenManaged(options)
	if err != nil {
		return known, openError(s.dir, err) // there may be a db besides, of no use
	}
	s.db = db
	return known, nil
}

// release closes what is open: the tree, the mark, and last the lock.
func (s *Badger) release() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.roomToClose(), s.db.Close())
	}
	if s.mark != nil {
		if s.db != nil {
			errs = append(errs, s.mark.put(s.epoch)) // for Badger wrote its last table
		}
		errs = append(errs, s.mark.file.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// recover finds the last complete epoch and repairs forward where something lies above.
func (s *Badger) recover(known mark) error {
	marker, err := s.readMarker()
	if err != nil {
		return err
	}
	if err := verifyReached(s.dir, known, marker); err != nil {
		return err
	}
	s.epoch = marker
	if seen := s.db.MaxVersion(); seen > marker {
		if s.epoch, err = s.repair(marker, seen+1); err != nil {
			return err
		}
	}
	s.recovery.Epoch = s.epoch
	s.db.SetDiscardTs(s.epoch)
	return nil
}

// readMarker returns the last complete epoch, 0 where there is none.
func (s *Badger) readMarker() (uint64, error) {
	txn := s.db.NewTransactionAt(^uint64(0), false)
	defer txn.Discard()
	item, err := txn.Get(markerKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read marker: %w", err)
	}
	var epoch uint64
	err = item.Value(func(stored []byte) error {
		value, err := unframe(s.dir, markerKey, stored)
		if err == nil && len(value) == 8 {
			epoch = binary.BigEndian.Uint64(value)
		}
		return err
	})
	if err == nil && epoch != item.Version() {
		err = corrupt(s.dir, markerKey, fmt.Sprintf("marker of epoch %d was written in epoch %d", epoch, item.Version()))
	}
	return epoch, err
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
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := s.admit(ctx, b); err != nil {
		return err
	}
	epoch := s.Epoch() + 1
	err := s.write(epoch, b)
	if err == nil {
		err = s.mark.put(epoch)
	}
	if err != nil {
		s.broken = fmt.Errorf("commit epoch %d of %d records to state directory %s: %w", epoch, b.Len(), s.dir, err)
		return s.broken
	}
	s.mu.Lock()
	s.epoch = epoch
	s.mu.Unlock()
	s.db.SetDiscardTs(epoch)
	return nil
}

// admit says whether an epoch may begin.
func (s *Badger) admit(ctx context.Context, b *Batch) error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	switch {
	case closed:
		return ErrClosed
	case s.broken != nil:
		return fmt.Errorf("an earlier commit did not end, the store has to be opened again: %w", s.broken)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if err := checkSizes(b); err != nil {
		return err
	}
	return s.checkSpace(b)
}

// checkSpace refuses an epoch on a disk nearly full: what is spare and the epoch itself
// must fit, and the ballast too where it could not be made.
func (s *Badger) checkSpace(b *Batch) error {
	free, err := s.free()
	if err != nil {
		return err
	}
	need := s.opt.spare() + uint64(b.Bytes())
	if !s.ballast {
		need += s.opt.spare()
	}
	if free < need {
		return &SpaceError{Dir: s.dir, Free: free, Need: need}
	}
	return nil
}

// Get appends the value of key to into and returns it; false where there is none.
func (s *Badger) Get(t Table, key, into []byte) ([]byte, bool, error) {
	s.mu.RLock() // held throughout, so that no commit lets go of the versions read here
	defer s.mu.RUnlock()
	if s.closed {
		return into, false, ErrClosed
	}
	var buf [64]byte
	full := append(append(buf[:0], byte(t)), key...)
	txn := s.db.NewTransactionAt(s.epoch, false)
	defer txn.Discard()
	item, err := txn.Get(full)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return into, false, nil
	}
	if err == nil {
		err = item.Value(func(stored []byte) error {
			value, err := unframe(s.dir, full, stored)
			into = append(into, value...)
			return err
		})
	}
	if err != nil {
		return into, false, fmt.Errorf("read a record of table %s: %w", t, err)
	}
	return into, true, nil
}

// Scan calls visit in ascending order of keys for the keys of t that begin with prefix
// and are not below from, as of the last commit before the call. Key and value are
// valid until visit returns and must not be changed. visit may read the store and
// commit to it, and must not close it. An error of visit ends the scan and is returned,
// except ErrStop.
func (s *Badger) Scan(ctx context.Context, t Table, prefix, from []byte, visit func(key, value []byte) error) error {
	full := append([]byte{byte(t)}, prefix...)
	it, done, err := s.snapshot(full)
	if err != nil {
		return err
	}
	defer done()
	for it.Seek(append([]byte{byte(t)}, larger(prefix, from)...)); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.visit(it.Item(), visit); err != nil {
			return unlessStop(err)
		}
	}
	return nil
}

// snapshot returns an iterator over the last complete epoch. It pins the files it reads
// when it is made; commits after that do not disturb it.
func (s *Badger) snapshot(prefix []byte) (it *badger.Iterator, done func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	s.readers.Add(1)
	txn := s.db.NewTransactionAt(s.epoch, false)
	it = txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	return it, func() { it.Close(); txn.Discard(); s.readers.Done() }, nil
}

func (s *Badger) visit(item *badger.Item, visit func(key, value []byte) error) error {
	return item.Value(func(stored []byte) error {
		value, err := unframe(s.dir, item.Key(), stored)
		if err != nil {
			return err
		}
		return visit(item.Key()[1:], value)
	})
}

// Close waits for the commit and the scans under way, then closes the files and gives
// up the lock. A second Close does nothing.
func (s *Badger) Close() error {
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
	if err := s.release(); err != nil {
		return fmt.Errorf("close state directory %s: %w", s.dir, err)
	}
	return nil
}

// logger gives Badger's messages to slog.
type logger struct{ log *slog.Logger }

func (l logger) Errorf(f string, a ...any) {
	l.log.Error("state store", "message", fmt.Sprintf(f, a...))
}

func (l logger) Warningf(f string, a ...any) {
	l.log.Warn("state store", "message", fmt.Sprintf(f, a...))
}
func (l logger) Infof(f string, a ...any)  { l.chatter(f, a) }
func (l logger) Debugf(f string, a ...any) { l.chatter(f, a) }

func (l logger) chatter(f string, a []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("state store", "message", fmt.Sprintf(f, a...))
	}
}
