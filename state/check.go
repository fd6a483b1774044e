package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// Fault is damage in a state directory: a file, or a record in one.
type Fault struct {
	File string // below the directory; empty where that is not known
	// Table and Key are those of the record; where a block of records is damaged, of the
	// first in it, and Next is the first behind it, empty at the end of the file.
	Table     Table
	Key, Next []byte
	Err       error
}

// VerifyFiles reads all files of a state directory, as every opening does, but goes on
// where there is damage: each is given to visit. It opens nothing and changes nothing. The
// error is that it could not look: *LockedError, *NotStateError, *FormatError, *KeyError, and
// those of the operating system.
func VerifyFiles(dir string, key *seal.Key, visit func(Fault)) error {
	return whileLocked(dir, func() error {
		o := Options{Key: key}
		if err := o.validate(); err != nil {
			return err
		}
		v := verifier{dir: dir, visit: visit}
		if _, err := prepareDir(dir, key); err != nil {
			return err
		}
		ring, err := openRing(dir, key)
		if failed := v.note(keysFile, err); failed != nil || err != nil {
			return failed
		}
		return v.files(o.badger(filepath.Join(dir, treeDir), ring))
	})
}

// whileLocked calls do where dir is a state directory that no process has open.
func whileLocked(dir string, do func() error) error {
	if err := IsState(dir); err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	err = do()
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	return err
}

// IsState refuses what is no state directory of this release's format: *NotStateError,
// *FormatError, and those of the operating system.
func IsState(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == formatFile }) {
		found := "nothing"
		if len(entries) > 0 {
			found = entries[0].Name()
		}
		return &NotStateError{Dir: dir, Found: found}
	}
	_, err = readFormat(dir)
	return err
}

// verifier does what verify does, without an end at the first damage.
type verifier struct {
	dir   string
	visit func(Fault)
	keys  *dataKeys
}

// files goes on after each step whose result the next does not need.
func (v *verifier) files(o badger.Options) error {
	known, err := readMark(v.dir)
	if failed := v.note("", err); failed != nil {
		return failed
	}
	if v.keys, err = readDataKeys(v.dir, o); err != nil {
		return v.note("", err) // and nothing can be read
	}
	names, manifestErr := verifyManifest(v.dir, known.manifest, o)
	if failed := v.note("", manifestErr); failed != nil {
		return failed
	}
	if manifestErr != nil { // all that there are
		if names, err = tablesThere(v.dir, v.keys); err != nil {
			return err
		}
	}
	reached, whole := v.tables(names)
	reached, _, err = verifyLogs(v.dir, v.keys, reached)
	if !whole || manifestErr != nil {
		return nil // which epochs there are is not known
	}
	if err == nil {
		err = verifyReached(v.dir, known, reached)
	}
	return v.note("", err)
}

// note reports damage and returns any other error.
func (v *verifier) note(file string, err error) error {
	var d *DamagedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &d):
		v.visit(Fault{File: file, Err: d.Err})
		return nil
	}
	return err
}

// tablesThere are the tables in a tree whose MANIFEST does not say which there must be. Under
// which keys they are is not known either: where there are keys, none are looked at.
func tablesThere(dir string, keys *dataKeys) (all []tableFile, err error) {
	if keys != nil {
		return nil, nil
	}
	paths, err := treeFiles(dir, tableExt)
	for _, path := range paths {
		all = append(all, tableFile{name: filepath.Base(path)})
	}
	return all, err
}

func (v *verifier) tables(files []tableFile) (reached uint64, whole bool) {
	r := tableReader{keys: v.keys}
	whole = true
	for _, f := range files {
		file := treeDir + "/" + f.name
		var block *tableDamage
		version, err := r.verify(filepath.Join(v.dir, file), f.key, func(d *tableDamage) { v.visit(d.fault(file)) })
		if err != nil && !errors.As(err, &block) {
			v.visit(Fault{File: file, Err: err})
		}
		whole = whole && err == nil
		reached = max(reached, version)
	}
	return reached, whole
}

func (d *tableDamage) fault(file string) Fault {
	f := Fault{File: file, Err: d}
	if len(d.first) > versionBytes {
		key := slices.Clone(y.ParseKey(d.first))
		f.Table, f.Key = Table(key[0]), key[1:]
	}
	if len(d.next) > versionBytes {
		f.Next = slices.Clone(y.ParseKey(d.next))
		f.Next = f.Next[1:]
	}
	return f
}

// VerifyRecords reads all records as of the last complete epoch, with their frames. A good
// one is given to visit, which says what else is wrong with it; what is wrong is given to
// damaged, with the file it is in.
func (s *Badger) VerifyRecords(ctx context.Context, visit func(t Table, key, value []byte) error, damaged func(Fault)) error {
	it, _, done, err := s.snapshotOfAll(ctx)
	if err != nil {
		return err
	}
	defer done()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		item := it.Item()
		err := item.Value(func(stored []byte) error {
			value, err := unframe(s.dir, item.Key(), stored)
			if err != nil || item.Key()[0] == byte(tableMarker) {
				return err
			}
			return visit(Table(item.Key()[0]), item.Key()[1:], value)
		})
		if err == nil {
			continue
		}
		if c := (*CorruptError)(nil); errors.As(err, &c) {
			err = errors.New(c.Reason)
		}
		key := item.KeyCopy(nil)
		damaged(Fault{File: s.fileOf(key, item.Version()), Table: Table(key[0]), Key: key[1:], Err: err})
	}
	return nil
}

