package journal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// open returns a journal and the writes that it gave back, in order.
func open(t testing.TB, dir string, o Options, applied uint64) (*Journal, []string, Opened, error) {
	t.Helper()
	o.NoSync = true
	var got []string
	hasher, last := NewHasher(), Place(0)
	o.Hasher = &hasher
	j, found, err := Open(dir, o, applied, func(o Op, h Hash, p Place) error {
		if got = append(got, text(o)); h != hasher.Of(o.Key) || p <= last {
			t.Errorf("%s: another hash, or place %d after %d", o.Key, p, last)
		}
		last = p
		return nil
	})
	if err == nil {
		t.Cleanup(func() { j.Close() })
	}
	return j, got, found, err
}

func text(o Op) string {
	if o.Stored == nil {
		return string(o.Key) + " gone"
	}
	return string(o.Key) + "=" + string(o.Stored)
}

func mustOpen(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, _, _, err := open(t, dir, o, 0)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func appendOps(t testing.TB, j *Journal, ops ...Op) []Place {
	t.Helper()
	places := make([]Place, len(ops))
	if err := j.Append(len(ops), func(i int) Op { return ops[i] }, places); err != nil {
		t.Fatal(err)
	}
	return places
}

func put(key, value string) Op { return Op{[]byte(key), []byte(value)} }

// three writes three short records and returns the file and where the last begins.
func three(t testing.TB, dir string) (path string, last int64) {
	j := mustOpen(t, dir, Options{})
	appendOps(t, j, put("a", "1"), put("b", "1"))
	appendOps(t, j, Op{Key: []byte("a")})
	last = j.Bytes()
	appendOps(t, j, put("b", "3"), put("c", ""))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "000001.log"), last
}

var beforeLast = []string{"a=1", "b=1", "a gone"}

func TestAnEmptyRecordIsOne(t *testing.T) {
	dir := t.TempDir()
	appendOps(t, mustOpen(t, dir, Options{}))
	if j := mustOpen(t, dir, Options{}); j.Last() != 1 {
		t.Errorf("last epoch %d, want 1", j.Last())
	}
}

