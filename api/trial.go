package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

type trialOf struct {
	Files  map[string]string `json:"files,omitempty" doc:"texts by name, in place of those of the set in service"`
	Delete []string          `json:"delete,omitempty" doc:"names"`
	Whole  bool              `json:"whole,omitempty" doc:"files are all there is to be"`
	Rules  []string          `json:"rules,omitempty" doc:"whose alerts are wanted; none: of all"`
	Events []json.RawMessage `json:"events,omitempty" doc:"to try the change over"`
	Recent bool              `json:"recent,omitempty" doc:"over the last events that the engine has read, in place of events"`
	Limit  int               `json:"limit,omitempty" doc:"alerts that are shown; default 100" min:"0" max:"1000"`
}

type tried struct {
	Events uint64            `json:"events" doc:"that were decoded"`
	Counts map[string]uint64 `json:"alerts_by_rule"`
	Alerts []json.RawMessage `json:"alerts"`
	Totals map[string]uint64 `json:"totals"`
}

// tryRules is POST /v1/rules:try.
func tryRules(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	var in trialOf
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Events) > c.s.o.Limits.Events {
		return nil, wrong(http.StatusRequestEntityTooLarge, "too-large", "send fewer", "a trial takes at most %d events", c.s.o.Limits.Events)
	}
	if in.Limit < 0 || in.Limit > pageMost {
		return nil, wrong(http.StatusBadRequest, "body", "ask for fewer", "limit is 0 to %d", pageMost)
	}
	if !in.Recent && in.Events == nil {
		return nil, wrong(http.StatusBadRequest, "body", "give events, none is []; or recent: true", "events is missing")
	}
	if in.Recent && (len(in.Events) > 0 || c.s.o.Kept == nil) {
		return nil, c.noRecent(&in)
	}
	set, _, err := rules.Check((&draft{in.Files, in.Delete, in.Whole}).edit())
	if err != nil {
		return nil, err
	}
	select {
	case c.s.trials <- struct{}{}:
		defer func() { <-c.s.trials }()
	default:
		return nil, tooMany("%d trials run already", cap(c.s.trials))
	}
	return c.try(set, &in)
}

// Bounds of what a trial remembers: enough for a look, and little beside the engine.
const (
	trialKeys   = 100_000
	trialRuns   = 1000
	trialEvents = 10_000
)

func (c *call) try(set *plan.Set, in *trialOf) (*answer, error) {
	out := tried{Alerts: []json.RawMessage{}, Counts: map[string]uint64{}}
	most := or(in.Limit, pageDefault)
	take := func(a *event.Alert) {
		if len(in.Rules) > 0 && !slices.Contains(in.Rules, a.Rule) {
			return
		}
		if out.Counts[a.Rule]++; len(out.Alerts) < most {
			out.Alerts = append(out.Alerts, a.AppendJSON(nil))
		}
	}
	o := c.trialOptions(set, take)
	if o.Inputs = c.given(in.Events); in.Recent {
		o.Inputs = c.s.o.Kept.Inputs()
	}
	stats, err := trial.RunWithin(c.Request.Context(), c.s.o.Limits.TrialBytes, o, take)
	if late := c.Request.Context().Err(); late != nil {
		return nil, tookTooLong(late, c.s.o.Limits.Request)
	}
	if large := (*trial.MemoryError)(nil); errors.As(err, &large) {
		return nil, wrong(http.StatusUnprocessableEntity, "trial-memory", "try fewer events, or a rule that remembers less of them", large.Error())
	}
	if err != nil {
		return nil, wrong(http.StatusUnprocessableEntity, "trial", "see whether a rule or the events are to be mended", err.Error())
	}
	out.Events, out.Totals = stats.Events, totalsOf(stats)
	return ok(out)
}

func tookTooLong(err error, limit time.Duration) error {
	if err == context.Canceled { //nolint:errorlint // of a context
		return err
	}
	return wrong(http.StatusUnprocessableEntity, "trial-time", "try fewer events, or a cheaper rule", "the trial took longer than %s", limit)
}

// noRecent says why a trial cannot be over recent events.
func (c *call) noRecent(in *trialOf) error {
	if len(in.Events) > 0 {
		return wrong(http.StatusBadRequest, "body", "give one of the two", "a trial is over events, or over recent ones")
	}
	return notServed("recent events; see api.recent in docs/configuration.md")
}

// given is a source of the events of a request.
func (c *call) given(events []json.RawMessage) []engine.Input {
	records := &trial.Records{Name: "trial"}
	now := c.s.o.Now().UnixNano()
	for _, e := range events {
		records.Texts, records.Times = append(records.Texts, e), append(records.Times, now)
	}
	return []engine.Input{{Source: records, Decode: c.s.o.Decode}}
}

func (c *call) trialOptions(set *plan.Set, shadow func(*event.Alert)) engine.Options {
	o := engine.Options{
		Set: set, Shards: 1, Final: true,
		Steps: []engine.IdleStep{}, Files: c.s.o.Files, Now: c.s.o.Now, Shadow: shadow, RoundEvents: 1024,
	}
	if r := c.s.o.Redact; r != nil {
		o.Redact = r.Alert
	}
	o.Limits.KeysPerRule, o.Limits.RunsPerKey, o.Limits.EventsPerRun, o.Limits.EventsPerWindow = trialKeys, trialRuns, trialEvents, trialEvents
	return o
}

// explain is GET /v1/explain.
func explain(c *call) (*answer, error) {
	if c.s.o.Keys == nil {
		return nil, notServed("way to look at what is remembered of a key")
	}
	if c.Query("rule") == "" {
		return nil, wrong(http.StatusBadRequest, "query", "ask for ?rule=NAME&key=VALUE, with a key for each part of the rule's", "of which rule is not said")
	}
	return c.told(c.s.o.Keys.Explain(c.Request.Context(), c.Query("rule"), c.QueryArray("key")))
}

// tableRow is GET /v1/tables/{name}/{key}.
func tableRow(c *call) (*answer, error) {
	if c.s.o.Keys == nil {
		return nil, notServed("way to look into tables")
	}
	return c.told(c.s.o.Keys.Row(c.Request.Context(), c.Param("name"), []string{c.Param("key")}))
}

// told answers with what is remembered of a key of a rule, or of a table, which can be asked for
// as a rule, too.
func (c *call) told(view *engine.KeyView, err error) (*answer, error) {
	if err != nil || c.s.o.Redact == nil {
		return shown(view, err)
	}
	text, err := json.Marshal(view)
	name := strings.TrimPrefix(view.Rule, engine.TablePrefix)
	return shown(json.RawMessage(c.s.o.Redact.Told(view.Set(), name, text)), err)
}

func shown(what any, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return ok(what)
}

// reload is POST /v1/config:reload.
func reload(c *call) (*answer, error) {
	if c.s.o.Reload == nil {
		return nil, notServed("configuration to read again")
	}
	told, err := c.s.o.Reload(c.Request.Context())
	if err != nil {
		return nil, wrong(http.StatusUnprocessableEntity, "configuration", "mend the configuration; what runs goes on as it was", err.Error())
	}
	return ok(reloaded{append([]string{}, told...)})
}

type reloaded struct {
	Told []string `json:"told" doc:"what has changed, and what needs a restart"`
}
