package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// disk opens a store on a disk that has as much room as free says.
func disk(t *testing.T, dir string, free *uint64) (*Badger, error) {
	t.Helper()
	s, err := OpenBadger(dir, Options{
		MemTable: leastMemTable, NoSync: true,
		FreeSpace: func(string) (uint64, error) { return *free, nil },
	})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func hasBallast(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, ballastFile))
	return err == nil && info.Size() == 6*leastMemTable && hasBlocks(info)
}

func TestBallastIsGivenBackToCloseAndMadeAgain(t *testing.T) {
	dir, free := t.TempDir(), uint64(1<<30)
	for _, c := range []struct {
		open, close uint64
		made, left  bool
	}{
		{1 << 30, 1 << 30, true, true},
		{1 << 30, leastMemTable, true, false},
		{11 * leastMemTable, 1 << 30, false, false},
		{1 << 30, 6 * leastMemTable, true, true},
		{6 * leastMemTable, 6 * leastMemTable, true, true},
	} {
		free = c.open
		s, err := disk(t, dir, &free)
		if err != nil {
			t.Fatal(err)
		}
		if got := hasBallast(dir); got != c.made {
			t.Errorf("%+v: ballast after opening: %v", c, got)
		}
		free = c.close
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := hasBallast(dir); got != c.left {
			t.Errorf("%+v: ballast after closing: %v", c, got)
		}
	}
}

// TestFullDiskIsOpenedByTheBallast: that gives the room, and where it does not, the tree is
// left alone.
func TestFullDiskIsOpenedByTheBallast(t *testing.T) {
	dir, free := t.TempDir(), uint64(1<<30)
	s, err := disk(t, dir, &free)
	if err != nil {
		t.Fatal(err)
	}
	base(t, s)
	s.Close()

	var space *SpaceError
	free = leastMemTable
	if _, err := disk(t, dir, &free); !errors.As(err, &space) || !space.Opening || hasBallast(dir) {
		t.Fatalf("on a full disk: %v, ballast %v", err, hasBallast(dir))
	}
	free = 7 * leastMemTable
	if s, err = disk(t, dir, &free); err != nil {
		t.Fatal(err)
	}
	if got := len(content(t, s)); got != 200 {
		t.Errorf("%d records, want 200", got)
	}
	if err := s.Commit(t.Context(), change(10)); !errors.As(err, &space) || space.Opening {
		t.Errorf("commit without a ballast: %v", err)
	}
	free = 1 << 30
	if err := s.Commit(t.Context(), change(10)); err != nil {
		t.Errorf("after making room: %v", err)
	}
}

// TestHoleIsNoBallast: a copy of a directory may have a file without room behind it.
func TestHoleIsNoBallast(t *testing.T) {
	dir, free := t.TempDir(), uint64(1<<30)
	path := filepath.Join(dir, ballastFile)
	for range 2 {
		s, err := disk(t, dir, &free)
		if err != nil {
			t.Fatal(err)
		}
		if !hasBallast(dir) {
			t.Fatal("no ballast")
		}
		s.Close()
		os.Remove(path)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		f.Truncate(6 * leastMemTable)
		f.Close()
	}
}
