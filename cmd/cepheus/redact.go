package main

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/redact"
)

// redactor is what the configuration says of people's data; nil: nothing.
func (v *runVerb) redactor() *redact.Redactor {
	if v.file == nil || v.file.Redact == nil {
		return nil
	}
	c := v.file.Redact
	return redact.New(redact.Options{Key: []byte(c.Key.Reveal()), Mask: c.Mode == "mask", Fields: c.Types})
}

// redacts is for engine.Options.
func (p *pipeline) redacts() func(*plan.Set, *plan.Rule, *event.Alert) {
	if p.redactor == nil {
		return nil
	}
	p.warnUndeclared(p.set)
	return p.redactor.Alert
}

// warnUndeclared tells of types that are to be redacted and that a set, which is in service from now
// on, does not declare: once, as long as they are the same.
func (p *pipeline) warnUndeclared(set *plan.Set) {
	if p.redactor == nil {
		return
	}
	types := strings.Join(p.redactor.Undeclared(set), ", ")
	if types != p.unredacted && types != "" {
		p.log.Warn("redact names event types that no rule file declares: nothing of them is redacted", slog.String("types", types))
	}
	p.unredacted = types
}

// withoutValues are the totals without what the last errors of rules say of values.
func (p *pipeline) withoutValues(s *engine.Stats) *engine.Stats {
	if p.redactor == nil {
		return s
	}
	out := *s
	out.Rules = slices.Clone(s.Rules)
	for i := range out.Rules {
		if r := &out.Rules[i]; r.LastError != "" {
			r.LastError = p.redactor.Reason(r.LastError)
		}
	}
	return &out
}
