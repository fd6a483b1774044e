package deadletter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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
	text, err := os.ReadFile(w.box.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLetters(t *testing.T) {
	const head = `"kind":"undecodable","reason":"why","source":"in","offset":7,"time":"1970-01-01T00:00:01.5Z","record":`
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
			got := written(t, w)
			if d := cmp.Diff(head+test.want+"\n", got[len(`{"id":"0123456789ab",`):]); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestOldestLettersMakeRoom: what is there already counts, and what went is counted, ever.
func TestOldestLettersMakeRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	for run := range 2 {
		w := open(t, path, Options{MaxBytes: 4000})
		for i := range 100 {
			if err := w.Write(Letter{Reason: "why", Offset: int64(100*run + i), Record: []byte("0123456789")}); err != nil {
				t.Fatal(err)
			}
		}
		_, dropped := w.Counts()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := size(t, At(path)); n > 4000 || n < 3000 {
			t.Errorf("%d bytes kept", n)
		}
		all := letters(t, At(path))
		if last := all[len(all)-1].Offset; last != int64(100*run+99) || all[0].Offset != last-int64(len(all))+1 {
			t.Errorf("letters %d to %d", all[0].Offset, last)
		}
		if gone, err := At(path).Dropped(); err != nil || int(gone[Undecodable]) != 100*(run+1)-len(all) || dropped == 0 {
			t.Errorf("dropped %v, %v; %d are there", gone, err, len(all))
		}
	}
}

func size(t testing.TB, b *Box) int64 {
	t.Helper()
	n, err := b.olderBytes()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	return n + info.Size()
}

func letters(t testing.TB, b *Box) (all []*Stored) {
	t.Helper()
	if err := b.Letters(func(s *Stored) error { all = append(all, s); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAlertsStayWhileRecordsGo until there are only alerts; replaying some makes room.
func TestAlertsStayWhileRecordsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	w := open(t, path, Options{MaxBytes: 8000})
	kept := map[string]bool{}
	alert := func(i int) error {
		l := Letter{Kind: Undeliverable, Source: "sink s", Record: fmt.Appendf(nil, `{"id":"%d"}`, i), Whole: true}
		err := w.Keep(l)
		if err == nil {
			kept[l.id()] = true
		}
		return err
	}
	for i := range 20 {
		if err := alert(i); err != nil {
			t.Fatal(err)
		}
		for j := range 20 {
			if err := w.Write(Letter{Reason: "noise", Offset: int64(20*i + j), Record: []byte("0123456789")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	alerts := 0
	for _, l := range letters(t, At(path)) {
		if l.Kind == Undeliverable {
			alerts++
		}
	}
	if alerts != 20 {
		t.Errorf("%d alerts of 20 are there", alerts)
	}
	var err error
	for i := 20; err == nil; i++ {
		err = alert(i)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	all := letters(t, At(path))
	for _, l := range all {
		delete(kept, l.ID)
	}
	if len(kept) > 0 || size(t, At(path)) > 8000 {
		t.Errorf("%d alerts are gone, %d bytes", len(kept), size(t, At(path)))
	}
	if err := At(path).Done(Replayed, all[0].ID, all[1].ID, all[2].ID, all[3].ID, all[4].ID, all[5].ID, all[6].ID); err != nil {
		t.Fatal(err)
	}
	if err := alert(1000); err != nil {
		t.Errorf("after a replay: %v", err)
	}
}

func TestLettersAreReadCorrectedAndDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	box := At(path)
	if all := letters(t, box); len(all) != 0 {
		t.Errorf("%d letters in no file", len(all))
	}
	w := open(t, path, Options{})
	write := func(kind Kind, record string) {
		if err := w.Keep(Letter{Kind: kind, Reason: "why", Source: "in", Offset: 3, Time: 5e9, Record: []byte(record)}); err != nil {
			t.Fatal(err)
		}
	}
	write(Undecodable, "bad\xff")
	write(Late, `{"n":1}`)
	write(Undecodable, "bad\xff") // read again after a crash
	all := letters(t, box)
	if len(all) != 2 || all[1].Kind != Undecodable || string(all[1].Record) != "bad\xff" || all[0].Kind != Late || all[0].Time.Unix() != 5 {
		t.Fatalf("letters %+v", all)
	}
	if err := box.Correct(all[1].ID[:6], []byte("good")); err != nil {
		t.Fatal(err)
	}
	if err := box.Done(Purged, all[0].ID); err != nil {
		t.Fatal(err)
	}
	if got, err := box.Find(all[1].ID); err != nil || string(got.Record) != "good" || !got.Corrected || got.Done != "" {
		t.Errorf("corrected: %+v, %v", got, err)
	}
	if got, err := box.Find(all[0].ID); err != nil || got.Done != Purged {
		t.Errorf("purged: %+v, %v", got, err)
	}
	if _, err := box.Find("no"); !errors.Is(err, ErrNotFound) {
		t.Errorf("not there: %v", err)
	}
	if done, err := box.Tidy(); done || err != nil {
		t.Errorf("tidied while a writer has it: %v, %v", done, err)
	}
	w.Close()
	if done, err := box.Tidy(); !done || err != nil {
		t.Errorf("tidied: %v, %v", done, err)
	}
	if left := letters(t, box); len(left) != 1 || string(left[0].Record) != "good" {
		t.Errorf("left: %+v", left)
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, []byte(`\"n\":1`)) {
		t.Errorf("what is purged is on the disk: %s, %v", text, err)
	}
	w = open(t, path, Options{})
	write(Late, `{"n":1}`) // again
	if got, err := box.Find(all[0].ID); err != nil || got.Done != "" {
		t.Errorf("again: %+v, %v", got, err)
	}
}

// TestTornMarksAndLinesArePassedOver, as a crash or an editor leaves them.
func TestTornMarksAndLinesArePassedOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	w := open(t, path, Options{})
	for i := range 3 {
		if err := w.Keep(Letter{Offset: int64(i), Record: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	box := At(path)
	id := letters(t, box)[1].ID
	if err := box.Done(Replayed, id); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, box.marksPath()} {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("no letter\n{\"id\":\"torn")
		f.Close()
	}
	if err := box.Done(Replayed, letters(t, box)[0].ID); err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, l := range letters(t, box) {
		done = append(done, l.Done)
	}
	if diff := cmp.Diff([]string{Replayed, Replayed, ""}, done); diff != "" {
		t.Error(diff)
	}
}

func TestOldLettersGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	now := time.Now()
	w := open(t, path, Options{MaxBytes: 8000, MaxAge: time.Hour, Now: func() time.Time { return now }})
	for i := range 60 {
		if i == 30 {
			now = now.Add(2 * time.Hour)
		}
		if err := w.Keep(Letter{Kind: Undeliverable, Record: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if all := letters(t, At(path)); string(all[0].Record) < "25" || len(all) > 35 {
		t.Errorf("%d letters, the first %s", len(all), all[0].Record)
	}
}

// TestAnyHistoryIsThatOfItsTwin compares with a list.
func TestAnyHistoryIsThatOfItsTwin(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		w, err := Open(path, Options{})
		if err != nil {
			r.Fatal(err)
		}
		twin := map[string]string{} // record by id, of those that wait
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			ids := slices.Sorted(maps.Keys(twin))
			some := func() string { return ids[rapid.IntRange(0, len(ids)-1).Draw(r, "which")] }
			switch op := rapid.IntRange(0, 5).Draw(r, "op"); {
			case op <= 1 || len(ids) == 0:
				l := Letter{Offset: int64(rapid.IntRange(0, 9).Draw(r, "offset")), Record: []byte("r")}
				if err := w.Keep(l); err != nil {
					r.Fatal(err)
				}
				if _, ok := twin[l.id()]; !ok {
					twin[l.id()] = "r"
				}
				for _, s := range letters(t, At(path)) { // a correction holds for copies
					if s.ID == l.id() && s.Corrected {
						twin[l.id()] = string(s.Record)
					}
				}
			case op == 2:
				id, to := some(), fmt.Sprint("c", rapid.IntRange(0, 9).Draw(r, "to"))
				if err := At(path).Correct(id, []byte(to)); err != nil {
					r.Fatal(err)
				}
				twin[id] = to
			case op == 3:
				id := some()
				if err := At(path).Done(Purged, id); err != nil {
					r.Fatal(err)
				}
				delete(twin, id)
			case op == 4:
				if _, err := At(path).Tidy(); err != nil {
					r.Fatal(err)
				}
			case op == 5:
				if err := w.Close(); err != nil {
					r.Fatal(err)
				}
				if w, err = Open(path, Options{}); err != nil {
					r.Fatal(err)
				}
			}
			got := map[string]string{}
			for _, s := range letters(t, At(path)) {
				if s.Done == "" {
					got[s.ID] = string(s.Record)
				}
			}
			if diff := cmp.Diff(twin, got); diff != "" {
				r.Fatalf("(-want +got):\n%s", diff)
			}
		}
		w.Close()
	})
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
	f.Fuzz(func(t *testing.T, record []byte, reason string) {
		var b bytes.Buffer
		err := (&Letter{Reason: reason, Record: record}).encode(&b, 16)
		text := b.Bytes()
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
	l := Letter{Kind: Undeliverable, Reason: "refused", Source: "sink s", Record: bytes.Repeat([]byte("x"), 1500), Whole: true}
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
