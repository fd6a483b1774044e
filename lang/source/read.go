package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Limits of what is read.
const (
	MaxFileSize = 1 << 20 // bytes of one rule file
	MaxFiles    = 10_000  // files of one rule set
)

// Extension is what the names of rule files in a folder end in.
const Extension = ".cep"

// Codes of the messages about files.
const (
	codeUnreadable = "S001"
	codeTooBig     = "S002"
)

// Read reads rule files. A path is a file, whatever its name, or a folder, which
// stands for the files in it (not in folders below) whose names end in .cep, sorted
// by name. Names are paths as given, joined with the file's name; a file named twice
// is read once. What cannot be read is reported, and the rest is read.
func Read(paths []string) ([]*File, Errors) {
	r := reader{seen: map[string]bool{}}
	for _, path := range paths {
		r.path(path)
	}
	return r.files, r.errs
}

type reader struct {
	files []*File
	errs  Errors
	seen  map[string]bool // absolute paths
}

func (r *reader) path(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.fail(path, codeUnreadable, "cannot be read: "+reason(err))
	case info.IsDir():
		r.folder(path)
	default:
		r.file(path)
	}
}

func (r *reader) folder(path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		r.fail(path, codeUnreadable, "the folder cannot be read: "+reason(err))
		return
	}
	found := false
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), Extension) {
			found = true
			r.file(filepath.Join(path, entry.Name()))
		}
	}
	if !found {
		r.fail(path, codeUnreadable, "the folder holds no rule files (*"+Extension+")")
	}
}

func (r *reader) file(path string) {
	if r.known(path) {
		return
	}
	if len(r.files) == MaxFiles {
		r.fail(path, codeTooBig, fmt.Sprintf("a rule set has at most %d files", MaxFiles))
		return
	}
	text, err := readFile(path)
	switch {
	case err != nil:
		r.fail(path, codeUnreadable, "cannot be read: "+reason(err))
	case len(text) > MaxFileSize:
		r.fail(path, codeTooBig, TooBig)
	default:
		r.files = append(r.files, &File{Name: path, Text: text})
	}
}

// TooBig is the message for a file of more than MaxFileSize bytes.
const TooBig = "the file is larger than 1 MB, the limit for a rule file"

// known reports whether the file was read before, and notes it.
func (r *reader) known(path string) bool {
	key, err := filepath.Abs(path)
	if err != nil {
		key = path
	}
	if r.seen[key] {
		return true
	}
	r.seen[key] = true
	return false
}

// readFile reads no more than tells that the file is too big. Only regular files are
// read: a pipe or a device might never end.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	_, err = io.Copy(&b, io.LimitReader(f, MaxFileSize+1))
	return b.String(), err
}

func (r *reader) fail(path, code, message string) {
	r.errs = append(r.errs, Error{Code: code, Span: Span{File: &File{Name: path}}, Message: message})
}

// reason is the cause of a file error without the path, which the place names.
func reason(err error) string {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		return perr.Err.Error()
	}
	return err.Error()
}