// TestTornTail cuts and zeroes the last record at every byte.
func TestTornTail(t *testing.T) {
	from := t.TempDir()
	path, last := three(t, from)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := last; at <= int64(len(whole)); at++ {
		zeroed := bytes.Clone(whole)
		clear(zeroed[at:])
		for name, torn := range map[string][]byte{"cut": whole[:at], "zeroed": zeroed} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "000001.log"), torn)
			j, got, found, err := open(t, dir, Options{}, 0)
			if err != nil {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			want := beforeLast
			if bytes.Equal(torn, whole) {
				want = append(beforeLast[:3:3], "b=3", "c=")
			} else if found.Cut != int64(len(torn))-last {
				t.Errorf("%s at %d: cut off %d bytes", name, at, found.Cut)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s at %d (-want +got):\n%s", name, at, d)
			}
			appendOps(t, j, put("d", "4"))
			if _, again, _, err := open(t, dir, Options{}, 0); err != nil || again[len(again)-1] != "d=4" || len(again) != len(want)+1 {
				t.Fatalf("%s at %d: after another record: %q, %v", name, at, again, err)
			}
		}
	}
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamageBeforeTheLastRecord flips every byte before the last record.
func TestDamageBeforeTheLastRecord(t *testing.T) {
	dir := t.TempDir()
	path, last := three(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range last {
		b := bytes.Clone(whole)
		b[at] ^= 0x55
		write(t, path, b)
		_, _, _, err := open(t, dir, Options{}, 0)
		var damage *Damage
		if !errors.As(err, &damage) || damage.File != "000001.log" || damage.Offset > at {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
	}
}

func TestMissingSegmentIsDamage(t *testing.T) {
	for gone, want := range map[int]bool{1: true, 2: true, 3: false} { // of the last only the mark knows
		dir := t.TempDir()
		j := mustOpen(t, dir, Options{Segment: 1})
		for i := range 3 {
			appendOps(t, j, put("a", fmt.Sprint(i)))
		}
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%06d.log", gone))); err != nil {
			t.Fatal(err)
		}
		_, _, _, err := open(t, dir, Options{}, 0)
		if damage := (*Damage)(nil); errors.As(err, &damage) != want {
			t.Errorf("without segment %d: %v", gone, err)
		}
	}
}

func TestTornRecordBeforeALaterSegmentIsDamage(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Options{Segment: 1})
	appendOps(t, j, put("a", "1"))
	appendOps(t, j, put("a", "2"))
	if err := os.Truncate(filepath.Join(dir, "000001.log"), 20); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := open(t, dir, Options{}, 0)
	if damage := (*Damage)(nil); !errors.As(err, &damage) {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasAppliedIsPassedOverAndRemoved(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Options{Segment: 1})
	for i := range 4 {
		appendOps(t, j, put("a", fmt.Sprint(i+1)))
	}
	for applied, want := range [][]string{{"a=1", "a=2", "a=3", "a=4"}, {"a=2", "a=3", "a=4"}, {"a=3", "a=4"}, {"a=4"}, nil, nil} {
		j, got, _, err := open(t, dir, Options{}, uint64(applied))
		if err != nil || j.Last() != uint64(max(4, applied)) {
			t.Fatalf("applied %d: %v", applied, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("applied %d (-want +got):\n%s", applied, d)
		}
	}
	if left, _ := list(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRemoveLeavesWhatIsNotSealed(t *testing.T) {
	j := mustOpen(t, t.TempDir(), Options{})
	appendOps(t, j, put("a", "1"))
	end := j.Seal()
	at := appendOps(t, j, put("a", "2"))
	if err := j.Remove(end); err != nil {
		t.Fatal(err)
	}
	if at[0].Before(end) {
		t.Error("a later record lies before the seal")
	}
	if got, err := j.Read(at[0], []byte("a"), nil); string(got) != "2" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := j.Remove(j.Seal()); err != nil || j.Bytes() != 0 {
		t.Errorf("%d bytes left, %v", j.Bytes(), err)
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	boom := errors.New("boom")
	fail := false
	j := mustOpen(t, dir, Options{Step: func(name string) error {
		if fail && name == "after record" {
			return boom
		}
		return nil
	}})
	appendOps(t, j, put("a", "1"))
	fail = true
	if err := j.Append(1, func(int) Op { return put("a", "2") }, make([]Place, 1)); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if err := j.Rollback(); err != nil {
		t.Fatal(err)
	}
	fail = false
	appendOps(t, j, put("a", "3"))
	if _, got, _, err := open(t, dir, Options{}, 0); err != nil || cmp.Diff([]string{"a=1", "a=3"}, got) != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAgainstSlices appends random records and reads all of them by place and by opening.
func TestAgainstSlices(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "") //nolint:usetesting // one a draw
		if err != nil {
			r.Fatal(err)
		}
		o := Options{Segment: int64(rapid.SampledFrom([]int{1, 50_000, 1 << 20}).Draw(r, "segment"))}
		j := mustOpen(t, dir, o)
		var want []string
		var ops []Op
		var places []Place
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		for range rapid.IntRange(1, 6).Draw(r, "records") {
			batch := make([]Op, rapid.IntRange(0, 40).Draw(r, "writes"))
			for i := range batch {
				batch[i] = randomOp(r, random)
				want = append(want, text(batch[i]))
			}
			places = append(places, appendOps(t, j, batch...)...)
			ops = append(ops, batch...)
		}
		walk := j.Walk()
		for _, i := range random.Perm(len(ops)) {
			if o, err := walk.View(places[i]); err != nil || text(o) != want[i] {
				r.Fatalf("write %d: %.40q, %v; want %.40q", i, text(o), err, want[i])
			}
			if ops[i].Stored != nil {
				got, err := j.Read(places[i], ops[i].Key, []byte("before "))
				if err != nil || string(got) != "before "+string(ops[i].Stored) {
					r.Fatalf("write %d: read %.40q, %v; want %.40q", i, got, err, ops[i].Stored)
				}
			}
			if places[i].Deleted() != (ops[i].Stored == nil) || i > 0 && places[i] <= places[i-1] {
				r.Fatalf("write %d has place %d after %d", i, places[i], places[max(i-1, 0)])
			}
		}
		_, got, _, err := open(t, dir, o, 0)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			r.Fatalf("opened: %v (-want +got):\n%s", err, d)
		}
	})
}

func randomOp(r *rapid.T, random *rand.Rand) Op {
	o := Op{Key: fmt.Appendf(nil, "key %d", random.IntN(100))}
	if rapid.IntRange(0, 4).Draw(r, "deleted") > 0 {
		o.Stored = make([]byte, rapid.SampledFrom([]int{0, 1, 100, blockBytes - 1, blockBytes, 200_000}).Draw(r, "size"))
		for i := range o.Stored {
			o.Stored[i] = byte(random.IntN(1 << random.IntN(9)))
		}
	}
	return o
}

// TestIndexAgainstMap compares the index with a map.
func TestIndexAgainstMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h, twin := NewHasher(), map[string]Place{}
		var x Index
		n := rapid.IntRange(1, 2000).Draw(r, "writes")
		for i := range n {
			key := fmt.Sprint(rapid.IntRange(0, n).Draw(r, "key"))
			x.Set(h.Of([]byte(key)), Place(i+1))
			twin[key] = Place(i + 1)
		}
		for i := range n + 1 {
			key := fmt.Sprint(i)
			p, ok := x.Get(h.Of([]byte(key)))
			if want, there := twin[key]; p != want || ok != there {
				r.Fatalf("key %s: %d, %v; want %d, %v", key, p, ok, want, there)
			}
		}
		seen := 0
		for at := 0; ; {
			if at = x.Some(at, 100, func(Hash, Place) { seen++ }); at == 0 {
				break
			}
		}
		if seen != len(twin) || x.Len() != len(twin) {
			r.Fatalf("%d visited, length %d, want %d", seen, x.Len(), len(twin))
		}
	})
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	path, _ := three(f, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "000001.log"), b)
		j, _, _, err := open(t, dir, Options{}, 0)
		if err == nil {
			appendOps(t, j, put("a", "1"))
		} else {
			_ = err.Error()
		}
	})
}

