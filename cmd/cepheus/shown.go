package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

// shown shows committed positions outside of the state: as the offsets of a consumer group,
// to tools that watch lag. It does so beside the run: brokers that are away hold nothing up.
type shown struct {
	store stateStore
	log   *slog.Logger
	feeds []*showing
	wake  chan struct{} // an epoch was committed

	mu    sync.Mutex                 // leaf; guards parts
	parts map[string]event.Partition // by name
}

// showing is one source whose positions are shown.
type showing struct {
	feed
	failing bool // the last time it could not be done
}

const (
	showEvery = time.Second            // at most
	showLast  = time.Second            // how long the end of a run waits for it
	showAgain = 100 * time.Millisecond // until it is tried again then
	showMost  = 10 * time.Second       // how long brokers may take to answer
)

// newShown is nil where nothing can be shown: a state in memory has no committed positions.
func (p *pipeline) newShown(store stateStore) *shown {
	s := &shown{store: store, log: p.log, parts: map[string]event.Partition{}, wake: make(chan struct{}, 1)}
	for _, f := range p.in.feeds {
		switch {
		case f.Publish == nil:
		case store.Durable():
			s.feeds = append(s.feeds, &showing{feed: f})
		default:
			p.log.Warn("offsets are not shown to the group: they are committed with a state on disk, and this run has none", "source", f.name)
		}
	}
	if len(s.feeds) == 0 {
		return nil
	}
	for _, in := range p.in.parts {
		s.add(in.Source.Partition())
	}
	s.committed() // what the run before committed, and could not show any more
	return s
}

// add has the positions of a partition shown too.
func (s *shown) add(part event.Partition) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[string(part.AppendName(nil))] = part
}

// committed is called after each commit.
func (s *shown) committed() {
	if s == nil {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run shows positions after commits, and again where that failed, until ctx ends.
func (s *shown) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		if !s.show(ctx) {
			s.committed()
		}
		select {
		case <-time.After(showEvery):
		case <-ctx.Done():
			return
		}
	}
}

// last shows what the run has come to.
func (s *shown) last(ctx context.Context) {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), showLast)
	defer cancel()
	for !s.show(ctx) && ctx.Err() == nil {
		time.Sleep(showAgain)
	}
}

// show shows what is committed by now, and reports whether it could. It is called by one
// goroutine at a time.
func (s *shown) show(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, showMost)
	defer cancel()
	at, err := s.positions(ctx)
	var all sync.WaitGroup
	for _, f := range s.feeds {
		all.Go(func() {
			if err == nil {
				s.tell(ctx, f, f.Publish(ctx, at))
			} else {
				s.tell(ctx, f, err)
			}
		})
	}
	all.Wait()
	return !slices.ContainsFunc(s.feeds, func(f *showing) bool { return f.failing })
}

// tell tells when it begins that positions cannot be shown, and when it ends.
func (s *shown) tell(ctx context.Context, f *showing, err error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return
	case err != nil && !f.failing:
		s.log.Warn("committed offsets are not shown to the group", "source", f.name, "err", err)
	case err == nil && f.failing:
		s.log.Info("committed offsets are shown to the group again", "source", f.name)
	}
	f.failing = err != nil
}

// positions are the committed positions of what the run reads.
func (s *shown) positions(ctx context.Context) (at []event.Position, err error) {
	stored, err := engine.StoredPositions(ctx, s.store)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range stored {
		if part, ok := s.parts[p.Name]; ok {
			at = append(at, event.Position{Partition: part, Offset: p.Offset})
		}
	}
	return at, err
}
