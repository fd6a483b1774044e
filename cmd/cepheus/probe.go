package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/cepheus-cep/cepheus/config"
)

// attempt is one source or sink to be tried.
type attempt struct {
	key string
	try func(context.Context) error
}

// probe tries all sources and sinks of the configuration at once. What it finds is in the
// order of the file's names.
func (v *runVerb) probe(w *world) (faults config.Faults) {
	all := v.attempts(w)
	found := make([]error, len(all))
	var running sync.WaitGroup
	for i, a := range all {
		running.Go(func() { found[i] = a.try(w.ctx) })
	}
	running.Wait()
	for i, err := range found {
		if err != nil {
			faults = append(faults, v.fault(all[i].key, err))
		}
	}
	return faults
}

func (v *runVerb) attempts(w *world) (all []attempt) {
	for _, name := range v.sources() {
		s := v.file.Sources[name]
		all = append(all, attempt{"sources." + name, func(ctx context.Context) error {
			return s.Kind().Probe(ctx, w.kinds(), name, s)
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(v.file.Sinks)) {
		s := v.file.Sinks[name]
		all = append(all, attempt{"sinks." + name, func(ctx context.Context) error {
			return s.Kind().Probe(ctx, v.kindsToCome(w), name, s)
		}})
	}
	return all
}

// kindsToCome is what sinks see of a state that the first run is to make. They see nothing
// of one that is there: to open it would hold up a run that has it open.
func (v *runVerb) kindsToCome(w *world) config.World {
	kinds := w.kinds()
	if _, err := os.Stat(v.State); v.State != "" && errors.Is(err, os.ErrNotExist) {
		kinds.State = func(context.Context) (string, uint64, error) {
			return "that the first run will make in " + v.State, 0, nil
		}
	}
	return kinds
}
