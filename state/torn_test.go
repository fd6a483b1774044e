package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errTorn = errors.New("torn here")

// failAt returns a hook that fails the n-th transaction after it was armed.
func failAt(n int) func(int) error {
	seen := 0
	return func(int) error {
		if seen++; seen >= n {
			return errTorn
		}
		return nil
	}
}

func openTest(t *testing.T, dir string, hook func(int) error) *Badger {
	t.Helper()
	s, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true, beforeWrite: hook})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// crash copies the directory of an open store: what a killed process leaves behind. A
// copy into which a flush in the background came is done again.
func crash(t *testing.T, s *Badger) string {
	t.Helper()
	for {
		dir, before := filepath.Join(t.TempDir(), "state"), listing(t, s.dir)
		err := copyTree(dir, s.dir)
		if err == nil && listing(t, s.dir) == before {
			return dir
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// listing names the files of a directory and their sizes.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil { // else it went just now
				fmt.Fprintln(&b, path, info.Size())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// copyTree copies files with their holes: the value log is mostly hole.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		return copySparse(target, path)
	})
}

func copySparse(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	zero, block := make([]byte, 64<<10), make([]byte, 64<<10)
	size := int64(0)
	for {
		n, err := io.ReadFull(in, block)
		if hole := bytes.Equal(block[:n], zero[:n]); hole && strings.HasSuffix(from, ".vlog") {
			return out.Truncate(size) // written in order: behind a hole is nothing
		} else if !hole {
			if _, err := out.WriteAt(block[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if err != nil {
			return out.Truncate(size)
		}
	}
}

// content returns all records as "table key" → value.
func content(t *testing.T, s *Badger) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range []Table{TableKeys, TableOutbox} {
		err := s.Scan(t.Context(), table, nil, nil, func(k, v []byte) error {
			all[fmt.Sprint(table, " ", string(k))] = string(v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// base fills a store with two epochs, so that some keys have an older version too.
func base(t *testing.T, s *Badger) {
	t.Helper()
	for epoch := range 2 {
		var b Batch
		for i := range 200 {
			b.Put(TableKeys, fmt.Appendf(nil, "key %03d", i), fmt.Appendf(nil, "base %d", epoch))
		}
		b.Delete(TableKeys, []byte("key 007"))
		b.Put(TableOutbox, []byte("row"), nil)
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
}

// change is an epoch over base which changes, deletes, adds and brings back keys, with
// values of size bytes.
func change(size int) *Batch {
	var b Batch
	for i := range 300 {
		key := fmt.Appendf(nil, "key %03d", i)
		if i%5 == 0 {
			b.Delete(TableKeys, key)
			continue
		}
		b.Put(TableKeys, key, bytes.Repeat([]byte{'x'}, size))
	}
	b.Delete(TableOutbox, []byte("row"))
	b.Put(TableOutbox, []byte("row 2"), []byte("alert"))
	return &b
}

// torn is a directory whose last checkpoint ended early.
type torn struct {
	dir           string
	n             int               // of the transaction that failed
	before, after map[string]string // the epoch that it was to take over
	known         string            // the mark from before that epoch
}

// lose takes the journal away, and with it the epoch: as if the machine had gone down
// before it was on the disk.
func (d torn) lose(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, journalDir)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.dir, markFile), d.known)
}

// tearAll takes base over into the tree, commits change(size), and takes that over with the
// n-th transaction failing for n = 1, 2, … until it succeeds. It gives each crashed directory
// to check, and returns how many there were.
func tearAll(t *testing.T, size int, check func(torn)) int {
	for n := 1; ; n++ {
		s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
		d := prepareTorn(t, s, size)
		s.opt.beforeWrite = failAt(n)
		err := s.Checkpoint(t.Context())
		if err == nil {
			return n - 1
		}
		if !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		for key, want := range d.after {
			if name, ok := strings.CutPrefix(key, "keys "); ok {
				if got, _, err := s.Get(TableKeys, []byte(name), nil); string(got) != want || err != nil {
					t.Fatalf("write %d failed: %s reads %.20q, %v", n, key, got, err)
				}
			}
		}
		if err := s.Commit(t.Context(), &Batch{}); !errors.Is(err, errTorn) {
			t.Fatalf("commit after a torn checkpoint: %v", err)
		}
		d.n, d.dir = n, crash(t, s)
		check(d)
	}
}

func prepareTorn(t *testing.T, s *Badger, size int) (d torn) {
	t.Helper()
	base(t, s)
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(filepath.Join(s.dir, markFile))
	if err != nil {
		t.Fatal(err)
	}
	d.before, d.known = content(t, s), string(known)
	b := change(size)
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	d.after = map[string]string{}
	for i := range b.ops {
		if o := &b.ops[i]; !o.deleted {
			d.after[fmt.Sprint(b.table(o), " ", string(b.fullKey(o)[1:]))] = string(b.value(o))
		}
	}
	return d
}

func TestTornGroupIsTakenOverAgain(t *testing.T) {
	points := tearAll(t, 4000, func(d torn) {
		s := openTest(t, d.dir, nil)
		if d := cmp.Diff(d.after, content(t, s)); d != "" {
			t.Fatalf("after reopening (-before +after):\n%s", d)
		}
		if s.Epoch() != 3 {
			t.Errorf("write %d failed: epoch %d, want 3", d.n, s.Epoch())
		}
		nextEpoch(t, s)
	})
	if points < 5 {
		t.Errorf("%d points of tearing; the epoch should need more transactions", points)
	}
}

// nextEpoch commits, crashes and looks.
func nextEpoch(t *testing.T, s *Badger) {
	t.Helper()
	if err := s.Commit(t.Context(), change(10)); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, crash(t, s), nil)
	if got := content(t, again); got["outbox row 2"] != "alert" || got["keys key 001"] != "xxxxxxxxxx" || got["keys key 005"] != "" {
		t.Errorf("the next epoch is not there: %d records", len(got))
	}
}

func TestTornGroupWithoutItsJournalIsUndone(t *testing.T) {
	tearAll(t, 4000, func(d torn) {
		d.lose(t)
		s := openTest(t, d.dir, nil)
		if diff := cmp.Diff(d.before, content(t, s)); diff != "" {
			t.Fatalf("write %d failed: after reopening (-before +after):\n%s", d.n, diff)
		}
		nextEpoch(t, s)
	})
}

func TestTornGroupIsUndoneAfterCompaction(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	d := prepareTorn(t, s, 90_000)
	s.opt.beforeWrite = failAt(120) // about ten write buffers, so that there is something to compact
	if err := s.Checkpoint(t.Context()); !errors.Is(err, errTorn) {
		t.Fatal(err)
	}
	if err := s.db.Flatten(1); err != nil {
		t.Fatal(err)
	}
	d.dir = crash(t, s)
	covered := filepath.Join(t.TempDir(), "state")
	if err := copyTree(covered, d.dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d.after, content(t, openTest(t, covered, nil))); diff != "" {
		t.Fatalf("with its journal (-want +got):\n%s", diff)
	}
	d.lose(t)
	if diff := cmp.Diff(d.before, content(t, openTest(t, d.dir, nil))); diff != "" {
		t.Fatalf("without its journal (-want +got):\n%s", diff)
	}
}

func TestTornRepairIsRepaired(t *testing.T) {
	var last torn
	points := tearAll(t, 4000, func(d torn) { last = d })
	last.lose(t)
	for n := 1; n <= points; n++ {
		dir := filepath.Join(t.TempDir(), "state")
		if err := copyTree(dir, last.dir); err != nil {
			t.Fatal(err)
		}
		r, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true, beforeWrite: failAt(n)})
		if err != nil && !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		if n == 1 && err == nil {
			t.Error("the repair wrote nothing")
		}
		if err == nil {
			r.Close()
		}
		s := openTest(t, dir, nil)
		if d := cmp.Diff(last.before, content(t, s)); d != "" {
			t.Fatalf("write %d of the repair failed: after reopening (-before +after):\n%s", n, d)
		}
		s.Close()
	}
}

// TestTornTailOfTheTreesLog: of a group that is whole, but for its last bytes.
func TestTornTailOfTheTreesLog(t *testing.T) {
	kill := func(s Step) error {
		if s == BeforeRemoval {
			return errTorn
		}
		return nil
	}
	s, err := OpenBadger(filepath.Join(t.TempDir(), "state"), Options{MemTable: leastMemTable, NoSync: true, vouch: true, Step: kill})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(t.Context(), change(10)); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(filepath.Join(s.dir, markFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(t.Context()); !errors.Is(err, errTorn) {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, 8, 100, 1000, 4000} {
		d := torn{dir: crash(t, s), known: string(known)}
		write(t, filepath.Join(d.dir, markFile), d.known)
		zeroTail(t, d.dir, cut)
		again := openTest(t, d.dir, nil)
		if got := content(t, again); len(got) != 241 || again.Epoch() != 1 {
			t.Errorf("last %d bytes zeroed: %d records, epoch %d", cut, len(got), again.Epoch())
		}
		nextEpoch(t, again)
	}
}

// zeroTail zeroes the last n bytes written to the newest log.
func zeroTail(t *testing.T, dir string, n int) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, treeDir, "*.mem"))
	if err != nil || len(logs) == 0 {
		t.Fatal("no log", err)
	}
	path := logs[len(logs)-1]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(text, "\x00"))
	clear(text[max(0, end-n):end])
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSyncedCommitSurvivesACopy(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenBadger(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	base(t, s)
	got := content(t, openTest(t, crash(t, s), nil))
	if d := cmp.Diff(content(t, s), got); d != "" || len(got) != 200 {
		t.Errorf("%d records (-open +crashed):\n%s", len(got), d)
	}
}

func TestOldVersionsGo(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	value := bytes.Repeat([]byte("v"), 10_000)
	for range 300 {
		var b Batch
		for i := range 10 {
			b.Put(TableKeys, []byte{byte(i)}, value)
		}
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if err := s.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, s.dir, nil)
	if err := s.db.Flatten(1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if size := diskUse(t, s.dir); size > 3<<20 {
		t.Errorf("%d bytes on disk for 100 kB of live values", size)
	}
}

func diskUse(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(d.Name(), ".sst") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// TestEmptiedLogIsNoDamage: a process may be killed after Badger has emptied a log whose
// records are in tables by now, and before it has deleted it.
func TestEmptiedLogIsNoDamage(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	base(t, s)
	before := content(t, s)
	dir := crash(t, s)
	if err := os.WriteFile(filepath.Join(dir, treeDir, "00000"+logExt), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, content(t, openTest(t, dir, nil))); d != "" {
		t.Fatalf("(-before +after):\n%s", d)
	}
}
