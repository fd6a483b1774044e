package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// killedDir is the directory of a killed process, with a MANIFEST that names tables.
func killedDir(t *testing.T) (dir string, want map[string]string) {
	t.Helper()
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, s.dir, nil)
	if err := s.Commit(t.Context(), change(10)); err != nil {
		t.Fatal(err)
	}
	return crash(t, s), content(t, s)
}

// TestManifestBeyondTheMarkMayBeTorn: what Badger was writing to it when the machine went
// down is no damage.
func TestManifestBeyondTheMarkMayBeTorn(t *testing.T) {
	dir, want := killedDir(t)
	path := filepath.Join(dir, treeDir, "MANIFEST")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+"\x00\x00\x00\x09torn")
	if got := content(t, openTest(t, dir, nil)); len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

// TestManifestThatBeganAnewIsNotMeasured: Badger writes a new one now and then, which is
// shorter; the mark is of the old one until the next commit.
func TestManifestThatBeganAnewIsNotMeasured(t *testing.T) {
	dir, want := killedDir(t)
	m, err := readMark(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.manifest.size += 1000
	write(t, filepath.Join(dir, markFile), string(m.append(nil)))
	var damaged *DamagedError
	if _, err := OpenBadger(dir, Options{}); !errors.As(err, &damaged) {
		t.Fatalf("a MANIFEST cut short: got %v", err)
	}
	m.manifest.head[0]++
	write(t, filepath.Join(dir, markFile), string(m.append(nil)))
	if got := content(t, openTest(t, dir, nil)); len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

// TestMarkGolden pins the format.
func TestMarkGolden(t *testing.T) {
	m := mark{epoch: 7, group: 5, manifest: manifestEnd{head: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, size: 300}}
	want := "\x01" + string(m.append(nil)[1:frameSize]) + "\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x05\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00\x00\x01\x2c"
	if got := string(m.append(nil)); got != want || len(got) != storedMarkSize {
		t.Errorf("got %q, want %q", got, want)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, markFile), want)
	if got, err := readMark(dir); err != nil || got != m {
		t.Errorf("read %+v, %v", got, err)
	}
	m.closed = true
	write(t, filepath.Join(dir, markFile), string(m.append(nil)))
	if got, err := readMark(dir); err != nil || got != m {
		t.Errorf("read %+v, %v of one that is closed", got, err)
	}
}