// Badger's flag for a value that lies in the value log; the table then holds number of the
// log, length and offset.
const inValueLog = 1 << 1

// fileOf returns the file that holds a version of a key, empty where it is in memory, or
// its table is gone meanwhile. Where the tree is encrypted, it is one that may hold it.
func (s *Badger) fileOf(key []byte, version uint64) string {
	at := y.KeyWithTs(key, version)
	for _, t := range s.db.Tables() {
		if y.CompareKeys(t.Left, at) > 0 || y.CompareKeys(at, t.Right) > 0 {
			continue
		}
		name := table.IDToFilename(t.ID)
		if s.ring != nil {
			return treeDir + "/" + name // the first that may hold it: to look into it takes its key
		}
		if value, ok := s.findIn(name, at); ok {
			if value.Meta&inValueLog != 0 && len(value.Value) >= 4 {
				return fmt.Sprintf("%s/%06d.vlog", treeDir, binary.NativeEndian.Uint32(value.Value))
			}
			return treeDir + "/" + name
		}
	}
	return ""
}

// findIn looks for a version of a key in a table.
func (s *Badger) findIn(name string, key []byte) (y.ValueStruct, bool) {
	text, err := os.ReadFile(filepath.Join(s.dir, treeDir, name))
	if err != nil {
		return y.ValueStruct{}, false
	}
	id, _ := table.ParseFileID(name)
	t, err := table.OpenInMemoryTable(text, id, &table.Options{})
	if err != nil {
		return y.ValueStruct{}, false
	}
	it := t.NewIterator(0)
	it.Seek(key)
	if !it.Valid() || string(it.Key()) != string(key) {
		return y.ValueStruct{}, false
	}
	return it.Value(), true
}

// Recovery is what the opening of a store found.
type Recovery struct {
	LeftOpen bool   // whoever had it open did not close it: a crash
	Undone   int    // records of an epoch that was not complete, which are as before again
	Epoch    uint64 // from which the store goes on
}

// Recovery says what the opening found, and what it undid.
func (s *Badger) Recovery() Recovery { return s.recovery }

// Sizes are what the files of a state directory take, in bytes.
type Sizes struct {
	Tables int64 `json:"tables"` // sorted records
	Values int64 `json:"values"` // large values
	Logs   int64 `json:"logs"`   // records not yet in tables; sized ahead, so mostly zeros
	Other  int64 `json:"other"`
}

// All is their sum.
func (s Sizes) All() int64 { return s.Tables + s.Values + s.Logs + s.Other }

// SizesOf adds up the files below dir. Of logs, which are made larger than what is in them,
// it counts what they take on the disk.
func SizesOf(dir string) (s Sizes, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a table that was compacted away meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case tableExt:
			s.Tables += onDisk(info)
		case ".vlog":
			s.Values += onDisk(info)
		case logExt, ".log":
			s.Logs += onDisk(info)
		default:
			s.Other += onDisk(info)
		}
		return nil
	})
	return s, err
}

// Compact puts all records into as few tables as Badger's levels allow, drops old versions
// and what was deleted, and large values that nothing refers to. The store must not be
// committed to meanwhile, nor be read. It needs free space for what it writes, up to as much as
// is there.
func (s *Badger) Compact() error {
	if err := s.Checkpoint(context.Background()); err != nil {
		return err
	}
	sizes, err := SizesOf(s.dir)
	if err != nil {
		return err
	}
	free, err := s.opt.FreeSpace(s.dir)
	if err != nil {
		return fmt.Errorf("look at the free space of state directory %s: %w", s.dir, err)
	}
	if need := uint64(sizes.Tables) + uint64(3*s.opt.MemTable) + 2*uint64(min(sizes.Values, MaxValue)); free < need {
		return &SpaceError{Dir: s.dir, Free: free, Need: need}
	}
	if err := s.mergeLevel0(); err != nil {
		return fmt.Errorf("compact state directory %s: %w", s.dir, err)
	}
	if err := s.db.Flatten(1); err != nil {
		return fmt.Errorf("compact state directory %s: %w", s.dir, err)
	}
	return s.collectValues()
}

// mergeLevel0 merges the tables of level 0 into the next. Where there are no others Flatten leaves
// them as they are, with all that is old in them; Badger merges them when it closes, where it is
// told to as it opens.
func (s *Badger) mergeLevel0() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, merge := range []bool{true, false} {
		if err := s.db.Close(); err != nil {
			return err
		}
		options := s.treeOptions()
		options.CompactL0OnClose = merge
		db, err := badger.OpenManaged(options)
		if err != nil {
			return openError(s.dir, err)
		}
		s.db = db
		s.db.SetDiscardTs(s.group)
	}
	return nil
}

// collectValues rewrites logs of values until none has enough in it that nothing refers to.
func (s *Badger) collectValues() error {
	for {
		err := s.db.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("collect values of state directory %s: %w", s.dir, err)
		}
	}
}

// discardRatio is the part of a log of values that must be of no more use for it to be
// rewritten.
const discardRatio = 0.2
