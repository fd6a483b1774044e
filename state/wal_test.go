package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4/y"
)

// appendEntry appends an entry as Badger writes it.
func appendEntry(b []byte, flags byte, key, value string) []byte {
	at := len(b)
	b = append(b, flags, 0)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = binary.AppendUvarint(b, 0)
	b = append(append(b, key...), value...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// appendTxn appends a transaction of two records.
func appendTxn(b []byte, version uint64) []byte {
	for _, key := range []string{"a", "b"} {
		b = appendEntry(b, logInTxn, string(y.KeyWithTs([]byte(key), version)), "value")
	}
	return appendEntry(b, logEndsTxn, string(y.KeyWithTs([]byte("!badger!txn"), version)), strconv.FormatUint(version, 10))
}

// logOf is a log of transactions, padded with zeros.
func logOf(versions ...uint64) []byte {
	b := make([]byte, logHeader)
	for _, v := range versions {
		b = appendTxn(b, v)
	}
	return append(b, make([]byte, 500)...)
}

func TestReadLogReadsWhatBadgerWrites(t *testing.T) {
	s := openTest(t, t.TempDir(), nil)
	for range 2 {
		if err := s.Commit(t.Context(), change(10)); err != nil {
			t.Fatal(err)
		}
		if err := s.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := filepath.Glob(filepath.Join(s.dir, treeDir, "*"+logExt))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	got, err := readLog(paths[0], nil)
	if want := (logSpan{first: 1, last: 2, whole: true}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestReadLogStopsAtTheLastWholeTransaction(t *testing.T) {
	whole := logOf(3, 4)
	size := len(logOf(3)) - 500
	for name, c := range map[string]struct {
		text []byte
		want logSpan
	}{
		"empty":                 {logOf(), logSpan{whole: true}},
		"emptied":               {nil, logSpan{whole: true}},
		"shorter than a header": {[]byte("x"), logSpan{}},
		"whole":                 {whole, logSpan{3, 4, true}},
		"without its padding":   {whole[:len(whole)-500], logSpan{3, 4, true}},
		"cut in an entry":       {whole[:len(whole)-510], logSpan{3, 3, false}},
		"cut between entries":   {append(logOf(3)[:size], appendEntry(nil, logInTxn, string(y.KeyWithTs([]byte("a"), 4)), "v")...), logSpan{3, 3, false}},
		"two in one":            {append(logOf(3)[:size], append(appendEntry(nil, logInTxn, string(y.KeyWithTs([]byte("a"), 4)), "v"), appendTxn(nil, 5)...)...), logSpan{3, 3, false}},
	} {
		path := filepath.Join(t.TempDir(), "1.mem")
		write(t, path, string(c.text))
		if got, err := readLog(path, nil); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestLogsThatMissAnEpochAreDamaged(t *testing.T) {
	torn := logOf(5)
	torn[len(torn)-503] ^= 1
	for name, c := range map[string]struct {
		tables uint64
		logs   [][]byte
		want   uint64 // reached; 0: damaged
	}{
		"none":                         {7, nil, 7},
		"goes on":                      {7, [][]byte{logOf(7, 8), logOf(9)}, 9},
		"behind the tables":            {7, [][]byte{logOf(2, 3)}, 7},
		"an empty one":                 {7, [][]byte{logOf(), logOf(8)}, 8},
		"the newest torn":              {3, [][]byte{logOf(4), torn}, 4},
		"an older torn":                {3, [][]byte{torn, logOf(4)}, 0},
		"a gap after the tables":       {7, [][]byte{logOf(9)}, 0},
		"a gap between logs":           {7, [][]byte{logOf(8), logOf(10)}, 0},
		"an older without its header":  {7, [][]byte{[]byte("x"), logOf(8)}, 0},
		"an older emptied":             {7, [][]byte{{}, logOf(8)}, 8},
		"one emptied before its time":  {7, [][]byte{{}, logOf(9)}, 0},
		"the newest without its start": {7, [][]byte{logOf(8), {}}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, treeDir), 0o700); err != nil {
				t.Fatal(err)
			}
			for i, text := range c.logs {
				write(t, filepath.Join(dir, treeDir, strconv.Itoa(99999+i)+logExt), string(text))
			}
			got, _, err := verifyLogs(dir, nil, c.tables)
			var damaged *DamagedError
			switch {
			case c.want == 0 && (!errors.As(err, &damaged) || !strings.Contains(err.Error(), logExt)):
				t.Errorf("got %d, %v; want it damaged", got, err)
			case c.want != 0 && (err != nil || got != c.want):
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func FuzzReadTxn(f *testing.F) {
	f.Add(appendTxn(nil, 1))
	f.Add(appendEntry(nil, 0, "123456789", ""))
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if version, size := (&logReader{}).txn(b); size > len(b) || size == 0 && version != 0 {
			t.Errorf("version %d in %d bytes of %d", version, size, len(b))
		}
	})
}
