package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

func TestOneFileByTwoNamesIsTheSame(t *testing.T) {
	path := write(t, "in", []byte("a\nb\n"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	first := open(t, path, Options{})
	for name, c := range map[string]struct {
		other *Source
		want  bool
	}{
		"a link":                     {open(t, link, Options{}), true},
		"standard input from it":     {open(t, Stdin, Options{Stdin: in}), true},
		"a copy":                     {open(t, write(t, "copy", []byte("a\nb\n")), Options{}), false},
		"standard input from memory": {open(t, Stdin, Options{Stdin: strings.NewReader("a\nb\n")}), false},
	} {
		if got := first.SameAs(c.other); got != c.want || c.other.SameAs(first) != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestReadsTellsWhichFileIsRead(t *testing.T) {
	path := write(t, "in", []byte("a\nb\n"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	file, device := open(t, path, Options{}), open(t, Stdin, Options{Stdin: null})
	for name, c := range map[string]struct {
		source *Source
		path   string
		want   bool
	}{
		"its own path":       {file, path, true},
		"a link":             {file, link, true},
		"a copy":             {file, write(t, "copy", []byte("a\nb\n")), false},
		"nothing":            {file, path + ".no", false},
		"one device of both": {device, os.DevNull, false},
	} {
		if got := c.source.Reads(c.path); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestContinuesTellsWhatWasReadUnderAnotherName(t *testing.T) {
	path := write(t, "in", []byte("a\nb\n"))
	read := open(t, path, Options{})
	if err := read.Next(t.Context(), new(event.Batch)); err != nil {
		t.Fatal(err)
	}
	offset, print := read.Position(), read.Fingerprint()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	s := open(t, link, Options{})
	if !s.Continues(t.Context(), path, offset, print) {
		t.Error("a link to what was read is not known again")
	}
	if s.Continues(t.Context(), path, 0, nil) {
		t.Error("nothing was read of it yet")
	}
	if s.Continues(t.Context(), filepath.Join(dir, "gone"), offset, print) {
		t.Error("known again as a file that is not there")
	}
	if copied := open(t, write(t, "copy", []byte("a\nb\n")), Options{}); copied.Continues(t.Context(), path, offset, print) {
		t.Error("a copy is taken for the file")
	}
	if err := os.WriteFile(path, []byte("x\ny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Continues(t.Context(), path, offset, print) {
		t.Error("what the name holds now was never read")
	}
}
