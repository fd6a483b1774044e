package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sources/file"
	sourcehttp "github.com/cepheus-cep/cepheus/sources/http"
	"github.com/cepheus-cep/cepheus/sources/kafka"
)

// part is one partition that a run reads.
type part struct {
	engine.Input
	told string   // what messages call it
	file *counted // the source, where it is a file or standard input; else nil
}

// reading is all that a run reads.
type reading struct {
	parts []*part
	feeds []feed            // of the configuration
	queue *sourcehttp.Queue // of events over HTTP; nil: there is none

	refused *engine.Dead // the first record that was not taken, without its text; nil: there was none
}

// refuse remembers the first record that a run does not take.
func (r *reading) refuse(dead []engine.Dead) error {
	if r.refused == nil {
		d := dead[0]
		d.Record = nil
		r.refused = &d
	}
	return nil
}

// tellRefused says on standard error which record was the first that was not taken, and why:
// tools count them, and keep none.
func (r *reading) tellRefused(w *world) {
	if d := r.refused; d != nil {
		fmt.Fprintf(w.stderr, "the first record that was not taken is at byte %d of %s: %s\n", d.Offset, d.Partition.Source, d.Reason)
	}
}

// feed is an open source of the configuration.
type feed struct {
	*config.Feed
	name string
}

// close gives back all that was opened.
func (r *reading) close() error {
	var errs []error
	for _, p := range r.parts {
		if p.file != nil {
			errs = append(errs, p.file.Close())
		}
	}
	for _, f := range r.feeds {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// counted are the files, for the progress line; a source that is none has no known size,
// nor has the whole then.
func (r *reading) counted() (all []*counted) {
	for _, p := range r.parts {
		if p.file == nil {
			return []*counted{{}}
		}
		all = append(all, p.file)
	}
	return all
}

// open opens every input, or none.
func (v *runVerb) open(w *world) (in *reading, err error) {
	in = &reading{}
	switch {
	case len(v.Input) > 0:
		err = v.openFlags(w, in)
	case v.file != nil:
		err = v.openSources(w, in)
	case v.serves():
		v.openQueue(w, in)
	default:
		err = errors.New("nothing to read: name the events with --input FILE, or --input - for standard input")
	}
	if err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

func (v *runVerb) openFlags(w *world, in *reading) error {
	for _, path := range v.Input {
		s, err := file.Open(path, file.Options{Stdin: w.stdin, Header: v.Format == "csv", Now: w.now})
		if err != nil {
			return err
		}
		c := newCounted(s, path)
		in.parts = append(in.parts, &part{engine.Input{Source: c, Decode: v.decoding()}, "--input " + path, c})
		if err := in.onlyOnce(); err != nil {
			return err
		}
	}
	return nil
}

func (v *runVerb) openSources(w *world, in *reading) error {
	for _, name := range v.sources() {
		s := v.file.Sources[name]
		opened, err := s.Kind().Open(w.ctx, w.kinds(), name, s)
		if err != nil {
			return fmt.Errorf("%s: source %s: %w", v.file.Where("sources."+name), name, err)
		}
		in.feeds = append(in.feeds, feed{opened, name})
		for i, input := range opened.Inputs {
			in.parts = append(in.parts, partOf(name, s, input, i))
			if q, ok := input.Source.(*sourcehttp.Queue); ok {
				in.queue = q
			}
			if err := in.onlyOnce(); err != nil {
				return err
			}
		}
	}
	return nil
}

// queueIdle is how long events over HTTP must be away until time goes on without them, as
// config has it.
const queueIdle = time.Second

// openQueue takes events over HTTP where flags name nothing else to read.
func (v *runVerb) openQueue(w *world, in *reading) {
	in.queue = sourcehttp.New(sourcehttp.Options{Now: w.now})
	in.parts = append(in.parts, &part{engine.Input{Source: in.queue, Decode: v.decoding(), Idle: queueIdle}, "--listen", nil})
}

// partOf is the n-th input of a source.
func partOf(name string, s *config.Source, input engine.Input, n int) *part {
	p := &part{input, "source " + name, nil}
	f, ok := input.Source.(*file.Source)
	if !ok {
		return p
	}
	path := file.Stdin
	if s.File != nil {
		path = s.File.Paths[n].Name
		p.told += ": " + path
	}
	p.file = newCounted(f, path)
	p.Source = p.file
	return p
}

// sourcesNotOpened tells settings that are wrong from brokers that are away: those are wrong
// usage, these a failure. A signal while they are tried is a clean end.
func sourcesNotOpened(w *world, err error) error {
	var away *kafka.StartError
	switch {
	case w.ctx.Err() != nil:
		fmt.Fprintln(w.stderr, "stopped by a signal before anything was read")
		return nil
	case errors.As(err, &away):
		return err
	}
	return usage(err)
}

// onlyOnce refuses the last input where an earlier one has its name, or is its file by
// another name: all of its events would count twice.
func (r *reading) onlyOnce() error {
	last := r.parts[len(r.parts)-1]
	for _, p := range r.parts[:len(r.parts)-1] {
		switch {
		case p.Source.Partition() == last.Source.Partition():
			return fmt.Errorf("%s is given twice", last.told)
		case p.file != nil && last.file != nil && p.file.SameAs(last.file.Source):
			return fmt.Errorf("%s is the same file as %s", last.told, p.told)
		}
	}
	return nil
}

// noLoop refuses inputs that would grow by what becomes of them.
func (v *runVerb) noLoop(in *reading, to []sinkFlag) error {
	for _, p := range in.parts {
		if p.file != nil && p.file.Reads(v.DeadLetters) {
			return fmt.Errorf("%s is the file that dead letters are written to; name another for them with %s", p.told, v.deadLettersKey())
		}
		for _, s := range to {
			if p.file != nil && s.path != "" && p.file.Reads(s.path) {
				return fmt.Errorf("%s is the file that %s reads", s.told(), p.told)
			}
		}
	}
	return nil
}

// knownAs reports whether a file is one that the state knows by another name: by its path,
// or, from a configuration, by source and path from the folder of that.
func (p *part) knownAs(ctx context.Context, was engine.StoredPosition, folder string) bool {
	if p.file == nil || string(p.Source.Partition().AppendName(nil)) == was.Name {
		return false
	}
	if p.file.Continues(ctx, was.Name, was.Offset, was.Fingerprint) {
		return true
	}
	_, path, ok := strings.Cut(was.Name, "/")
	if !ok || folder == "" {
		return false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	return p.file.Continues(ctx, path, was.Offset, was.Fingerprint)
}

// decoding says how records of --input become events.
func (v *runVerb) decoding() event.Options {
	o := event.Options{Type: v.Type, TypeField: v.TypeField}
	if v.Format == "csv" {
		o.Format = event.FormatCSV
	}
	return o
}
