package lookup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Options of Files. The zero value is good.
type Options struct {
	// Every is how often, by the wall clock, a file is looked at; default 1 s. Negative:
	// each time it is asked for.
	Every time.Duration
	// Now is the wall clock; default time.Now.
	Now func() time.Time
}

// Files reads the files of one rule set. It is used by one goroutine at a time.
type Files struct {
	every time.Duration
	now   func() time.Time
	known map[string]*known // by plan.File.At
}

// known is what was last seen of a file.
type known struct {
	info    fs.FileInfo // nil: it could not be looked at
	hash    string      // of the bytes last read
	trouble string      // what was last wrong and has been told
	looked  time.Time
	settled bool // its time of change lay well before it was read
}

// settling is how long after its time of change a file is read again though that time
// and its size have not changed: file systems keep times as coarse as 2 s.
const settling = 3 * time.Second

// New makes a reader of files.
func New(o Options) *Files {
	f := &Files{every: o.Every, now: o.Now, known: map[string]*known{}}
	if f.every == 0 {
		f.every = time.Second
	}
	if f.now == nil {
		f.now = time.Now
	}
	return f
}

// Read reads the file of a list or table, whatever was seen of it before.
func (f *Files) Read(file *plan.File) (*plan.Contents, error) {
	k := &known{looked: f.now()}
	f.known[file.At] = k
	text, err := f.read(file.At, k)
	if err != nil {
		k.trouble = reason(err)
		return nil, errors.New(k.trouble)
	}
	return parse(file, text, k.hash)
}

// Look returns the contents of a file that is not what it was, have being those in
// use; nil: there is nothing new. Each state of a file is told once, be it contents or
// an error.
func (f *Files) Look(file *plan.File, have *plan.Contents) (*plan.Contents, error) {
	k := f.known[file.At]
	if k == nil {
		k = &known{hash: have.Hash}
		f.known[file.At] = k
	}
	now := f.now()
	if f.every > 0 && now.Sub(k.looked) < f.every {
		return nil, nil
	}
	k.looked = now
	info, err := os.Stat(file.At)
	if err != nil {
		k.info = nil
		return nil, k.tell(err)
	}
	if k.settled && k.info != nil && os.SameFile(info, k.info) && info.Size() == k.info.Size() && info.ModTime().Equal(k.info.ModTime()) {
		return nil, nil
	}
	return f.again(file, have, k)
}

// again reads a file that may have changed.
func (f *Files) again(file *plan.File, have *plan.Contents, k *known) (*plan.Contents, error) {
	before := k.hash
	text, err := f.read(file.At, k)
	switch {
	case errors.Is(err, errChanging):
		return nil, nil
	case err != nil:
		return nil, k.tell(err)
	case k.hash == have.Hash:
		k.trouble = ""
		return nil, nil
	case k.hash == before:
		return nil, nil // taken, or refused, as it is
	}
	c, err := parse(file, text, k.hash)
	if err != nil {
		return nil, k.tell(err)
	}
	k.trouble = ""
	return c, nil
}

// tell returns an error unless it was told before.
func (k *known) tell(err error) error {
	text := reason(err)
	if text == k.trouble {
		return nil
	}
	k.trouble = text
	return errors.New(text)
}

// errChanging says that a file changed while it was read.
var errChanging = errors.New("the file was changed while it was read; rename a whole one over it")

// read reads a whole file and notes what was seen of it. Only regular files are read:
// a pipe or a device might never end.
func (f *Files) read(at string, k *known) ([]byte, error) {
	k.info, k.settled = nil, false
	before, err := os.Stat(at)
	switch {
	case err != nil:
		return nil, err
	case !before.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case before.Size() > MaxFileSize:
		k.note(before, "", f.now())
		return nil, errTooBig
	}
	file, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", len(text), err)
	}
	after, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) != after.Size() || !after.ModTime().Equal(before.ModTime()):
		return nil, errChanging
	}
	k.note(after, hashOf(text), f.now())
	return text, nil
}

func (k *known) note(info fs.FileInfo, hash string, now time.Time) {
	k.info, k.hash = info, hash
	k.settled = now.Sub(info.ModTime()) > settling
}

// reason is the cause of a file error without the path, which the place names.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
