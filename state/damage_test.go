package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fill writes epochs that make several tables, a value log, a log that is not empty, and a
// journal of two epochs.
func fill(t *testing.T, s *Badger) {
	t.Helper()
	base(t, s)
	for epoch := range 8 {
		b := change(700 + epoch)
		if epoch < 2 {
			b.Put(TableKeys, []byte("large"), bytes.Repeat([]byte{byte('a' + epoch)}, 200_000))
		}
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if epoch == 2 || epoch == 5 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// hurt is something done to a file.
type hurt struct {
	name string
	do   func(text []byte) []byte // nil: remove it
}

// hurts are what is done to a file of n bytes, of which used are not zeros at the end.
func hurts(n, used int) []hurt {
	all := []hurt{{"removed", nil}}
	for i, at := range offsets(n, used) {
		size := []int{1, 64, 4096}[i%3]
		all = append(all, hurt{fmt.Sprintf("%d bytes flipped at %d of %d", size, at, n), func(text []byte) []byte {
			for i := at; i < min(at+size, len(text)); i++ {
				text[i] ^= 0x55
			}
			return text
		}})
		all = append(all, hurt{fmt.Sprintf("cut to %d of %d bytes", at, n), func(text []byte) []byte { return text[:at] }})
	}
	return all
}

func offsets(n, used int) []int {
	var all []int
	for _, at := range []int{0, 1, 9, 21, used / 2, used * 9 / 10, used - 200, used - 40, used - 5, used - 1, used + 100} {
		if at >= 0 && at < n && !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// read returns all records, or the first error on the way to them.
func read(t *testing.T, dir string) (map[string]string, error) {
	s, err := OpenBadger(dir, Options{MemTable: leastMemTable, NoSync: true, vouch: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	all := map[string]string{}
	for table := range Table(len(tableNames)) {
		err := s.Scan(t.Context(), table, nil, nil, func(k, v []byte) error {
			if table != tableMarker {
				all[fmt.Sprint(table, " ", string(k))] = string(v)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// TestDamageIsAnErrorOrDoesNotMatter hurts every file of a state directory, at many
// places, one at a time: whatever can still be opened holds what it held.
func TestDamageIsAnErrorOrDoesNotMatter(t *testing.T) {
	closed := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, closed)
	killed := crash(t, closed)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"closed": closed.dir, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			whole := filepath.Join(t.TempDir(), "whole")
			if err := copyTree(whole, dir); err != nil {
				t.Fatal(err)
			}
			want, err := read(t, whole)
			if err != nil || len(want) < 200 {
				t.Fatalf("undamaged: %d records, %v", len(want), err)
			}
			hurtAll(t, dir, want)
		})
	}
}

func hurtAll(t *testing.T, dir string, want map[string]string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(dir, treeDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	found, refused := 0, 0
	segments, err := filepath.Glob(filepath.Join(dir, journalDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Concat(files, more, segments) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hurts(len(text), len(bytes.TrimRight(text, "\x00"))) {
			got, err := readHurt(t, dir, strings.TrimPrefix(path, dir), h)
			found++
			if err != nil {
				refused++
				t.Logf("%s: %s: %v", filepath.Base(path), h.name, err)
				if !strings.Contains(err.Error(), "hurt") {
					t.Errorf("%s: %s: the error does not name the directory: %v", filepath.Base(path), h.name, err)
				}
				continue
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s: opened with %d records of %d, without an error", filepath.Base(path), h.name, len(got), len(want))
			}
		}
	}
	if refused < found/4 {
		t.Errorf("%d of %d refused: too few for the damage to have been done", refused, found)
	}
}

// readHurt reads a copy of dir with one file hurt.
func readHurt(t *testing.T, dir, path string, h hurt) (map[string]string, error) {
	t.Helper()
	parent, err := os.MkdirTemp(t.TempDir(), "") //nolint:usetesting // gone at once: one test hurts hundreds
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	hurt := filepath.Join(parent, "hurt")
	if err := copyTree(hurt, dir); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(hurt, path)
	if h.do == nil {
		err = os.Remove(target)
	} else {
		var text []byte
		if text, err = os.ReadFile(target); err == nil {
			err = os.WriteFile(target, h.do(text), 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return read(t, hurt)
}

func TestDirectoryWithoutItsTreeIsDamaged(t *testing.T) {
	for _, gone := range []string{treeDir, filepath.Join(treeDir, "MANIFEST"), markFile} {
		s := openTest(t, t.TempDir(), nil)
		base(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(s.dir, gone)); err != nil {
			t.Fatal(err)
		}
		_, err := OpenBadger(s.dir, Options{})
		var damaged *DamagedError
		if !errors.As(err, &damaged) || damaged.Dir != s.dir {
			t.Errorf("without %s: got %v", gone, err)
		}
	}
}

func TestFirstStartThatWasCutShortIsDoneAgain(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.dir, formatFile), filepath.Join(s.dir, formatTemp)); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"nothing", markFile, treeDir, journalDir} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := copyTree(dir, s.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		again := openTest(t, dir, nil)
		base(t, again)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		openTest(t, dir, nil)
	}
}
