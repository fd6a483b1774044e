package deadletter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, path string, o Options) *Writer {
	t.Helper()
	w, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func written(t testing.TB, w *Writer) string {
	t.Helper()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLetters(t *testing.T) {
	const head = `{"reason":"why","source":"in","offset":7,"time":"1970-01-01T00:00:01.5Z","record":`
	tests := []struct {
		name   string
		record string
		want   string
	}{
		{"text", `{"a": "<b>"}`, `"{\"a\": \"<b>\"}"}`},
		{"empty", "", `""}`},
		{"not utf-8", "a\xff", `"Yf8=","base64":true}`},
		{"control characters", "a\x00\n", `"a\u0000\n"}`},
		{"at the bound", "0123456789abcdef", `"0123456789abcdef"}`},
		{"beyond the bound", "0123456789abcdefg", `"0123456789abcdef","truncated":true}`},
		{"cut within a rune", "0123456789abcdeé!", `"0123456789abcde","truncated":true}`},
		{"binary beyond the bound", strings.Repeat("\x80", 20), `"` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x80", 16))) + `","base64":true,"truncated":true}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, filepath.Join(t.TempDir(), "dead.jsonl"), Options{MaxRecord: 16})
			err := w.Write(Letter{Reason: "why", Source: "in", Offset: 7, Time: 1.5e9, Record: []byte(test.record)})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(head+test.want+"\n", written(t, w)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestFullFileCountsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	for range 2 { // what is there already counts
		w := open(t, path, Options{MaxBytes: 1000})
		for range 100 {
			if err := w.Write(Letter{Reason: "why", Record: []byte("0123456789")}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(written(t, w)); n > 1000 || n < 900 {
			t.Errorf("%d bytes written", n)
		}
		if kept, dropped := w.Counts(); kept+dropped != 100 || dropped < 80 {
			t.Errorf("kept %d, dropped %d", kept, dropped)
		}
		w.Close()
	}
}

func TestSeveralGoroutines(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "dead.jsonl"), Options{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 50 {
				if err := w.Write(Letter{Reason: fmt.Sprint(i), Record: bytes.Repeat([]byte("x"), 500)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	n := 0
	for text := range strings.Lines(written(t, w)) {
		if !json.Valid([]byte(text)) {
			t.Fatalf("line %d: %q", n, text)
		}
		n++
	}
	if n != 200 {
		t.Errorf("%d letters, want 200", n)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "x"), Options{MaxBytes: -1}); err == nil {
		t.Error("a negative bound was accepted")
	}
}

// FuzzLetter: whatever the record, the line is one line of JSON that gives it back.
func FuzzLetter(f *testing.F) {
	f.Add([]byte("a\xff\n"), "why")
	f.Add([]byte("0123456789abcdeé"), "<")
	w := open(f, filepath.Join(f.TempDir(), "dead.jsonl"), Options{MaxRecord: 16})
	f.Fuzz(func(t *testing.T, record []byte, reason string) {
		text, err := w.encode(Letter{Reason: reason, Record: record})
		if err != nil || bytes.IndexByte(text, '\n') >= 0 {
			t.Fatalf("%q, %v", text, err)
		}
		var got line
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		back := []byte(got.Record)
		if got.Base64 {
			back, _ = base64.StdEncoding.DecodeString(got.Record)
		}
		if !bytes.HasPrefix(record, back) || got.Truncated != (len(record) > 16) || !got.Truncated && len(back) != len(record) {
			t.Errorf("record %q came back as %q (truncated: %v)", record, back, got.Truncated)
		}
		if got.Base64 == utf8.Valid(back) {
			t.Errorf("record %q: base64 %v", record, got.Base64)
		}
	})
}

func TestKeptLetterIsWholeOrRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	w, err := Open(path, Options{MaxBytes: 2000, MaxRecord: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := Letter{Reason: "refused", Source: "sink s", Record: bytes.Repeat([]byte("x"), 1500), Whole: true}
	if err := w.Keep(l); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path) // before Close: it is on the disk
	if err != nil || !bytes.Contains(text, l.Record) {
		t.Errorf("%v, in the file:\n%s", err, text)
	}
	if err := w.Keep(l); !errors.Is(err, ErrFull) {
		t.Errorf("a second one: %v", err)
	}
	if kept, dropped := w.Counts(); kept != 1 || dropped != 0 {
		t.Errorf("%d kept, %d dropped", kept, dropped)
	}
}