// TestVisitorMayEndAnOpening: what it returns is what Open returns, and it is not called
// again.
func TestVisitorMayEndAnOpening(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, Options{})
	for range 3 {
		appendOps(t, j, put("a", "1"), put("b", string(make([]byte, 3*pieceBytes))), put("c", ""))
	}
	failed, calls := errors.New("enough"), 0
	_, _, err := Open(dir, Options{NoSync: true}, 0, func(Op, Hash, Place) error {
		if calls++; calls == 5 {
			return failed
		}
		return nil
	})
	if !errors.Is(err, failed) || calls != 5 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestRecordGolden pins the format: a change of it must change the version in FORMAT.
func TestRecordGolden(t *testing.T) {
	dir := t.TempDir()
	path, _ := three(t, dir)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != golden {
		t.Errorf("got %q, want %q", got, golden)
	}
}

const golden = "CepR\x83\fq`\xd5\f\xf0\x86\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x00\x00" +
	"\n\x00\x00\x00\b\x1c\x01\x02a1\x01\x02b1" +
	"CepR\xae\xde\x05f\xd5-\x8f\x19\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\t\x00\x00\x00\x00\x00\x00\x00" +
	"\x05\x00\x00\x00\x03\b\x01\x00a" +
	"CepR\x03\x89 \x06\x96!\x9by\x02\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\r\x00\x00\x00\x00\x00\x00\x00" +
	"\t\x00\x00\x00\a\x18\x01\x02b3\x01\x01c"

