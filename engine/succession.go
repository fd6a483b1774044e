package engine

import (
	"log/slog"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// succession is what becomes of the state that a rule of an earlier run has left.
type succession struct {
	name       string
	rule       int // its number now; -1: it is gone
	was        int // of a change of a running engine: its number before
	generation int // of its records
	changed    bool
	touched    []string   // what of its memory is not what it was
	keys       int        // whose states there are
	carry      *carryOver // what goes on of what it remembers, where not all does; nil: nothing
}

// cutVersion takes apart what the store knows of a rule, which putNames has written: its
// version, and what it remembers, which is not known of states of before that was written.
func cutVersion(stored string) (version, memory string, known bool) {
	return strings.Cut(stored, " ")
}

// compare compares a rule with what the store knows of the one that wrote the state: its
// version and, but for states of before it was written, what it remembers; steps is what it
// knows of those, see metaSteps.
func (s *succession) compare(n int, c *compiled, stored, steps string) {
	rule := c.rule
	version, memory, known := cutVersion(stored)
	s.rule, s.changed = n, version != rule.Version
	if s.changed && !known {
		s.touched = []string{"meaning"}
		return
	}
	if s.changed {
		s.touched = plan.MemoryChanges(memory, rule.Memory)
	}
	if len(s.touched) > 0 && c.pattern != nil && c.watched == nil {
		s.compareSteps(c, version, steps)
	}
}

// compareSteps finds out which steps are the same, and whether runs that wait there go on.
func (s *succession) compareSteps(c *compiled, version, stored string) {
	steps, layout := cutSteps(stored, version)
	keep := plan.KeptSteps(steps, c.rule.Steps)
	if c.pattern.NewCarrier(layout, keep) != nil {
		s.carry = &carryOver{layout: layout, keep: keep}
	}
}

// keeps reports whether the rule goes on with the state.
func (s *succession) keeps() bool { return s.rule >= 0 && len(s.touched) == 0 }

// tell says what has become of it, unless nothing has changed.
func (s *succession) tell(log *slog.Logger) {
	switch {
	case s.rule < 0 && s.keys > 0:
		log.Warn("state dropped: the rule is gone", "rule", s.name, "keys", s.keys)
	case s.rule < 0:
		log.Info("rule removed", "rule", s.name)
	case s.carry != nil && s.keys > 0:
		log.Warn("state kept in part: the rule has changed behind its first steps", "rule", s.name, "steps", len(s.carry.keep), "kept", s.carry.kept, "dropped", s.carry.dropped)
	case len(s.touched) > 0 && s.keys > 0:
		log.Warn("state dropped: the rule has changed", "rule", s.name, "keys", s.keys, "in", strings.Join(s.touched, ","))
	case len(s.touched) > 0:
		log.Info("rule changed, it had no state", "rule", s.name)
	case s.changed:
		log.Info("rule changed, state kept", "rule", s.name, "keys", s.keys)
	}
}
