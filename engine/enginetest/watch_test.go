package enginetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/story"
)

// TestWatchedEngineAgreesWithReference says that watching changes nothing, and that what is
// sameStory asks that the story of a rule has its matches, and tells of each.
func sameStory(t *rapid.T, h *history, teller *story.Teller, matches uint64) {
	alerts := uint64(0)
	for i := range teller.Lines {
		if teller.Lines[i].Kind == story.KindAlert {
			alerts++
		}
	}
	if uint64(len(teller.Matches)) != matches || teller.Left == 0 && alerts != matches {
		t.Fatalf("%s\nfinal: %v\n%d matches and %d alerts told, want %d:\n%+v", situation(h.rules, h.streams), h.final, len(teller.Matches), alerts, matches, teller.Lines)
	}
	teller.Miss()
	teller.Cover()
}

// told is what came: a plain run, which the reference evaluator is compared with, gives the
// same alerts, and each of them was told with all that it rests on.
func TestWatchedEngineAgreesWithReference(t *testing.T) { repeat(t, 2, watchedTheSame) }

func watchedTheSame(t *rapid.T) {
	h := drawHistory(t)
	told := &told{t: t, took: map[string]bool{}, open: map[string]bool{}, waits: map[string]uint64{}, matches: map[string]uint64{}}
	set := compile(t, h.rules)
	tellers := map[string]*story.Teller{}
	for _, r := range set.Rules {
		tellers[r.Name] = story.New(r, story.Options{Types: set.Types})
	}
	res, err := Run(t.Context(), set, h.streams, Options{Final: h.final, See: func(s *machine.Sight) {
		told.see(s)
		tellers[s.Rule.Name].See(s)
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, situation(h.rules, h.streams))
	}
	if diff := cmp.Diff(h.alerts, res.Alerts); diff != "" {
		t.Fatalf("%s\nfinal: %v\n(-plain +watched):\n%s", situation(h.rules, h.streams), h.final, diff)
	}
	for _, r := range res.Stats.Rules {
		if want := r.Alerts + r.Suppressed + r.Shadowed; told.matches[r.Name] != want {
			t.Fatalf("%s\nfinal: %v\nrule %s: %d matches told, want %d", situation(h.rules, h.streams), h.final, r.Name, told.matches[r.Name], want)
		}
		if !r.Table {
			sameStory(t, h, tellers[r.Name], told.matches[r.Name])
		}
	}
	if told.fault != "" {
		t.Fatalf("%s\nfinal: %v\n%s", situation(h.rules, h.streams), h.final, told.fault)
	}
}

// told is what a watched engine has told.
type told struct {
	t       *rapid.T
	took    map[string]bool   // rule, key, run, step and event
	open    map[string]bool   // rule, key, run
	waits   map[string]uint64 // rule, key, run: the steps that a place of it was told to wait for
	matches map[string]uint64
	held    bool // what was judged last
	fault   string
}

func (d *told) see(s *machine.Sight) {
	run := fmt.Sprint(s.Rule.Name, s.Key, s.Run)
	switch s.What {
	case machine.SightTook:
		d.took[fmt.Sprint(run, s.Step, string(s.Event.JSON()), s.Event.Offset)] = true
		d.awaited(s, run)
	case machine.SightMatched:
		d.matched(s, run)
	case machine.SightEnded:
		if !d.open[run] {
			d.fault = fmt.Sprintf("run %s ended and was not open: %+v", run, s)
		}
		delete(d.open, run)
	case machine.SightJudged:
		d.held = s.Held
		d.consistent(s)
	case machine.SightSaw, machine.SightAsked:
		d.consistent(s)
	}
}

// awaited asks that a run takes only what it was told to wait for.
func (d *told) awaited(s *machine.Sight, run string) {
	if d.open[run] && s.Total > 1 && d.waits[run]&(1<<s.Step) == 0 {
		d.fault = fmt.Sprintf("run %s took step %d, for which no place of it waited: %b", run, s.Step, d.waits[run])
	}
	d.open[run] = true
	d.waits[run] |= s.Next
}

// matched compares the evidence of a match with what its run was told to have taken.
func (d *told) matched(s *machine.Sight, run string) {
	d.matches[s.Rule.Name]++
	if s.Rule.Pattern == nil && !d.held {
		d.fault = fmt.Sprintf("an alert of what did not hold: %+v", s)
	}
	if s.Rule.Pattern == nil || s.Rule.Pattern.Select == plan.SelectAll {
		return
	}
	for _, e := range s.Effect.Evidence {
		if !d.took[fmt.Sprint(run, e.Step, string(e.Event.JSON()), e.Event.Offset)] {
			d.fault = fmt.Sprintf("a match of run %s with an event that it was not told to take: step %d, %s", run, e.Step, e.Event.JSON())
		}
	}
}

// consistent asks that a condition holds where all its parts do, and only there.
func (d *told) consistent(s *machine.Sight) {
	for _, a := range s.Asked {
		all := true
		for _, c := range a.Checks {
			all = all && c.Holds
		}
		if all != a.Holds {
			d.fault = fmt.Sprintf("a condition whose parts say otherwise: %+v", a)
		}
	}
}
