package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "deep", "state"), nil)
	_, err := OpenBadger(s.dir, Options{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID == "" || !strings.Contains(err.Error(), s.dir) {
		t.Fatalf("second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, s.dir, nil)
}

func TestForeignDirectoryIsRefusedUntouched(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "thesis.txt"), "x")
	_, err := OpenBadger(dir, Options{})
	var not *NotStateError
	if !errors.As(err, &not) || not.Found != "thesis.txt" {
		t.Fatalf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("it left %v behind", entries)
	}
}

func TestFileInPlaceOfDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "x")
	if _, err := OpenBadger(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestInterruptedFirstStart(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, formatTemp), "cephe")
	openTest(t, dir, nil)
}

func TestOtherFormatIsRefused(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	s.Close()
	for _, found := range []string{"cepheus-state 1", "", strings.Repeat("x", 1000)} {
		write(t, filepath.Join(s.dir, formatFile), found+"\n")
		_, err := OpenBadger(s.dir, Options{})
		var format *FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), s.dir) {
			t.Errorf("format %.20q: got %v", found, err)
		}
	}
}

func TestTooSmallWriteBuffer(t *testing.T) {
	if _, err := OpenBadger(t.TempDir(), Options{MemTable: 1000}); err == nil {
		t.Error("accepted")
	}
}

func TestFullDiskRefusesTheEpochAndLosesNothing(t *testing.T) {
	free := uint64(1 << 30)
	s, err := OpenBadger(t.TempDir(), Options{
		MemTable: leastMemTable, NoSync: true,
		FreeSpace: func(string) (uint64, error) { return free, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	base(t, s)
	free = 3 * leastMemTable
	var space *SpaceError
	if err := s.Commit(t.Context(), change(10)); !errors.As(err, &space) || space.Need <= free {
		t.Fatalf("got %v", err)
	}
	if s.Epoch() != 2 {
		t.Errorf("epoch %d, want 2", s.Epoch())
	}
	free = 1 << 30
	if err := s.Commit(t.Context(), change(10)); err != nil {
		t.Errorf("after making room: %v", err)
	}
}

func TestFreeSpaceOfTheSystem(t *testing.T) {
	if free, err := freeSpace(t.TempDir()); err != nil || free == 0 {
		t.Errorf("got %d, %v", free, err)
	}
}

// TestCorruptRecord writes records past the store's own door.
func TestCorruptRecord(t *testing.T) {
	good := appendFrame(nil, []byte("\x02k"), []byte("value"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	future := bytes.Clone(good)
	future[0] = 9
	for name, stored := range map[string][]byte{
		"a flipped bit":   flipped,
		"another's value": appendFrame(nil, []byte("\x02other"), []byte("value")),
		"a later frame":   future,
		"a torn frame":    good[:3],
	} {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, t.TempDir(), nil)
			w := s.newWriter(1)
			if err := w.add([]byte("\x02k"), stored); err != nil {
				t.Fatal(err)
			}
			if err := w.complete(1); err != nil {
				t.Fatal(err)
			}
			s.group = 1
			_, _, getErr := s.Get(TableKeys, []byte("k"), nil)
			scanErr := s.Scan(t.Context(), TableKeys, nil, nil, func(_, _ []byte) error { return nil })
			for _, err := range []error{getErr, scanErr} {
				var corrupt *CorruptError
				if !errors.As(err, &corrupt) || corrupt.Table != TableKeys || string(corrupt.Key) != "k" || corrupt.Dir != s.dir {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestWrongMarkerIsFoundOut(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	batch := s.db.NewWriteBatchAt(5)
	if err := batch.SetEntry(badger.NewEntry(markerKey, appendFrame(nil, markerKey, []byte("\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04")))); err != nil {
		t.Fatal(err)
	}
	if err := batch.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	var corrupt *CorruptError
	if _, err := OpenBadger(s.dir, Options{}); !errors.As(err, &corrupt) {
		t.Errorf("got %v", err)
	}
}

func FuzzUnframe(f *testing.F) {
	f.Add([]byte("\x02k"), appendFrame(nil, []byte("\x02k"), []byte("v")))
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, key, stored []byte) {
		value, err := unframe("dir", key, stored)
		if err != nil {
			_ = err.Error()
			return
		}
		if !bytes.Equal(appendFrame(nil, key, value), stored) {
			t.Errorf("%x reads as %x, which is not what would be written", stored, value)
		}
	})
}

func TestNotesOfBadgerThatMakeNoSense(t *testing.T) {
	note := func(numbers ...uint64) (b []byte) {
		for _, n := range numbers {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		return b
	}
	for _, c := range []struct {
		text []byte
		want bool
	}{
		{note(0, 0), true},
		{note(1, 500, 7, 0, 0, 0), true},
		{note(1, 500), false},
		{note(1, 500, 1, 600, 0, 0), false},
		{note(1<<32, 500, 0, 0), false},
		{note(1, 1<<63, 0, 0), false},
		{nil, false},
	} {
		if got := discardsMakeSense(c.text); got != c.want {
			t.Errorf("%x: %v", c.text, got)
		}
	}
}
