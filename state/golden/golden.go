package golden

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/records.golden; read the diff like code")

// Record is one record of a kind.
type Record struct {
	Kind  string // one of the room's kinds
	Name  string // tells records of a kind apart
	About string // what it was made of, and what it says; lines
	Bytes []byte
}

func (r *Record) title() string { return r.Kind + ": " + r.Name }

// file is the content of a golden file.
type file struct {
	format  string
	records []Record // without Kind and About; Name is the title
}

// Check compares records, of which there must be some of each kind and of no other, with a
// golden file, and returns the file's records, to be read: where Check does not fail they
// are those given, as they were when the file was written.
func Check(t testing.TB, path, format string, kinds []string, records []Record) []Record {
	t.Helper()
	was, err := read(path)
	if err != nil && !(*update && errors.Is(err, fs.ErrNotExist)) {
		t.Fatalf("%v; go test -update makes the file", err)
	}
	faults := slices.Concat(missing(kinds, records), changed(was, format, records, *update))
	for _, fault := range faults {
		t.Error(fault)
	}
	if *update && len(faults) == 0 {
		write(t, path, format, records)
		return records
	}
	for i := range records {
		records[i].Bytes = was.bytes(records[i].title())
	}
	return records
}

// missing says which kinds have no record, and which records are of no kind.
func missing(kinds []string, records []Record) (faults []string) {
	for _, k := range kinds {
		if !slices.ContainsFunc(records, func(r Record) bool { return r.Kind == k }) {
			faults = append(faults, fmt.Sprintf("no golden record of the kind %q: make one", k))
		}
	}
	for i := range records {
		if !slices.Contains(kinds, records[i].Kind) {
			faults = append(faults, fmt.Sprintf("golden record %q is of no kind that is listed", records[i].title()))
		}
	}
	return faults
}

// changed says what is not as it was in a file. Where the file is to be rewritten, only
// bytes that have changed within one version of the format are a fault.
func changed(was file, format string, records []Record, rewrites bool) (faults []string) {
	for i := range records {
		r := &records[i]
		old := was.bytes(r.title())
		switch {
		case old == nil && !rewrites:
			faults = append(faults, fmt.Sprintf("%s is not in the golden file: go test -update adds it", r.title()))
		case old != nil && !bytes.Equal(old, r.Bytes) && was.format == format:
			faults = append(faults, fmt.Sprintf("the bytes of %s have changed, and the version of the format has not: a state directory of version %s would be misread; "+
				"raise state.Format, then go test -update\n%s\nwas\n%s", r.title(), format, hex.Dump(r.Bytes), hex.Dump(old)))
		}
	}
	if was.format != format && !rewrites {
		faults = append(faults, fmt.Sprintf("the golden file is of version %q of the format, which is %q now: go test -update", was.format, format))
	}
	for i := range was.records {
		gone := !slices.ContainsFunc(records, func(r Record) bool { return r.title() == was.records[i].Name })
		if gone && was.format == format {
			faults = append(faults, fmt.Sprintf("%s is in the golden file and is not made any more: remove it there, if no state directory has it", was.records[i].Name))
		}
	}
	return faults
}

func (f *file) bytes(title string) []byte {
	for i := range f.records {
		if f.records[i].Name == title {
			return f.records[i].Bytes
		}
	}
	return nil
}

// read reads a golden file.
func read(path string) (f file, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	for n, line := range strings.Split(string(text), "\n") {
		switch title, isTitle := strings.CutPrefix(line, "== "); {
		case isTitle:
			f.records = append(f.records, Record{Name: title, Bytes: []byte{}})
		case strings.HasPrefix(line, "format "):
			f.format = line[len("format "):]
		case line != "" && line[0] != '#':
			b, err := bytesOf(line)
			if err != nil || len(f.records) == 0 {
				return f, fmt.Errorf("%s:%d: no line of a golden file", path, n+1)
			}
			last := &f.records[len(f.records)-1]
			last.Bytes = append(last.Bytes, b...)
		}
	}
	return f, nil
}

// bytesOf reads a line of hex.Dump: ten columns of place, then sixteen bytes with a gap
// in the middle.
func bytesOf(line string) ([]byte, error) {
	line, _, _ = strings.Cut(line[min(10, len(line)):], "|")
	return hex.DecodeString(strings.ReplaceAll(line, " ", ""))
}

func write(t testing.TB, path, format string, records []Record) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Records as they are written, byte by byte. go test -update rewrites this file.\nformat " + format + "\n")
	for i := range records {
		r := &records[i]
		fmt.Fprintf(&b, "\n== %s\n", r.title())
		for line := range strings.SplitSeq(strings.TrimSpace(r.About), "\n") {
			b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
		}
		b.WriteString(hex.Dump(r.Bytes))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
