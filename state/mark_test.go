package state

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// outrun makes a directory whose mark is two epochs ahead of its journal, as a power cut can
// leave it that came before the disk had the journal's end, and returns what is in it.
func outrun(t *testing.T, o Options) (dir string, left map[string]string) {
	t.Helper()
	s, err := OpenBadger(filepath.Join(t.TempDir(), "state"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	base(t, s)
	if err := s.Commit(t.Context(), change(5)); err != nil {
		t.Fatal(err)
	}
	left = content(t, openTest(t, crash(t, s), nil)) // of a copy: reading all takes the journal over
	logs, err := filepath.Glob(filepath.Join(s.dir, journalDir, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	info, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Commit(t.Context(), change(10)); err != nil {
			t.Fatal(err)
		}
	}
	dir = crash(t, s)
	if err := os.Truncate(filepath.Join(dir, journalDir, filepath.Base(logs[0])), info.Size()); err != nil {
		t.Fatal(err)
	}
	return dir, left
}

// TestEpochsThatThePowerCutTook: where the disk is not waited for they are given up, with a
// word; else there is damage.
func TestEpochsThatThePowerCutTook(t *testing.T) {
	dir, want := outrun(t, Options{MemTable: leastMemTable, NoSync: true})
	var said bytes.Buffer
	for range 2 { // it is said once, and the mark is right again
		s, err := OpenBadger(dir, Options{MemTable: leastMemTable, Log: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, content(t, s)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if err := errors.Join(s.Commit(t.Context(), &Batch{}), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(said.String(), "the last epochs are gone"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
	if m, err := readMark(dir); err != nil || m.loose {
		t.Errorf("the mark is still loose (%v), %v", m.loose, err)
	}

	dir, _ = outrun(t, Options{MemTable: leastMemTable, NoSync: true, vouch: true})
	var damaged *DamagedError
	if _, err := OpenBadger(dir, Options{}); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "the journal ends with epoch") {
		t.Errorf("a journal that was waited for, cut short: %v", err)
	}
}
