package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/sources/http"
)

// HTTPSource is what clients of the API send.
type HTTPSource struct {
	Records int  `yaml:"records" default:"100_000" min:"1" max:"100_000_000" help:"How many events may wait for the engine; beyond it clients are told to come again."`
	Bytes   Size `yaml:"bytes" default:"64MiB" min:"64KiB" max:"16GiB" help:"How much of them may."`
}

// Open makes the queue: its only input is a [*http.Queue].
func (h *HTTPSource) Open(_ context.Context, w World, name string, s *Source) (*Feed, error) {
	q := http.New(http.Options{Name: name, Records: h.Records, Bytes: int64(h.Bytes), Now: w.Now})
	return &Feed{Inputs: []engine.Input{s.input(q)}, Close: q.Close}, nil
}

// Probe has nothing to try.
func (*HTTPSource) Probe(context.Context, World, string, *Source) error { return nil }

func (*HTTPSource) verify(s *Source, at section) {
	if s.Format != "json" {
		at.fault("format", "events over HTTP are json")
	}
	if len(s.Columns) > 0 {
		at.fault("columns", "is for Kafka")
	}
}
