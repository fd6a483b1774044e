package api

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/rules/service"
)

// Query parameters of a change whose rules are to be warmed.
var warmParams = []param{
	{name: "warm_file", doc: "Warm the rules that begin anew before they are in service: give them the events of this file; once for each file. The answer is 202.", many: true},
	{name: "warm_until", doc: "Events of warm_file from this time on are left out, for the engine reads them; the rules are in service once it has come there. Default: what it has come to.", time: true},
	{name: "warm_from", doc: "Warm them by reading the Kafka topics again that the engine reads, from this time on. The answer is 202.", time: true},
}

type warmingList struct {
	Warmings []warming `json:"warmings" doc:"the newest first"`
}

type warming struct {
	Number    uint64     `json:"number"`
	State     string     `json:"state" doc:"warming; warm: its rules are in service; failed: see error, nothing has changed"`
	Author    string     `json:"author"`
	Note      string     `json:"note,omitempty"`
	Files     []string   `json:"files" doc:"whose events the rules are given"`
	Until     *time.Time `json:"until,omitempty" doc:"of the events of files"`
	From      *time.Time `json:"from,omitempty" doc:"Kafka topics are read again from there on"`
	Rules     []string   `json:"rules" doc:"that are warmed"`
	Missing   []string   `json:"missing" doc:"partitions that are not read again: of what the engine reads of them until the rules are in service they are given nothing"`
	Begun     time.Time  `json:"begun"`
	Ended     *time.Time `json:"ended,omitempty"`
	Records   uint64     `json:"records" doc:"that were read"`
	Events    uint64     `json:"events" doc:"that were worked"`
	Alerts    uint64     `json:"alerts" doc:"of the past, which are not sent"`
	Keys      int        `json:"keys" doc:"that the rules remember"`
	Watermark *time.Time `json:"watermark,omitempty" doc:"up to when events are worked"`
	Caught    bool       `json:"caught_up" doc:"it goes along with the engine"`
	Waits     string     `json:"waits_for,omitempty" doc:"event: the engine has had no event yet, so that there is no time that the past could be read up to; until: that the engine's time comes to until; the past is read as far as it has come"`
	Tries     int        `json:"tries,omitempty" doc:"how often the change came to nothing, for the rest of the past was not read in 5 s; after ten it has failed"`
	Error     string     `json:"error,omitempty"`
	Change    *change    `json:"change,omitempty" doc:"what the change did"`
}

func warmingOf(w *service.Warming) warming {
	out := warming{
		Number: w.Number, State: string(w.State), Author: w.Author, Note: w.Note,
		Files: append([]string{}, w.Past.Files...), Until: timeOf(w.Past.Until), From: timeOf(w.Past.From),
		Rules: append([]string{}, w.Rules...), Missing: append([]string{}, w.Missing...), Begun: w.Begun, Ended: timeOf(w.Ended),
		Records: w.Stats.Records, Events: w.Stats.Events, Alerts: w.Stats.Alerts, Keys: w.Stats.Keys, Caught: w.Stats.Caught, Waits: string(w.Waits), Tries: w.Tries, Error: w.Err,
	}
	if w.Stats.Events > 0 && w.Stats.Watermark != math.MinInt64 {
		out.Watermark = timeOf(time.Unix(0, w.Stats.Watermark))
	}
	if w.Result != nil {
		made := changeOf(w.Result)
		out.Change = &made
	}
	return out
}

// timeOf is nil for the zero time.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// past is what the rules of a change are to be given; false: nothing.
func (c *call) past() (p service.Past, given bool, err error) {
	p.Files = c.QueryArray("warm_file")
	if p.Until, err = c.time("warm_until"); err != nil {
		return p, false, err
	}
	if p.From, err = c.time("warm_from"); err != nil {
		return p, false, err
	}
	given = len(p.Files) > 0 || !p.From.IsZero()
	switch latest := c.s.latestUntil(); {
	case !p.Until.IsZero() && len(p.Files) == 0:
		return p, false, wrong(http.StatusBadRequest, "query", "give warm_file too", "warm_until is for files of the past")
	case p.Until.After(latest):
		return p, false, wrong(http.StatusBadRequest, "query", "leave it out, or give a time up to "+latest.Format(time.RFC3339),
			"warm_until is more than a day ahead of the clock and of the engine's time: the rules would wait for it")
	}
	return p, given, nil
}

// untilAhead is how far ahead the end of the past may be: files may be of a whole day.
const untilAhead = 24 * time.Hour

// latestUntil is up to when a past may last.
func (s *Server) latestUntil() time.Time {
	now := s.o.Now()
	if t := s.o.Totals.read(); t.Commits > 0 && t.Watermark != math.MinInt64 {
		if at := time.Unix(0, t.Watermark); at.After(now) {
			now = at
		}
	}
	return now.Add(untilAhead).UTC()
}

// warm begins to warm the rules of a change.
func (c *call) warm(e service.Edit, p service.Past) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	c.note.Before = rules.Current().Number
	if e.Expected, err = c.expected(); err != nil {
		return nil, err
	}
	e.Author = c.who.name
	w, err := rules.Warm(c.Request.Context(), e, p)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted, body: warmingOf(&w)}, nil
}

// ofPast is about rules that cannot be warmed.
func ofPast(err error) *problem {
	past := (*service.PastError)(nil)
	switch {
	case errors.As(err, &past):
		return wrong(http.StatusUnprocessableEntity, "past", "name files of the folders in api.past, and times that Kafka has records of", past.Error())
	case errors.Is(err, service.ErrNoPast):
		return wrong(http.StatusUnprocessableEntity, "past", "see api.past in docs/configuration.md, and docs/api.md", err.Error())
	case errors.Is(err, engine.ErrNothingToWarm):
		return wrong(http.StatusUnprocessableEntity, "nothing-to-warm", "put it in service as it is", "no rule of the change would begin with nothing remembered")
	case errors.Is(err, engine.ErrWarming):
		return wrong(http.StatusConflict, "warming", "wait for it, or end it: GET /v1/warmings, DELETE /v1/warmings/{number}", "other rules are being warmed")
	case errors.Is(err, service.ErrNoWarming):
		return wrong(http.StatusNotFound, "not-found", "see GET /v1/warmings", err.Error())
	}
	return nil
}

// listWarmings is GET /v1/warmings.
func listWarmings(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	out := warmingList{Warmings: []warming{}}
	for _, w := range rules.Warmings() {
		out.Warmings = append(out.Warmings, warmingOf(&w))
	}
	return ok(out)
}

// getWarming is GET /v1/warmings/{number}.
func getWarming(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	for _, w := range rules.Warmings() {
		if strconv.FormatUint(w.Number, 10) == c.Param("number") {
			return ok(warmingOf(&w))
		}
	}
	return nil, ofPast(service.ErrNoWarming)
}

// endWarming is DELETE /v1/warmings/{number}.
func endWarming(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(c.Param("number"), 10, 64)
	if err != nil {
		return nil, ofPast(service.ErrNoWarming)
	}
	if err := rules.EndWarming(n); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}