// TestEncryptedJournal writes the same into a journal that is encrypted and one that is not,
// and expects the same of both, but on the disk.
func TestEncryptedJournal(t *testing.T) {
	aead := testAEAD(t)
	rapid.Check(t, func(t *rapid.T) {
		dirs := [2]string{makeDir(t), makeDir(t)}
		opts := [2]Options{{Segment: 3000, NoSync: true}, {Segment: 3000, NoSync: true, AEAD: aead}}
		var back [2][]string
		records := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 9000), 0, 8), 1, 12).Draw(t, "sizes of values, by record")
		for i, dir := range dirs {
			j, _, err := Open(dir, opts[i], 0, func(Op, Hash, Place) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			for e, sizes := range records {
				ops := make([]Op, len(sizes))
				for k, n := range sizes {
					ops[k] = put(fmt.Sprintf("secret %d", k), fmt.Sprintf("secret %d %s", e, bytes.Repeat([]byte{'x', byte(k)}, n/2)))
				}
				places := make([]Place, len(ops))
				if err := j.Append(len(ops), func(i int) Op { return ops[i] }, places); err != nil {
					t.Fatal(err)
				}
				for k, p := range places {
					got, err := j.Read(p, ops[k].Key, nil)
					if err != nil || !bytes.Equal(got, ops[k].Stored) {
						t.Fatalf("read %d of record %d: %d bytes, %v", k, e, len(got), err)
					}
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			again, _, err := Open(dir, opts[i], 0, func(o Op, _ Hash, _ Place) error {
				back[i] = append(back[i], text(o))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
		}
		if d := cmp.Diff(back[0], back[1]); d != "" {
			t.Errorf("(-plain +encrypted):\n%s", d)
		}
		paths, _ := filepath.Glob(filepath.Join(dirs[1], "*"))
		for _, path := range paths {
			if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte("secret")) {
				t.Errorf("%s: plain text, or %v", path, err)
			}
		}
	})
}

func makeDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "journal-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func testAEAD(t testing.TB) cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// TestAnotherCipherIsDamage opens an encrypted journal as a plain one, and the other way about.
func TestAnotherCipherIsDamage(t *testing.T) {
	ciphers := []cipher.AEAD{nil, testAEAD(t)}
	for i, aead := range ciphers {
		dir := t.TempDir()
		j := mustOpen(t, dir, Options{AEAD: aead})
		appendOps(t, j, put("a", "1"))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		var damage *Damage
		if _, _, _, err := open(t, dir, Options{AEAD: ciphers[1-i]}, 0); !errors.As(err, &damage) {
			t.Errorf("encrypted %t: %v", aead != nil, err)
		}
	}
}

// TestABlockOpensWhereItWasWrittenAlone: whoever can write to the folder cannot have one block
// stand for another, be it of the same key, and give the record a checksum that is right.
func TestABlockOpensWhereItWasWrittenAlone(t *testing.T) {
	aead := testAEAD(t)
	write2 := func(dir string) [2]string {
		j := mustOpen(t, dir, Options{AEAD: aead, Segment: 1})
		appendOps(t, j, put("balance", "1"))
		appendOps(t, j, put("balance", "2"))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return [2]string{filepath.Join(dir, "000001.log"), filepath.Join(dir, "000002.log")}
	}
	for name, swap := range map[string]func(one, two []byte) (newOne, newTwo []byte){
		"their blocks change places": func(one, two []byte) ([]byte, []byte) {
			return withBlocks(one, two[headerBytes:]), withBlocks(two, one[headerBytes:])
		},
		"the older one comes back": func(one, two []byte) ([]byte, []byte) { return one, withBlocks(two, one[headerBytes:]) },
		"nothing":                  func(one, two []byte) ([]byte, []byte) { return one, two },
	} {
		dir := t.TempDir()
		paths := write2(dir)
		var texts [2][]byte
		for i, path := range paths {
			texts[i], _ = os.ReadFile(path)
		}
		texts[0], texts[1] = swap(texts[0], texts[1])
		for i, path := range paths {
			write(t, path, texts[i])
		}
		_, got, _, err := open(t, dir, Options{AEAD: aead}, 0)
		if damage := (*Damage)(nil); errors.As(err, &damage) != (name != "nothing") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestABlockOfTheSameRecordIsAnother: two of one length in a record have changed places while
// the journal is open, and by the time it is opened.
func TestABlockOfTheSameRecordIsAnother(t *testing.T) {
	aead, dir := testAEAD(t), t.TempDir()
	j := mustOpen(t, dir, Options{AEAD: aead})
	value := make([]byte, blockBytes)
	places := appendOps(t, j, put("a", string(value)), put("b", string(value)))
	path := filepath.Join(dir, "000001.log")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := text[headerBytes:]
	write(t, path, withBlocks(text, append(bytes.Clone(blocks[len(blocks)/2:]), blocks[:len(blocks)/2]...)))
	if text, err := j.Read(places[1], []byte("b"), nil); err == nil {
		t.Errorf("read %d bytes of a block that was moved", len(text))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := open(t, dir, Options{AEAD: aead}, 0); !errors.As(err, new(*Damage)) {
		t.Errorf("opened: %v", err)
	}
}

// withBlocks is a record with other blocks, and the checksums to them.
func withBlocks(record, blocks []byte) []byte {
	h, _ := parseHeader(record)
	h.sum, h.length = crc32.Checksum(blocks, castagnoli), int64(len(blocks))
	return append(h.append(nil), blocks...)
}
