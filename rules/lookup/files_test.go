package lookup_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/lookup"
)

// disk is one list on disk with a clock that the test moves.
type disk struct {
	t     *testing.T
	file  *plan.File
	files *lookup.Files
	now   time.Time
	have  *plan.Contents
}

func newDisk(t *testing.T, o lookup.Options, text string) *disk {
	d := &disk{t: t, file: &plan.File{Name: "l", At: filepath.Join(t.TempDir(), "l.txt")}, now: time.Now().Add(time.Hour)}
	o.Now = func() time.Time { return d.now }
	d.files = lookup.New(o)
	d.write(text)
	var err error
	if d.have, err = d.files.Read(d.file); err != nil {
		t.Fatal(err)
	}
	return d
}

// write replaces the file by a whole new one.
func (d *disk) write(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.file.At+".new", []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(d.file.At+".new", d.file.At); err != nil {
		d.t.Fatal(err)
	}
}

// look returns the entries that a look brings, or the error.
func (d *disk) look() any {
	d.t.Helper()
	c, err := d.files.Look(d.file, d.have)
	switch {
	case err != nil:
		return err.Error()
	case c != nil:
		return c.Columns[0]
	}
	return nil
}

func (d *disk) wantLook(want any) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.look()); diff != "" {
		d.t.Errorf("(-want +got):\n%s", diff)
	}
}

const always = -1 // Options.Every

func TestAChangedFileIsReadAgainOnce(t *testing.T) {
	d := newDisk(t, lookup.Options{Every: always}, "a\n")
	d.wantLook(nil)
	d.write("b\n")
	d.wantLook([]string{"b"})
	d.wantLook(nil) // whether it was taken or refused
	d.write("a\n")
	d.wantLook(nil) // what is in use
	d.write("b\n")
	d.wantLook([]string{"b"})
}

func TestAFileIsLookedAtNowAndThen(t *testing.T) {
	d := newDisk(t, lookup.Options{}, "a\n")
	d.write("b\n")
	d.now = d.now.Add(time.Second - 1)
	d.wantLook(nil)
	d.now = d.now.Add(1)
	d.wantLook([]string{"b"})
}

func TestAnUnreadableFileIsToldOnce(t *testing.T) {
	d := newDisk(t, lookup.Options{Every: always}, "a\n")
	if err := os.Remove(d.file.At); err != nil {
		t.Fatal(err)
	}
	d.wantLook("no such file or directory")
	d.wantLook(nil)
	d.write("b\xff\n")
	d.wantLook("line 1: not UTF-8")
	d.wantLook(nil)
	d.write("c\xff\n")
	d.wantLook(nil) // the same trouble
	if err := os.Remove(d.file.At); err != nil {
		t.Fatal(err)
	}
	d.wantLook("no such file or directory")
	d.write("a\n")
	d.wantLook(nil)
	d.write("b\n")
	d.wantLook([]string{"b"})
}

// A change that leaves size and time alone is seen while the time is young: file
// systems keep times coarsely.
func TestAYoungFileIsReadAgain(t *testing.T) {
	d := newDisk(t, lookup.Options{Every: always}, "a\n")
	at := d.now.Add(-time.Second)
	change := func(text string) {
		if err := os.WriteFile(d.file.At, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(d.file.At, at, at); err != nil {
			t.Fatal(err)
		}
	}
	change("b\n")
	d.wantLook([]string{"b"})
	change("c\n")
	d.wantLook([]string{"c"})
	d.now = d.now.Add(time.Minute)
	d.wantLook(nil)
	change("d\n") // and not seen, for its time is old: what the test is about the edge of
	d.wantLook(nil)
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	for at, want := range map[string]string{dir: "not a regular file", os.DevNull: "not a regular file", filepath.Join(dir, "gone"): "no such file or directory", filepath.Join(dir, "a\x00b"): "invalid argument"} {
		_, err := lookup.New(lookup.Options{}).Read(&plan.File{At: at})
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", at, err, want)
		}
	}
}

// Who has not read a file asks for what differs from the contents at hand.
func TestAFileThatWasReadByAnother(t *testing.T) {
	d := newDisk(t, lookup.Options{}, "a\n")
	d.files = lookup.New(lookup.Options{})
	d.wantLook(nil)
	d.files = lookup.New(lookup.Options{})
	d.write("b\n")
	d.wantLook([]string{"b"})
}
