package config

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

// World is what kinds see of the process.
type World struct {
	Stdin  io.Reader
	Stdout io.Writer
	Now    func() time.Time
	Log    *slog.Logger

	// State tells the name of the state that alerts come from, and the last row that it has
	// committed. Nil: there is no state folder.
	State func(ctx context.Context) (name string, lastRow uint64, err error)
}

// Source is one source of events.
type Source struct {
	File  *FileSource  `yaml:"file" kind:"true" help:"Files, each a partition of its own."`
	Stdin *StdinSource `yaml:"stdin" kind:"true" help:"Standard input."`
	HTTP  *HTTPSource  `yaml:"http" kind:"true" help:"What is sent to the API: POST /v1/events."`
	Kafka *KafkaSource `yaml:"kafka" kind:"true" help:"Topics of Apache Kafka, and of what speaks its protocol."`

	Format    string   `yaml:"format" enum:"json,csv,raw" default:"json" help:"How records are written: one JSON object a record (a CloudEvents envelope is known), one CSV row, or any text (Kafka only), which becomes the field text of an object."`
	Columns   []string `yaml:"columns" help:"CSV from Kafka: the names of the columns. A file has them in its first line."`
	RawField  string   `yaml:"raw_field" help:"Raw text: the field that it becomes, where that is not text."`
	Type      string   `yaml:"type" help:"The event type of every record."`
	TypeField string   `yaml:"type_field" help:"The field that holds a record's event type, where that is not type."`
	Key       string   `yaml:"key" help:"The field that is the topic's key." later:"rules by the topic's key run as all others do, over the partitions merged by time; leave it out"`
	Idle      Duration `yaml:"idle" default:"1s" min:"1ms" max:"24h" help:"How long nothing must come from a partition at the end of its log until time goes on without it."`
	Order     string   `yaml:"order" enum:"time,arrival" default:"time" help:"How several partitions are merged: time, by the times of their events."`
}

// SourceKind is one way to read events: what the settings of a kind are for.
type SourceKind interface {
	// Open opens all inputs, or none. Nothing is read yet.
	Open(ctx context.Context, w World, name string, s *Source) (*Feed, error)
	// Probe does what Open does, and closes what it has opened.
	Probe(ctx context.Context, w World, name string, s *Source) error
	// verify says what of the other settings of the source does not fit the kind.
	verify(s *Source, at section)
}

// Feed is an open source.
type Feed struct {
	Inputs []engine.Input
	// Publish shows, outside of the state, how far is committed. It may be nil.
	Publish func(ctx context.Context, at []event.Position) error
	// Grown tells that there is more to read than Inputs, which All returns from then on. Both
	// are nil where there is never more.
	Grown <-chan struct{}
	// All are the inputs as of now, those of Inputs among them. It is safe for several
	// goroutines.
	All func() []engine.Input
	// Close ends reading; Next of no input may be waiting.
	Close func() error
}

// Kind returns what the source is.
func (s *Source) Kind() SourceKind { return kind[SourceKind](s) }

// Decoding says how records of the source become events.
func (s *Source) Decoding() event.Options {
	o := event.Options{Type: s.Type, TypeField: s.TypeField}
	if s.Format == "csv" {
		o.Format = event.FormatCSV
	}
	return o
}

func (s *Source) check(at section) {
	oneKind(at, reflect.ValueOf(s).Elem())
	if s.Type != "" && s.TypeField != "" {
		at.fault("type_field", "give type, where all records are of one, or type_field, not both")
	}
	if s.Order == "arrival" {
		at.fault("order", "arrival is not there yet: partitions are merged by time; leave the key out")
	}
	if s.RawField != "" && s.Format != "raw" {
		at.fault("raw_field", "is for format: raw")
	}
	if k := s.Kind(); k != nil {
		k.verify(s, at)
	}
}

// input makes an engine's input of one partition.
func (s *Source) input(from engine.Source) engine.Input {
	return engine.Input{Source: from, Decode: s.Decoding(), Idle: time.Duration(s.Idle)}
}
