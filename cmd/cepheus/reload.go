package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/rules/service"
)

// hangups are the signals that ask for a reload, from the start of a run on: one that comes
// before there is something to reload must not end it. Nil where nothing can change.
func (v *runVerb) hangups() (come <-chan os.Signal, ignore func()) {
	if !v.changes() {
		return nil, func() {}
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// reread is reload for who is told by the log.
func (p *pipeline) reread(ctx context.Context) {
	if _, err := p.reload(ctx); err != nil {
		p.log.Error("not reloaded: what runs goes on", "err", err)
	}
}

// reload reads the configuration and the rules anew, and tells what it has found. All or
// nothing: where one thing is wrong in either, nothing changes.
func (p *pipeline) reload(ctx context.Context) (told []string, err error) {
	p.reloads.Lock()
	defer p.reloads.Unlock()
	next, keys, err := p.changedKeys()
	if err != nil {
		return nil, err
	}
	r, err := p.takeFor(ctx, next)
	if err != nil {
		return nil, err
	}
	what := "nothing has changed"
	if r.Changed {
		what = "rules"
	}
	told = []string{fmt.Sprintf("changed: %s; version %d of the rules is in service", what, r.Version.Number)}
	if len(keys) == 0 {
		p.log.Info("reloaded", "changed", what, "version", r.Version.Number)
		return told, nil
	}
	p.log.Warn("reloaded, but for what counts from the next start on", "changed", what, "version", r.Version.Number, "needs_restart", keys)
	return append(told, "needs a restart: "+strings.Join(keys, ", ")), nil
}

// changedKeys are the keys of the configuration that are not what runs, none of which can
// change in a run; next is what the next start would run, nil without a configuration.
func (p *pipeline) changedKeys() (next *runVerb, keys []string, err error) {
	if p.verb.file == nil {
		return nil, nil, nil
	}
	v := *p.verb.given
	if err := v.configure(); err != nil {
		return nil, nil, err
	}
	return &v, config.Changed(p.verb.file, v.file), nil
}

// takeFor takes what has changed in the rule files, unless the sources of the next start read
// types that are declared nowhere. Where it has other rule files, those are what it must fit.
func (p *pipeline) takeFor(ctx context.Context, next *runVerb) (service.Result, error) {
	if next == nil {
		return p.take(ctx)
	}
	if !slices.Equal(next.Rules, p.verb.Rules) {
		set, messages, err := compile(next.Rules)
		if err == nil {
			err = messages.Err()
		}
		if err == nil {
			err = next.typesDeclared(set)
		}
		if err != nil {
			return service.Result{}, err
		}
		return p.take(ctx)
	}
	p.next.Store(next)
	defer p.next.Store(nil)
	r, err := p.take(ctx)
	if err == nil && !r.Changed {
		err = next.typesDeclared(p.rules.Set())
	}
	return r, err
}

// listen does what goes on beside a run until the returned function is called, which waits
// for it: rule files watched, reloads on SIGHUP, positions shown, partitions that appear read.
func (p *pipeline) listen(ctx context.Context, eng *engine.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	if p.shown != nil {
		all.Go(func() { p.shown.run(ctx) })
	}
	if p.rules != nil {
		p.rules.Begin(&live{p, eng})
		all.Go(func() { p.rules.RunWarmings(ctx) })
		all.Go(func() { each(ctx, p.hangups, func() { p.reread(ctx) }) })
	}
	if p.api != nil {
		all.Go(func() { p.api.run(ctx) })
	}
	if p.verb.watches() {
		all.Go(func() { p.watch(ctx) })
	}
	for _, f := range p.in.feeds {
		if f.Grown != nil {
			g := p.growing(f, eng)
			all.Go(func() { each(ctx, f.Grown, func() { g.grow(ctx) }) })
		}
	}
	return func() { cancel(); all.Wait() }
}

// watch takes changes of the rule files. A system that has no room for a watch is no reason
// to end a run: SIGHUP is left.
func (p *pipeline) watch(ctx context.Context) {
	if err := p.rules.Run(ctx); err != nil {
		p.log.Error("rule files are not watched; SIGHUP has them read", "err", err)
	}
}

// each calls do for what comes, until ctx ends.
func each[T any](ctx context.Context, come <-chan T, do func()) {
	for {
		select {
		case <-come:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// committed adds to what is to be done after each commit.
func (p *pipeline) committed(then func(context.Context, uint64) error) func(context.Context, uint64) error {
	if p.shown == nil {
		return then
	}
	return func(ctx context.Context, last uint64) error {
		p.shown.committed()
		return then(ctx, last)
	}
}
