package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sources/file"
)

// openPast opens what rules are given before they are in service: files of the folders that
// api.past names, and the Kafka sources once more, from a time on.
func (p *pipeline) openPast(ctx context.Context, past service.Past, _ *plan.Set) (again, whole []engine.Input, closeAll func() error, err error) {
	var opened closers
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	for _, path := range past.Files {
		in, err := p.openPastFile(path)
		if err != nil {
			return nil, nil, nil, err
		}
		opened = append(opened, in.Close)
		whole = append(whole, engine.Input{Source: in, Decode: p.verb.decodingOfPast()})
	}
	if !past.From.IsZero() {
		feeds, err := p.openAgain(ctx, past)
		for _, f := range feeds {
			opened = append(opened, f.Close)
			again = append(again, f.Inputs...)
		}
		if err != nil {
			return nil, nil, nil, err
		}
	}
	return again, whole, opened.close, nil
}

// closers give back what was opened.
type closers []func() error

func (c closers) close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one())
	}
	return errors.Join(errs...)
}

// openPastFile opens a file of one of the allowed folders.
func (p *pipeline) openPastFile(path string) (*file.Source, error) {
	name, err := p.verb.pastFile(path)
	if err != nil {
		return nil, err
	}
	return file.Open(name, file.Options{Name: "past/" + filepath.ToSlash(path), Header: p.verb.decodingOfPast().Format == event.FormatCSV, Now: p.world.now})
}

// pastFile is where a file of the past is: by its path, or by that from one of the allowed
// folders. Whatever else there is on this machine, nothing is said of it.
func (v *runVerb) pastFile(path string) (string, error) {
	for _, folder := range v.pastFolders() {
		root, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue
		}
		full := path
		if !filepath.IsAbs(path) {
			full = filepath.Join(root, path)
		}
		real, err := filepath.EvalSymlinks(full)
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if info, err := os.Stat(real); err == nil && info.Mode().IsRegular() {
			return real, nil
		}
	}
	return "", fmt.Errorf("%q is no file in the folders that api.past allows", path)
}

func (v *runVerb) pastFolders() (folders []string) {
	if v.file != nil && v.file.API != nil {
		for _, f := range v.file.API.Past {
			folders = append(folders, f.Name)
		}
	}
	return folders
}

// decodingOfPast is how files of the past are read: as the sources are where all of them are
// read alike, else as JSON.
func (v *runVerb) decodingOfPast() event.Options {
	if v.file == nil || len(v.Input) > 0 {
		return v.decoding()
	}
	var all []event.Options
	for _, name := range v.sources() {
		all = append(all, v.file.Sources[name].Decoding())
	}
	if len(slices.Compact(all)) == 1 {
		return all[0]
	}
	return event.Options{}
}

// openAgain opens the Kafka sources a second time. What of them is open is returned with an
// error too.
func (p *pipeline) openAgain(ctx context.Context, past service.Past) (feeds []*config.Feed, err error) {
	if p.verb.file == nil || len(p.verb.Input) > 0 {
		return nil, errNoTopics
	}
	for _, name := range slices.Sorted(maps.Keys(p.verb.file.Sources)) {
		s := *p.verb.file.Sources[name]
		if s.Kafka == nil {
			continue
		}
		kafka := *s.Kafka
		kafka.Start, kafka.Group = config.Start{At: past.From}, ""
		s.Kafka = &kafka
		feed, err := s.Kind().Open(ctx, p.world.kinds(), name, &s)
		if err != nil {
			return feeds, fmt.Errorf("source %s: %w", name, err)
		}
		feeds = append(feeds, feed)
	}
	if len(feeds) == 0 {
		return nil, errNoTopics
	}
	return feeds, nil
}

var errNoTopics = errors.New("this run reads no Kafka topics that could be read again")
