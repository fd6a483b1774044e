package state

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// Options of a store on disk. The zero value is good for production.
type Options struct {
	// NoSync leaves the moment of writing to the operating system. A killed process
	// still loses nothing; after a power cut or a crash of the machine the last epochs
	// can be gone, or the directory is refused as damaged. For tests and for runs that
	// can be repeated.
	NoSync bool

	// MemTable is the size in bytes of Badger's write buffer, of which up to three are
	// in memory. Default 8 MiB, least 1 MiB.
	MemTable int64

	// Pending bounds in bytes what the journal holds and the tree does not, as written
	// by Commit, before a checkpoint begins; at twice as much commits wait for it. A
	// start after a crash reads as much, or some times that. Default 128 MiB.
	Pending int64

	// Memory bounds in bytes, about, what is in memory of what is pending: where its keys are
	// in the journal, and rows of the tables that are read all the time. At it a checkpoint
	// begins, and at twice as much commits wait for that. Default, and most, 64 MiB.
	Memory int64

	// Key encrypts the directory, or opens one that is. Nil: it is not encrypted. KeyRotation
	// is how long Badger encrypts new files under one and the same key of its own; 0: 10 days.
	Key         *seal.Key
	KeyRotation time.Duration

	// BackupKey opens the backup that Restore reads. Nil: Key does, where it is encrypted.
	BackupKey *seal.Key

	// Log gets Badger's messages; its chatter at debug level. Nil discards them.
	Log *slog.Logger

	// FreeSpace returns the free bytes of the file system that holds dir. Nil asks the
	// operating system, where it can be asked.
	FreeSpace func(dir string) (uint64, error)

	// Now measures how long checkpoints take. Nil is time.Now.
	Now func() time.Time

	// Step is called at each step of the store's work; an error stands for a crash there:
	// the call under way returns it, and the store has to be opened again. For tests. It
	// is called from several goroutines.
	Step func(Step) error

	// vouch has the mark vouch for epochs though the disk is not waited for, in tests.
	vouch bool

	// beforeWrite is called before each transaction, with its number since opening; an
	// error stands for a failed write. For tests of torn groups.
	beforeWrite func(n int) error
}

const (
	defaultMemTable = 8 << 20
	leastMemTable   = 1 << 20
	defaultPending  = 128 << 20

	mostMemory  = 64 << 20
	leastMemory = 1 << 20

	boundKeys = 3 << 18 // with the most memory: three quarters of an index of 24 MiB
)

// keysBound is how many keys may be pending in an index, rowsBound how many bytes of rows in
// memory.
func (o *Options) keysBound() int64 { return o.Memory / (mostMemory / (1 << 18)) * 3 }
func (o *Options) rowsBound() int64 { return o.Memory / 2 }

func (o *Options) validate() error {
	if o.MemTable == 0 {
		o.MemTable = defaultMemTable
	}
	if o.MemTable < leastMemTable {
		return fmt.Errorf("state: write buffer of %d bytes is below the least of %d", o.MemTable, leastMemTable)
	}
	if o.Pending <= 0 {
		o.Pending = defaultPending
	}
	if o.Memory <= 0 {
		o.Memory = mostMemory
	}
	o.Memory = max(leastMemory, min(o.Memory, mostMemory))
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// badger translates the options. Memory is kept small: no block cache, for blocks are
// not compressed and are read from the mapped files; two write buffers. Badger verifies
// no checksums of its own: verify has done so, and our frames do; with its checks on, a
// bad block would end an iteration, and a compaction, as if there were no more keys.
func (o *Options) badger(dir string, ring *seal.Ring) badger.Options {
	b := badger.DefaultOptions(dir)
	b.SyncWrites = !o.NoSync
	b.DetectConflicts = false       // one writer, blind writes
	b.NumVersionsToKeep = 1         // below the discard timestamp, which never passes the marker
	b.MemTableSize = o.MemTable - 1 // see tableBytes; a table of level 0 is as large
	b.NumMemtables = 2
	b.NumLevelZeroTables, b.NumLevelZeroTablesStall = 10, 30 // of the size of a write buffer
	b.NumCompactors = 2
	b.BaseLevelSize, b.BaseTableSize = 128<<20, tableBytes // fewer levels: half the work of Badger's defaults
	b.Compression, b.BlockCacheSize = options.None, 0
	b.ValueThreshold = min(1<<20, o.MemTable*15/100-2*MaxKey) // the largest record must fit a transaction: 15 % of the buffer
	b.ValueLogFileSize = MaxValue + 1<<20
	b.MetricsEnabled = false
	b.Logger = logger{o.Log}
	o.encrypt(&b, ring)
	return b
}

// tableBytes is the size of a table of the base level; those of the next are twice as large.
// What Badger builds tables in is twice as large as they, up to the next power of two, and
// compactions build a dozen at once: so they are small, and a byte less than a power of two.
// A table of level 0 is built in the same memory, which grows by doubling, and is kept as it has
// become: so write buffers are small, too.
const tableBytes = 1<<20 - 1

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
