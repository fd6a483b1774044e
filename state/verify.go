package state

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// DamagedError says that a state directory is not as it was left: a file is missing or
// holds something else, or epochs that were complete are not there.
type DamagedError struct {
	Dir string
	Err error // what was found
}

// Error names the directory, what was found and the mend.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("state directory %s is damaged: %v; restore it from a backup, or start on a fresh one", e.Dir, e.Err)
}

// Unwrap returns what was found.
func (e *DamagedError) Unwrap() error { return e.Err }

func damaged(dir string, err error) error { return &DamagedError{Dir: dir, Err: err} }

// verify looks for damage in the tree of a state directory before Badger opens it.
// Badger would not always say: by default it does not look at checksums (and where it
// does, a bad block ends an iteration as if there were no more keys), it cuts its logs
// at the first record that makes no sense, deletes tables that its MANIFEST does not
// name, and makes a new MANIFEST where there is none. What is looked for:
//
//   - The MANIFEST is there and goes as far as the mark says.
//   - Every table it names is there, and all checksums in it hold.
//   - A write-ahead log before the newest is whole. The end of the newest may be torn:
//     that is what a crash leaves.
//   - No group is missing between the tables and the logs, nor between two logs (every
//     group writes something under its number, and numbers have no gaps), nor after
//     them, up to the one in the mark.
//
// It costs a reading of all tables, by all cores: some 50 ms for each 100 MB in the page
// cache and core (docs/state.md). Not to do so is no choice: what Badger's
// compaction meets in a damaged block it leaves out of the new table without a word, or it
// panics in a goroutine of its own, and nothing holds a compaction back until a block is
// known to be good. Large values lie apart, in Badger's value log; their frames are
// verified when they are read.
//
// It reports whether there is something in the logs: a store that was closed has none.
func verify(dir string, m mark, o badger.Options) (leftOpen bool, err error) {
	keys, err := readDataKeys(dir, o)
	if err != nil {
		return false, err
	}
	files, err := verifyManifest(dir, m.manifest, o)
	if err != nil {
		return false, err
	}
	reached, err := verifyTables(dir, keys, files)
	if err != nil {
		return false, err
	}
	reached, leftOpen, err = verifyLogs(dir, keys, reached)
	if err != nil {
		return false, err
	}
	return leftOpen, verifyReached(dir, m, reached)
}

// verifyReached refuses a tree that ends before a group that was reported complete.
func verifyReached(dir string, m mark, reached uint64) error {
	if reached < m.group {
		return damaged(dir, fmt.Errorf("group %d was complete, and it ends with group %d", m.group, reached))
	}
	return nil
}

// tableFile is a table that there must be.
type tableFile struct {
	name string
	key  uint64 // number of the key it is encrypted under; 0: it is not
}

// verifyManifest returns the tables there must be, by name.
func verifyManifest(dir string, end manifestEnd, o badger.Options) ([]tableFile, error) {
	path := filepath.Join(dir, treeDir, badger.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(dir, fmt.Errorf("%s/%s is missing", treeDir, badger.ManifestFilename))
	}
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	defer f.Close()
	found, whole, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err != nil {
		return nil, damaged(dir, fmt.Errorf("%s/%s: %w", treeDir, badger.ManifestFilename, err))
	}
	var head [8]byte
	if _, err := f.ReadAt(head[:], manifestMagic); err != nil || head == end.head && whole < end.size {
		return nil, damaged(dir, fmt.Errorf("%s/%s ends after %d bytes of %d", treeDir, badger.ManifestFilename, whole, end.size))
	}
	var files []tableFile
	for id, t := range found.Tables {
		files = append(files, tableFile{table.IDToFilename(id), t.KeyID})
	}
	slices.SortFunc(files, func(a, b tableFile) int { return cmp.Compare(a.name, b.name) })
	return files, nil
}

// verifyTables returns the greatest version in them, and the first table with damage as
// an error. All cores read.
func verifyTables(dir string, keys *dataKeys, files []tableFile) (reached uint64, err error) {
	versions, faults := make([]uint64, len(files)), make([]error, len(files))
	var next atomic.Int32
	var readers sync.WaitGroup
	for range min(len(files), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			r := tableReader{keys: keys}
			for i := next.Add(1) - 1; int(i) < len(files); i = next.Add(1) - 1 {
				versions[i], faults[i] = r.verify(filepath.Join(dir, treeDir, files[i].name), files[i].key, nil)
			}
		})
	}
	readers.Wait()
	for i, err := range faults {
		if err != nil {
			return 0, damaged(dir, fmt.Errorf("%s/%s: %w", treeDir, files[i].name, err))
		}
		reached = max(reached, versions[i])
	}
	return reached, nil
}

// verifyLogs takes reached, the greatest version of the tables, on through the
// write-ahead logs, and says whether there is something in them.
func verifyLogs(dir string, keys *dataKeys, reached uint64) (last uint64, some bool, err error) {
	paths, err := logsOf(dir)
	if err != nil {
		return 0, false, err
	}
	slices.SortFunc(paths, func(a, b string) int { // by number, which has five digits or more
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, path := range paths {
		log, err := readLog(path, keys)
		if err != nil {
			return 0, false, fmt.Errorf("open state directory %s: %w", dir, err)
		}
		name := treeDir + "/" + filepath.Base(path)
		if i < len(paths)-1 && !log.whole {
			return 0, false, damaged(dir, fmt.Errorf("%s ends in the middle of group %d", name, log.last+1))
		}
		if log.first > reached+1 {
			return 0, false, damaged(dir, fmt.Errorf("%s goes on with group %d, before it ends group %d", name, log.first, reached))
		}
		reached, some = max(reached, log.last), some || log.first != 0
	}
	return reached, some, nil
}

// logsOf returns the paths of the write-ahead logs.
func logsOf(dir string) ([]string, error) { return treeFiles(dir, logExt) }

// treeFiles returns the paths of Badger's files of a kind.
func treeFiles(dir, ext string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, treeDir, "*"+ext))
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	return paths, nil
}

// mendLeftovers makes of what a kill in the middle of Badger's work on a file leaves of it
// what Badger can open.
func mendLeftovers(dir string) error {
	return errors.Join(removeEmptied(dir), giveHeaders(dir), removeBadDiscards(dir))
}

// removeEmptied removes the write-ahead logs without a byte. Badger empties a log whose
// records are in tables before it deletes it, and makes a new one before it gives it a
// size: what a crash between the two leaves, Badger refuses to open.
func removeEmptied(dir string) error {
	paths, err := logsOf(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("open state directory %s: remove an empty log: %w", dir, err)
		}
	}
	return nil
}

// giveHeaders makes files of large values that have no header, for they are shorter, files
// with one and nothing in them. Badger makes and deletes them as it does logs, and refuses to
// open what a crash leaves in the middle of either. They are not removed: their numbers
// would be given again, and what has lost its value would find that of another there.
func giveHeaders(dir string) error {
	paths, err := treeFiles(dir, valuesExt)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() >= logHeader {
			continue
		}
		if err := os.Truncate(path, logHeader); err != nil { // zeros: no encryption
			return fmt.Errorf("open state directory %s: give an empty file of values its header: %w", dir, err)
		}
	}
	return nil
}
