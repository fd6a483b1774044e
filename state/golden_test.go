package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/state/golden"
)

// TestGoldenRecords: what this room itself writes is as it was, and is read as the same.
func TestGoldenRecords(t *testing.T) {
	known := mark{epoch: 7, manifest: manifestEnd{head: [8]byte{0, 0, 0, 9, 1, 2, 3, 4}, size: 4711}}
	key := []byte("\x02key")
	s := NewMemory()
	rows := outboxRows(t, s)
	records := golden.Check(t, filepath.Join("testdata", "records.golden"), Format, []string{"frame", "mark", "outbox", "delivered", "meta"}, append([]golden.Record{
		{Kind: "frame", Name: "of a value", About: `around "value" under the key "key" of the table of keys`, Bytes: appendFrame(nil, key, []byte("value"))},
		{Kind: "mark", Name: markFile, About: "epoch 7, the MANIFEST of 4711 bytes", Bytes: known.append(nil)},
	}, rows...))
	if value, err := unframe("dir", key, records[0].Bytes); string(value) != "value" || err != nil {
		t.Errorf("the frame is read as %q, %v", value, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, markFile), records[1].Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readMark(dir); got != known || err != nil {
		t.Errorf("the mark is read as %+v, %v", got, err)
	}
	o, err := OpenOutbox(t.Context(), s)
	if err != nil || o.Last() != 2 {
		t.Errorf("the outbox is at %+v, %v", o, err)
	}
}

// outboxRows are the records of an outbox of two rows, of which a sink has delivered one.
func outboxRows(t *testing.T, s *Memory) (records []golden.Record) {
	o, err := OpenOutbox(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	o.Append(&b, []byte(`{"rule":"r"}`))
	o.Append(&b, []byte(`{"rule":"s"}`))
	o.Acknowledge(&b, map[string]uint64{"file": 1, "http": 0})
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, table := range []Table{TableMeta, TableOutbox, TableDelivered} {
		err := s.Scan(t.Context(), table, nil, nil, func(key, value []byte) error {
			records = append(records, golden.Record{
				Kind: table.String(), Name: strconv.Quote(string(key)), Bytes: bytes.Clone(value),
				About: "two rows, of which the sink file has delivered one",
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// TestOldDirectoriesAreRefused: a directory of an older format, or a newer one, is left as
// it is, and the error says which it is, which would do, and what to do.
func TestOldDirectoriesAreRefused(t *testing.T) {
	for _, found := range []string{"cepheus-state 1", "cepheus-state 99", "else"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format-1"))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, formatFile), []byte(found+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, dir)
		_, err := OpenBadger(dir, Options{})
		var refused *FormatError
		if !errors.As(err, &refused) || refused.Found != found {
			t.Fatalf("got %v", err)
		}
		for _, part := range []string{dir, `"` + found + `"`, `"cepheus-state ` + Format + `"`, "open it with the release that wrote it, or start on a fresh directory"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %s: %v", part, err)
			}
		}
		if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
			t.Errorf("the directory has changed: %s", diff)
		}
	}
}

// filesIn reads all files of a directory.
func filesIn(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}
