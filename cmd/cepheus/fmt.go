package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cepheus-cep/cepheus/lang/format"
	"github.com/cepheus-cep/cepheus/lang/source"
)

type fmtVerb struct {
	Paths []string `arg:"" name:"path" help:"Rule files, or folders of them (*.cep); - is standard input."`
	Write bool     `name:"write" short:"w" xor:"to" help:"Write the files that are laid out otherwise, and name them."`
	Diff  bool     `name:"diff" short:"d" xor:"to" help:"Show what would change; the exit code is 1 if anything would."`
}

// Run lays rule files out: on standard output, or as the flags say. Files that do not parse
// are told of and left as they are; the others are done all the same.
func (v fmtVerb) Run(w *world) error {
	files, broken, err := v.read(w)
	if err != nil {
		return err
	}
	var other bool
	for _, f := range files {
		text, messages := format.File(f)
		if messages.HasErrors() {
			broken = append(broken, messages...)
			continue
		}
		if !format.Same(f, &source.File{Text: text}) {
			return fmt.Errorf("%s: laying it out would change more than white space, and is not done; this is a fault of cepheus", f.Name)
		}
		other = other || text != f.Text
		if err := v.give(w, f, text); err != nil {
			return err
		}
	}
	broken.Sort()
	if err := broken.Print(w.stderr); err != nil {
		return err
	}
	if len(broken) > 0 || v.Diff && other {
		return errNotWell
	}
	return nil
}

// read reads the files. Those that cannot be read are in the messages.
func (v fmtVerb) read(w *world) ([]*source.File, source.Errors, error) {
	if len(v.Paths) == 1 && v.Paths[0] == "-" {
		if v.Write {
			return nil, nil, usage(errors.New("--write: standard input is no file to write"))
		}
		text, err := io.ReadAll(io.LimitReader(w.stdin, source.MaxFileSize+1))
		if err != nil {
			return nil, nil, fmt.Errorf("read standard input: %w", err)
		}
		return []*source.File{{Name: "<stdin>", Text: string(text)}}, nil, nil
	}
	for _, path := range v.Paths {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, usage(err)
		}
	}
	files, unread := source.Read(v.Paths)
	return files, unread, nil
}

func (v fmtVerb) give(w *world, f *source.File, text string) error {
	switch {
	case !v.Write && !v.Diff:
		_, err := io.WriteString(w.stdout, text)
		return err
	case text == f.Text:
		return nil
	case v.Diff:
		_, err := io.WriteString(w.stdout, unified(f.Name, f.Text, text))
		return err
	}
	if err := replace(f.Name, text); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w.stdout, f.Name)
	return err
}

// replace writes a file as a whole or not at all.
func replace(path, text string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".cepheus-fmt-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: a file beside it: %w", path, cause(err))
	}
	defer os.Remove(tmp.Name()) // of no effect once it is renamed
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// cause is an error about a file without the file's name.
func cause(err error) error {
	if at := (*os.PathError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}
