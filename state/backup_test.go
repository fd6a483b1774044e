package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// records returns all of a store.
func records(t *testing.T, s *Badger) map[string]string {
	t.Helper()
	all := map[string]string{}
	for table := range Table(len(tableNames)) {
		if table == tableMarker {
			continue
		}
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

func backUp(t *testing.T, s *Badger) []byte {
	t.Helper()
	var b bytes.Buffer
	stats, err := s.Backup(t.Context(), &b, nil)
	if err != nil || stats.Bytes != int64(b.Len()) || stats.Epoch != s.Epoch() {
		t.Fatalf("%+v of %d bytes: %v", stats, b.Len(), err)
	}
	return b.Bytes()
}

func TestRestoredStoreIsTheOneBackedUp(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	want, text := records(t, s), backUp(t, s)
	if stats, err := CheckBackup(t.Context(), bytes.NewReader(text), nil, nil); err != nil || stats.Records != uint64(len(want)) {
		t.Fatalf("%+v of %d records: %v", stats, len(want), err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	for range 2 { // the second is refused
		_, err := Restore(t.Context(), bytes.NewReader(text), dir, Options{MemTable: leastMemTable}, nil)
		if exists := (*ExistsError)(nil); err != nil && !errors.As(err, &exists) {
			t.Fatal(err)
		}
	}
	epoch := s.Epoch()
	for range 2 { // it goes on, and opens again
		r := openTest(t, dir, nil)
		if got := records(t, r); !maps.Equal(got, want) || r.Epoch() != epoch {
			t.Fatalf("epoch %d of %d records, want epoch %d of %d", r.Epoch(), len(got), epoch, len(want))
		}
		if err := r.Commit(t.Context(), change(1)); err != nil {
			t.Fatal(err)
		}
		want, epoch = records(t, r), epoch+1
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmptyStoreIsBackedUpAndRestored(t *testing.T) {
	text := backUp(t, openTest(t, filepath.Join(t.TempDir(), "state"), nil))
	dir := t.TempDir() // an empty folder is room enough
	if _, err := Restore(t.Context(), bytes.NewReader(text), dir, Options{}, nil); err != nil {
		t.Fatal(err)
	}
	r := openTest(t, dir, nil)
	base(t, r)
}

// TestBackupOfAStoreThatGoesOn writes two records in each epoch that must be the same in
// any backup.
func TestBackupOfAStoreThatGoesOn(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	commit := func(n uint64) error {
		var b Batch
		for _, key := range []string{"a", "z"} {
			b.Put(TableMeta, []byte(key), binary.BigEndian.AppendUint64(nil, n))
		}
		for i := range uint64(500) {
			b.Put(TableKeys, binary.BigEndian.AppendUint64(nil, i), bytes.Repeat([]byte{byte(n)}, 200))
		}
		return s.Commit(t.Context(), &b)
	}
	if err := commit(1); err != nil {
		t.Fatal(err)
	}
	done, stop := make(chan error), make(chan struct{})
	go func() {
		for n := uint64(2); ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := commit(n); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 5 {
		var text bytes.Buffer
		slow := slowly(func(b []byte) (int, error) { return text.Write(b) })
		stats, err := s.Backup(t.Context(), slow, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := Restore(t.Context(), &text, dir, Options{}, nil); err != nil {
			t.Fatal(err)
		}
		r := openTest(t, dir, nil)
		for key, value := range records(t, r) {
			if n := value[len(value)-1]; n != byte(stats.Epoch) {
				t.Fatalf("record %q is of epoch %d in a backup of epoch %d", key, n, stats.Epoch)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type slowly func(b []byte) (int, error)

func (w slowly) Write(b []byte) (int, error) { return w(b) }

func TestDamagedBackupIsRefused(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	base(t, s)
	text := backUp(t, s)
	refused := func(what string, text []byte) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(t.Context(), bytes.NewReader(text), dir, Options{MemTable: leastMemTable}, nil)
		if wrong := (*BackupError)(nil); !errors.As(err, &wrong) {
			t.Errorf("%s: got %v", what, err)
		}
		left, _ := os.ReadDir(filepath.Dir(dir))
		if len(left) > 0 {
			t.Errorf("%s: left %s behind", what, left[0].Name())
		}
	}
	for at := 0; at < len(text); at += 1 + at/2 {
		refused(fmt.Sprintf("cut to %d bytes", at), text[:at])
		flipped := bytes.Clone(text)
		flipped[at] ^= 0x10
		refused(fmt.Sprintf("flipped at %d", at), flipped)
	}
	for at := len(text) - 50; at < len(text); at++ {
		flipped := bytes.Clone(text)
		flipped[at] ^= 0x10
		_, err := CheckBackup(t.Context(), bytes.NewReader(flipped), nil, nil)
		if wrong := (*BackupError)(nil); !errors.As(err, &wrong) {
			t.Errorf("flipped at %d: got %v", at, err)
		}
	}
	refused("something behind it", append(bytes.Clone(text), 0))
	refused("of another format", append([]byte("cepheus-backup 7 of state 9\n"), text...))
}

func TestRestoreToAFullDiskLeavesNothing(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	dir := filepath.Join(t.TempDir(), "restored")
	full := Options{FreeSpace: func(string) (uint64, error) { return 1 << 20, nil }}
	_, err := Restore(t.Context(), bytes.NewReader(backUp(t, s)), dir, full, nil)
	if space := (*SpaceError)(nil); !errors.As(err, &space) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) > 0 {
		t.Errorf("left %s behind", left[0].Name())
	}
}

func FuzzCheckBackup(f *testing.F) {
	f.Add([]byte(backupHead))
	f.Add([]byte(backupHead + "\x00\x00\x00\x00\x00\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := CheckBackup(t.Context(), bytes.NewReader(text), nil, nil)
		if wrong := (*BackupError)(nil); err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%v", err)
		}
	})
}

func TestBackupWhoseWriterFails(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	base(t, s)
	wrong := errors.New("no more room")
	_, err := s.Backup(t.Context(), slowly(func([]byte) (int, error) { return 0, wrong }), nil)
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Backup(t.Context(), io.Discard, nil); err != nil {
		t.Error(err)
	}
}

// faults collects what VerifyFiles finds.
func faults(t *testing.T, dir string) (all []Fault) {
	t.Helper()
	if err := VerifyFiles(dir, nil, func(f Fault) { all = append(all, f) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVerifyNamesEveryDamagedBlock(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	for range 3 {
		if err := errors.Join(s.Commit(t.Context(), change(4000)), s.Checkpoint(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if all := faults(t, s.dir); len(all) > 0 {
		t.Fatalf("undamaged: %+v", all)
	}
	tables, err := filepath.Glob(filepath.Join(s.dir, treeDir, "*"+tableExt))
	if err != nil || len(tables) < 2 {
		t.Fatal(tables, err)
	}
	for _, path := range tables[:2] {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[20] ^= 1
		if len(text) > 20_000 {
			text[9000] ^= 1
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := faults(t, s.dir)
	if len(all) < 2 {
		t.Fatalf("two tables damaged, got %+v", all)
	}
	for _, f := range all {
		if !strings.HasPrefix(f.File, "tree/0000") || len(f.Key) == 0 || !strings.Contains(f.Err.Error(), "block") {
			t.Errorf("got %+v", f)
		}
	}
}

func TestVerifyNamesARecordThatDoesNotMatchItsFrame(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	fill(t, s)
	large := bytes.Repeat([]byte("l"), 1_000_000)
	for _, size := range []int{100, len(large)} {
		var b Batch
		b.Put(TableKeys, []byte(fmt.Sprint("wrong", size)), large[:size])
		b.arena[len(b.arena)-1] ^= 1
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, s.dir, nil)
	var got []string
	err := s.VerifyRecords(t.Context(), func(Table, []byte, []byte) error { return nil }, func(f Fault) {
		got = append(got, fmt.Sprintf("%s of %s: %v", f.Key, filepath.Ext(f.File), f.Err))
	})
	want := []string{"wrong100 of .sst: checksum does not match", "wrong1000000 of .vlog: checksum does not match"}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestCompactDropsWhatIsNoMore(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "state"), nil)
	for epoch := range 12 {
		var b Batch
		for i := range 2000 {
			b.Put(TableKeys, binary.BigEndian.AppendUint64(nil, uint64(i)), bytes.Repeat([]byte{byte(epoch)}, 300))
		}
		b.Put(TableKeys, []byte("large"), bytes.Repeat([]byte{byte(epoch)}, 900_000))
		if epoch == 11 {
			b.Reset()
			for i := range 1990 {
				b.Delete(TableKeys, binary.BigEndian.AppendUint64(nil, uint64(i)))
			}
		}
		if err := errors.Join(s.Commit(t.Context(), &b), s.Checkpoint(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := SizesOf(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	s = openTest(t, s.dir, nil)
	want := records(t, s)
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := SizesOf(s.dir)
	if err != nil || after.Tables*4 > max(before.Tables, 64<<10) { // it may have been compacted by itself
		t.Errorf("tables took %d bytes, and now %d: %v", before.Tables, after.Tables, err)
	}
	t.Logf("%+v → %+v", before, after)
	if got := records(t, openTest(t, s.dir, nil)); !maps.Equal(got, want) || len(got) != 11 {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}
