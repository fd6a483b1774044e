package file

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
)

func lines(from, to int) (rows []sinks.Row) {
	for i := from; i <= to; i++ {
		rows = append(rows, sinks.Row{Number: uint64(i), Alert: fmt.Appendf(nil, `{"id":"%04d"}`, i)})
	}
	return rows
}

func deliver(t testing.TB, s *Sink, rows []sinks.Row) {
	t.Helper()
	if n, err := s.Deliver(t.Context(), rows); err != nil || n != len(rows) {
		t.Fatal(n, err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// contents are those of all files, the oldest first.
func contents(t testing.TB, path string) (all []string) {
	t.Helper()
	names, err := full(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, path) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = bytes.NewReader(text)
		switch filepath.Ext(name) {
		case ".gz":
			r, err = gzip.NewReader(r)
		case ".zst":
			r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

func whole(rows []sinks.Row) string {
	var b strings.Builder
	for _, r := range rows {
		b.Write(append(r.Alert, '\n'))
	}
	return b.String()
}

// TestFilesAreBegunWhereOneIsFull, over starts, and nothing is lost between them.
func TestFilesAreBegunWhereOneIsFull(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n), "alerts.jsonl")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			r.Fatal(err)
		}
		o := Options{MaxBytes: int64(rapid.IntRange(1, 100).Draw(r, "bytes")), Compress: rapid.SampledFrom([]Compression{Plain, Gzip, Zstd}).Draw(r, "compress")}
		sent := 0
		for range rapid.IntRange(1, 4).Draw(r, "runs") {
			s, err := New(path, o)
			if err != nil {
				r.Fatal(err)
			}
			for range rapid.IntRange(0, 3).Draw(r, "lots") {
				lot := rapid.IntRange(1, 9).Draw(r, "lot")
				deliver(t, s, lines(sent+1, sent+lot))
				sent += lot
			}
			if err := s.Close(); err != nil {
				r.Fatal(err)
			}
		}
		all := contents(t, path)
		for _, text := range all {
			if int64(len(text)) > o.MaxBytes && strings.Count(text, "\n") > 1 {
				r.Errorf("a file of %d bytes, the bound is %d", len(text), o.MaxBytes)
			}
		}
		if diff := cmp.Diff(whole(lines(1, sent)), strings.Join(all, "")); diff != "" {
			r.Errorf("(-sent +kept)\n%s", diff)
		}
		names, err := full(path)
		if err != nil {
			r.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, string(o.Compress)) {
				r.Errorf("%s is not compressed by %s", name, o.Compress)
			}
		}
	})
}

func TestFilesAreBegunAtTheirTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(23 * time.Hour)
	s, err := New(path, Options{Every: 24 * time.Hour, Keep: 2, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 10; i++ {
		deliver(t, s, lines(i, i))
		now = now.Add(10 * time.Hour) // 23, 9, 19, 5, 15, 1, 11, 21, 7, 17
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{whole(lines(4, 5)), whole(lines(6, 8)), whole(lines(9, 10))} // those of the first two days are gone
	if diff := cmp.Diff(want, contents(t, path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFileThatIsMovedIsBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	deliver(t, s, lines(1, 2))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, lines(3, 4))
	for name, want := range map[string]string{path + ".1": whole(lines(1, 2)), path: whole(lines(3, 4))} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestFullFileOfACrashIsCompressedAtTheNextStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	left := path + "." + time.Unix(0, 0).UTC().Format(stamp)
	if err := os.WriteFile(left, []byte(whole(lines(1, 3))), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(path, Options{Compress: Gzip})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{whole(lines(1, 3)), ""}, contents(t, path)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(left + ".gz"); err != nil {
		t.Error(err)
	}
}

func TestWrongOptions(t *testing.T) {
	for name, o := range map[string]Options{"bytes": {MaxBytes: -1}, "every": {Every: -1}, "keep": {Keep: -1}, "compress": {Compress: "lzma"}} {
		if _, err := New(filepath.Join(t.TempDir(), "a"), o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
