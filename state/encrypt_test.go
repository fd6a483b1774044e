package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// Keys for tests, of all lengths.
func testKey(t testing.TB, digits string, n int) *seal.Key {
	t.Helper()
	k, err := seal.ParseKey(strings.Repeat(digits, n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const plainText = "4111-1111-1111-1111"

// fillSecret commits epochs in which plainText is in every key and value: small ones, values
// that lie apart, rows of the outbox, and removals. It returns what is there in the end.
func fillSecret(t *testing.T, s *Badger, epochs int) map[string]string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	b := &Batch{}
	for e := range epochs {
		b.Reset()
		for i := range 50 {
			key := fmt.Sprintf("%s/%d", plainText, random.IntN(400))
			if i%7 == 6 {
				b.Delete(TableKeys, []byte(key))
				delete(want, key)
				continue
			}
			value := strings.Repeat(fmt.Sprintf("card %s of epoch %d ", plainText, e), 1+random.IntN(20))
			if e%5 == 4 && i == 0 {
				value = strings.Repeat(value, 100_000/len(value)+3)
			}
			b.Put(TableKeys, []byte(key), []byte(value))
			want[key] = value
		}
		b.Put(TableOutbox, []byte(fmt.Sprintf("%s %d", plainText, e)), []byte(plainText))
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if e%10 == 9 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return want
}

func keysIn(t *testing.T, s *Badger) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.Scan(t.Context(), TableKeys, nil, nil, func(k, v []byte) error {
		got[string(k)] = string(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func openKey(t *testing.T, dir string, key *seal.Key) *Badger {
	t.Helper()
	s, err := OpenBadger(dir, Options{Key: key, KeyRotation: time.Nanosecond, MemTable: leastMemTable, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// findPlain returns the files below dir in which a text stands.
func findPlain(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEncryptedStateHoldsNothingPlain(t *testing.T) {
	for _, n := range []int{16, 24, 32} {
		key := testKey(t, "a7", n)
		for _, encrypted := range []*seal.Key{key, nil} {
			dir := filepath.Join(t.TempDir(), "state")
			s := openKey(t, dir, encrypted)
			want := fillSecret(t, s, 45)
			whileOpen := findPlain(t, dir, "1111")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			found := append(whileOpen, findPlain(t, dir, "1111")...)
			if (len(found) > 0) != (encrypted == nil) {
				t.Errorf("key of %d bytes, encrypted %t: plain text in %q", n, encrypted != nil, found)
			}
			again := openKey(t, dir, encrypted)
			if d := cmp.Diff(want, keysIn(t, again)); d != "" {
				t.Errorf("after opening again (-want +got):\n%s", d)
			}
		}
	}
}

// TestEncryptedStateAfterKill opens copies of a directory that was not closed.
func TestEncryptedStateAfterKill(t *testing.T) {
	key := testKey(t, "b3", 32)
	dir := filepath.Join(t.TempDir(), "state")
	s := openKey(t, dir, key)
	want := fillSecret(t, s, 33)
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, keysIn(t, openKey(t, copied, key))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestKeysThatDoNotFitAreRefused(t *testing.T) {
	key, other := testKey(t, "a7", 32), testKey(t, "a8", 32)
	for name, c := range map[string]struct {
		made, given *seal.Key
		want        KeyFault
	}{
		"encrypted, no key":    {key, nil, KeyMissing},
		"encrypted, other key": {key, other, KeyWrong},
		"plain, a key":         {nil, key, KeyUnneeded},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		s := openKey(t, dir, c.made)
		want := fillSecret(t, s, 3)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		tries := map[string]func() error{
			"open":   func() error { _, err := OpenBadger(dir, Options{Key: c.given}); return err },
			"verify": func() error { return VerifyFiles(dir, c.given, func(f Fault) { t.Errorf("%s: found %v", name, f) }) },
			"rekey":  func() error { return Rekey(dir, c.given, other) },
		}
		for what, try := range tries {
			err := try()
			var refused *KeyError
			if !errors.As(err, &refused) || refused.Why != c.want || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "state.encryption.key") {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		if d := cmp.Diff(want, keysIn(t, openKey(t, dir, c.made))); d != "" {
			t.Errorf("%s: it has changed (-want +got):\n%s", name, d)
		}
	}
}

// TestRekeyOfAPlainDirectory: there is no key to change, and nothing to seal under another.
func TestRekeyOfAPlainDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := openKey(t, dir, nil).Close(); err != nil {
		t.Fatal(err)
	}
	var refused *KeyError
	if err := Rekey(dir, nil, testKey(t, "a8", 32)); !errors.As(err, &refused) || refused.Why != KeyPlain {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, keysFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has keys: %v", err)
	}
}

func TestRekey(t *testing.T) {
	former, key := testKey(t, "a7", 16), testKey(t, "a8", 32)
	dir := filepath.Join(t.TempDir(), "state")
	s := openKey(t, dir, former)
	want := fillSecret(t, s, 12)
	var locked *LockedError
	if err := Rekey(dir, former, key); !errors.As(err, &locked) {
		t.Errorf("while it is open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keysTemp), []byte("what a crash left"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rekey(dir, former, key); err != nil {
		t.Fatal(err)
	}
	var refused *KeyError
	if _, err := OpenBadger(dir, Options{Key: former}); !errors.As(err, &refused) || refused.Why != KeyWrong {
		t.Errorf("the former key: %v", err)
	}
	if d := cmp.Diff(want, keysIn(t, openKey(t, dir, key))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestBadgerKeysRotate(t *testing.T) {
	key := testKey(t, "a7", 32)
	dir := filepath.Join(t.TempDir(), "state")
	s := openKey(t, dir, key)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openKey(t, dir, key)
	keys, err := readDataKeys(dir, s.opt.badger(filepath.Join(dir, treeDir), s.ring))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := keys.of(3); err != nil || len(k) != 32 {
		t.Errorf("the third key: %d bytes, %v", len(k), err)
	}
}

func TestBackupsOfEncryptedState(t *testing.T) {
	key, other := testKey(t, "a7", 32), testKey(t, "a8", 24)
	s := openKey(t, filepath.Join(t.TempDir(), "state"), key)
	want := fillSecret(t, s, 24)
	var text bytes.Buffer
	if _, err := s.Backup(t.Context(), &text, nil); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text.Bytes(), []byte("1111")) {
		t.Error("plain text in the backup")
	}
	for name, o := range map[string]Options{
		"the same key":        {Key: key},
		"another key":         {Key: other, BackupKey: key},
		"a key no longer":     {BackupKey: key},
		"what needs no other": {Key: key, BackupKey: key},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		o.MemTable = leastMemTable
		if _, err := Restore(t.Context(), bytes.NewReader(text.Bytes()), dir, o, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found := findPlain(t, dir, "1111"); (len(found) > 0) != (o.Key == nil) {
			t.Errorf("%s: plain text in %q", name, found)
		}
		if d := cmp.Diff(want, keysIn(t, openKey(t, dir, o.Key))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	var refused *KeyError
	if _, err := CheckBackup(t.Context(), bytes.NewReader(text.Bytes()), nil, nil); !errors.As(err, &refused) || refused.Why != KeyMissing {
		t.Errorf("no key: %v", err)
	}
	if _, err := CheckBackup(t.Context(), bytes.NewReader(text.Bytes()), other, nil); !errors.As(err, &refused) || refused.Why != KeyWrong {
		t.Errorf("another key: %v", err)
	}
	checkDamagedBackups(t, text.Bytes(), key)
}

func checkDamagedBackups(t *testing.T, text []byte, key *seal.Key) {
	t.Helper()
	head := len(sealedBackupHead) + 60 // with the key
	for at := head; at < len(text); at += 1 + len(text)/97 {
		flipped := bytes.Clone(text)
		flipped[at] ^= 1
		for _, wrong := range [][]byte{text[:at], flipped} {
			var backup *BackupError
			if _, err := CheckBackup(context.Background(), bytes.NewReader(wrong), key, nil); !errors.As(err, &backup) {
				t.Errorf("byte %d of %d: %v", at, len(text), err)
			}
		}
	}
	var backup *BackupError
	if _, err := CheckBackup(context.Background(), bytes.NewReader(append(bytes.Clone(text), 0)), key, nil); !errors.As(err, &backup) {
		t.Errorf("with a byte behind it: %v", err)
	}
}

// TestDamageOfEncryptedState flips a byte in each file and expects to be told, by the opening
// or by the verb, as without encryption.
func TestDamageOfEncryptedState(t *testing.T) {
	key := testKey(t, "a7", 32)
	dir := filepath.Join(t.TempDir(), "state")
	s := openKey(t, dir, key)
	fillSecret(t, s, 40)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openKey(t, dir, key)
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	fillSecret(t, s, 3)
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	for _, pattern := range []string{keysFile, treeDir + "/*.sst", treeDir + "/KEYREGISTRY", journalDir + "/*.log"} {
		paths, err := filepath.Glob(filepath.Join(copied, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: none there, %v", pattern, err)
		}
		for _, path := range paths {
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			flipped := bytes.Clone(whole)
			flipped[len(whole)/3] ^= 0x10
			write(t, path, string(flipped))
			if again, err := OpenBadger(copied, Options{Key: key, MemTable: leastMemTable}); err == nil {
				again.Close()
				t.Errorf("%s: opened with a byte flipped", path)
			}
			write(t, path, string(whole))
		}
	}
	if d := cmp.Diff(keysIn(t, s), keysIn(t, openKey(t, copied, key))); d != "" {
		t.Errorf("mended (-want +got):\n%s", d)
	}
}

// TestInterruptedFirstStartWithAnotherKey goes on from what was half made for another key.
func TestInterruptedFirstStartWithAnotherKey(t *testing.T) {
	key, other := testKey(t, "a7", 32), testKey(t, "a8", 32)
	for _, c := range [][2]*seal.Key{{key, other}, {key, nil}, {nil, key}, {key, key}} {
		dir := filepath.Join(t.TempDir(), "state")
		s := openKey(t, dir, c[0])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, formatFile), filepath.Join(dir, formatTemp)); err != nil {
			t.Fatal(err)
		}
		again := openKey(t, dir, c[1])
		fillSecret(t, again, 2)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if encrypted, err := IsEncrypted(dir); err != nil || encrypted != (c[1] != nil) {
			t.Errorf("encrypted %t, %v", encrypted, err)
		}
	}
}
