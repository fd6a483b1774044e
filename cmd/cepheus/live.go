package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/service"
)

// changes reports whether the rules of a run can change while it goes on.
func (v *runVerb) changes() bool { return v.file != nil || v.Watch || v.serves() }

// watches reports whether changes of the rule files are taken without being asked for.
func (v *runVerb) watches() bool { return v.Watch || v.file != nil && v.file.RulesWatch }

// takeRules puts the rules in service: those of the files, with what the state knows of
// edits.
func (p *pipeline) takeRules(ctx context.Context, store stateStore) error {
	if !p.verb.changes() {
		return nil
	}
	s, messages, err := service.Open(ctx, service.Options{Store: store, Folders: p.verb.Rules, Past: p.openPast, Now: p.world.now, Log: p.log})
	switch {
	case messages.HasErrors():
		return p.verb.judge(p.world, nil, messages)
	case err != nil:
		return p.ofState(err)
	}
	first := p.set
	p.rules, p.set = s, s.Set()
	if first != nil && first.Version == p.set.Version {
		return nil // it was judged before anything else
	}
	return p.verb.judge(p.world, p.set, messages)
}

// swapper is what runs the rules: an [engine.Engine].
type swapper interface{ service.Warmer }

// live is the set that runs, which another can take the place of: it joins what must follow.
type live struct {
	*pipeline
	engine swapper
}

// Swap has the engine run another set, and sends its alerts where it says. One that does
// not fit the sources is refused.
func (l *live) Swap(ctx context.Context, set *plan.Set) (engine.Report, error) {
	return l.swap(set, func() (engine.Report, error) { return l.engine.Swap(ctx, set) })
}

// Warm has the engine make ready to give rules the past.
func (l *live) Warm(ctx context.Context, p engine.Past, progress func(engine.WarmStats)) (*engine.Warmup, error) {
	if err := l.fits(p.Set); err != nil {
		return nil, err
	}
	return l.engine.Warm(ctx, p, progress)
}

// SwapWarm is Swap of a set with rules that have been given the past.
func (l *live) SwapWarm(ctx context.Context, set *plan.Set, w *engine.Warmup) (engine.Report, error) {
	return l.swap(set, func() (engine.Report, error) { return l.engine.SwapWarm(ctx, set, w) })
}

func (l *live) swap(set *plan.Set, run func() (engine.Report, error)) (engine.Report, error) {
	if err := l.fits(set); err != nil {
		return engine.Report{}, err
	}
	forget := l.to.expect(set)
	r, err := run()
	if err != nil {
		forget()
		return r, err
	}
	l.to.become(set)
	l.verb.warn(l.world.stderr, set)
	l.warnUndeclared(set)
	l.tell(&r)
	return r, nil
}

// fits refuses a set that does not declare what the sources read, or those of a configuration
// that is being read again.
func (p *pipeline) fits(set *plan.Set) error {
	if err := p.verb.typesDeclared(set); err != nil {
		return err
	}
	if next := p.next.Load(); next != nil {
		return next.typesDeclared(set)
	}
	return nil
}

// tell tells what became of each rule; of those that are as they were, how many there are.
func (l *live) tell(r *engine.Report) {
	counts := map[engine.Fate]int{}
	for i := range r.Rules {
		change := &r.Rules[i]
		counts[change.Fate]++
		if told := len(r.Rules[:i]) - counts[engine.Unchanged]; change.Fate != engine.Unchanged && told < maxWarnings {
			l.log.Info("rule changed", append([]any{"rule", change.Name, "fate", change.Fate.String()}, lost(change)...)...)
		}
	}
	l.log.Info("rules changed while running", "unchanged", counts[engine.Unchanged], "added", counts[engine.Added], "removed", counts[engine.Removed],
		"kept", counts[engine.Kept], "kept in part", counts[engine.InPart], "dropped", counts[engine.Dropped], "pause", r.Pause, "epoch", r.Epoch)
}

// lost says what a rule has forgotten, and why.
func lost(c *engine.RuleChange) []any {
	why := []any{slog.String("why", strings.Join(c.Why, "; ")), slog.Int("keys", c.Keys)}
	switch c.Fate {
	case engine.Dropped:
		return why
	case engine.InPart:
		return append(why, slog.Int("steps", c.Steps), slog.Int("runs kept", c.RunsKept), slog.Int("runs dropped", c.RunsDropped))
	}
	return nil
}

// take takes what has changed in the rule files, and says what is wrong with it otherwise.
func (p *pipeline) take(ctx context.Context) (service.Result, error) {
	r, err := p.rules.Look(ctx)
	if errors.Is(err, engine.ErrEnded) {
		err = errors.New("the run is about to end; the next one takes them")
	}
	return r, err
}
