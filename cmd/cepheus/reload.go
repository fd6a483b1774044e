package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// reloaded says what a reload of the configuration has found.
type reloaded struct {
	Live    []string // keys, and rules, that are changed now
	Restart []string // those that count from the next start on
}

// reload takes over what can change in a running engine, and says of all that differs from
// what runs whether it has. Nothing can yet: a set of rules cannot be swapped.
func (p *pipeline) reload(c *config.Config, set *plan.Set) (r reloaded) {
	r.Restart = config.Changed(p.verb.file, c)
	for _, rule := range changedRules(p.set, set) {
		r.Restart = append(r.Restart, "rule "+rule)
	}
	return r
}

// changedRules names the rules that are in one set alone, or mean something else.
func changedRules(a, b *plan.Set) (names []string) {
	versions := map[string]string{}
	for _, r := range a.Rules {
		versions[r.Name] = r.Version
	}
	for _, r := range b.Rules {
		if versions[r.Name] != r.Version {
			names = append(names, r.Name)
		}
		delete(versions, r.Name)
	}
	for name := range versions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// hangups are the signals that ask for a reload, from the start of a run on: one that comes
// before there is something to reload must not end it. Nil without a configuration.
func (v *runVerb) hangups() (come <-chan os.Signal, ignore func()) {
	if v.file == nil {
		return nil, func() {}
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// reread reads the configuration and the rules anew. All or nothing: where one thing is
// wrong in either, nothing changes, and the log says what.
func (p *pipeline) reread() {
	v := *p.verb.given
	if err := v.configure(); err != nil {
		p.log.Error("configuration is not reloaded: what runs goes on", "err", err)
		return
	}
	set, messages, err := compile(v.Rules)
	if err == nil && messages.HasErrors() {
		err = messages.Err()
	}
	if err == nil && len(v.undeclaredTypes(set)) > 0 {
		err = v.undeclaredTypes(set)
	}
	if err != nil {
		p.log.Error("configuration is not reloaded: what runs goes on", "err", err)
		return
	}
	p.tellReload(p.reload(v.file, set))
}

func (p *pipeline) tellReload(r reloaded) {
	if len(r.Live)+len(r.Restart) == 0 {
		p.log.Info("configuration reloaded: nothing has changed")
		return
	}
	p.log.Info("configuration reloaded", slog.Any("changed", r.Live), slog.Any("needs_restart", r.Restart))
}

// listen does what goes on beside a run until the returned function is called, which waits
// for it: reloads on SIGHUP, positions shown, partitions that appear read.
func (p *pipeline) listen(ctx context.Context, eng *engine.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	if p.shown != nil {
		all.Go(func() { p.shown.run(ctx) })
	}
	if p.hangups != nil {
		all.Go(func() { each(ctx, p.hangups, p.reread) })
	}
	for _, f := range p.in.feeds {
		if f.Grown != nil {
			g := p.growing(f, eng)
			all.Go(func() { each(ctx, f.Grown, func() { g.grow(ctx) }) })
		}
	}
	return func() { cancel(); all.Wait() }
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
