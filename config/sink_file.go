package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/file"
)

// FileSink appends to a file.
type FileSink struct {
	Path Path `yaml:"path" required:"true" help:"The file, in a folder that is there; made where it is not."`
}

// Open opens or makes the file.
func (f *FileSink) Open(context.Context, World, string, *Sink) (sinks.Sink, error) {
	return file.Open(f.Path.Name)
}

// Probe has nothing to try: cmd looks at files before each run.
func (*FileSink) Probe(context.Context, World, string, *Sink) error { return nil }
