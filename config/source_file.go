package config

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/sources/file"
)

// FileSource reads files.
type FileSource struct {
	Paths   []Path `yaml:"paths" required:"true" help:"The files, also gzip. The state knows each by the source's name and the path as it is written here."`
	MaxLine Size   `yaml:"max_line" default:"1MiB" min:"1KiB" max:"256MiB" help:"The greatest length of a line; a longer one is a dead letter."`
}

// Open opens every file.
func (f *FileSource) Open(_ context.Context, w World, name string, s *Source) (*Feed, error) {
	feed, opened := &Feed{}, []*file.Source{}
	feed.Close = func() error { return closeFiles(opened) }
	for _, path := range f.Paths {
		in, err := file.Open(path.Name, file.Options{
			Name: name + "/" + filepath.ToSlash(filepath.Clean(path.Given)), MaxLine: int(f.MaxLine),
			Header: s.Format == "csv", Now: w.Now,
		})
		if err != nil {
			return nil, errors.Join(err, feed.Close())
		}
		opened = append(opened, in)
		feed.Inputs = append(feed.Inputs, s.input(in))
	}
	return feed, nil
}

func closeFiles(all []*file.Source) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Probe opens every file.
func (f *FileSource) Probe(ctx context.Context, w World, name string, s *Source) error {
	feed, err := f.Open(ctx, w, name, s)
	if err != nil {
		return fmt.Errorf("%w; mend file.paths", err)
	}
	return feed.Close()
}

func (f *FileSource) verify(s *Source, at section) {
	noRecords(s, at)
	for i, p := range f.Paths {
		for _, other := range f.Paths[:i] {
			if p.Name == other.Name {
				at.fault(fmt.Sprintf("file.paths[%d]", i), "%q is there twice", clip(p.Given))
			}
		}
	}
}

// noRecords refuses what is for sources whose records are not lines.
func noRecords(s *Source, at section) {
	if s.Format == "raw" {
		at.fault("format", "raw is for Kafka; lines are json or csv")
	}
	if len(s.Columns) > 0 {
		at.fault("columns", "is for Kafka: of lines the first names the columns")
	}
}

// StdinSource reads standard input.
type StdinSource struct{}

// Open takes standard input.
func (*StdinSource) Open(_ context.Context, w World, name string, s *Source) (*Feed, error) {
	in, err := file.Open(file.Stdin, file.Options{Name: name, Stdin: w.Stdin, Header: s.Format == "csv", Now: w.Now})
	if err != nil {
		return nil, err
	}
	return &Feed{Inputs: []engine.Input{s.input(in)}, Close: in.Close}, nil
}

// Probe has nothing to try.
func (*StdinSource) Probe(context.Context, World, string, *Source) error { return nil }

func (*StdinSource) verify(s *Source, at section) { noRecords(s, at) }
