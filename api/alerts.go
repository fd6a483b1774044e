package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks/route"
)

type alertRow struct {
	Row   uint64          `json:"row" doc:"number in the outbox"`
	Alert json.RawMessage `json:"alert"`
}

type alertPage struct {
	Alerts []alertRow `json:"alerts" doc:"the newest first"`
	Next   string     `json:"next,omitempty" doc:"cursor of the next page"`
}

type shadowRow struct {
	Number uint64          `json:"number" doc:"from 1, of all that there were"`
	Rule   string          `json:"rule"`
	Alert  json.RawMessage `json:"alert"`
}

type shadowList struct {
	Alerts []shadowRow `json:"alerts" doc:"the newest first"`
}

// Sizes of pages.
const (
	pageDefault = 100
	pageMost    = 1000
)

func (c *call) pageSize() (int, error) {
	n, err := c.number("limit")
	return int(or(n, pageDefault)), err // at most pageMost
}

func (c *call) recent() (*Recent, error) {
	if c.s.o.Recent == nil {
		return nil, notServed("alerts to look at")
	}
	return c.s.o.Recent, nil
}

// listAlerts is GET /v1/alerts.
func listAlerts(c *call) (*answer, error) {
	recent, err := c.recent()
	if err != nil {
		return nil, err
	}
	most, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	row, err := c.cursor()
	if err != nil {
		return nil, err
	}
	wanted, err := c.wanted()
	if err != nil {
		return nil, err
	}
	found, at := recent.before(row, most, wanted)
	out := alertPage{Alerts: make([]alertRow, 0, len(found))}
	for _, a := range found {
		out.Alerts = append(out.Alerts, alertRow{a.row, a.text})
	}
	if at > 0 {
		out.Next = cursorOf(at)
	}
	return ok(out)
}

// cursorPattern is how cursors of alerts are written.
const cursorPattern = "^b[0-9a-z]{1,12}$"

func cursorOf(row uint64) string { return "b" + strconv.FormatUint(row, 36) }

// cursor is the row that a page lies below.
func (c *call) cursor() (uint64, error) {
	text := c.Query("cursor")
	if text == "" {
		return ^uint64(0), nil
	}
	row, err := strconv.ParseUint(text[1:], 36, 64)
	if err != nil { // the pattern of the parameter lets none through
		return 0, err
	}
	return row, nil
}

// wanted are the alerts that the query asks for.
func (c *call) wanted() (func(*recent) bool, error) {
	from, err := c.time("from")
	if err != nil {
		return nil, err
	}
	to, err := c.time("to")
	if err != nil {
		return nil, err
	}
	rule, key := c.Query("rule"), c.Query("key")
	return func(a *recent) bool {
		return (rule == "" || a.rule == rule) && (key == "" || a.hasKey(key)) &&
			(from.IsZero() || !a.time.Before(from)) && (to.IsZero() || a.time.Before(to))
	}, nil
}

// hasKey reports whether a part of the alert's key is written so.
func (a *recent) hasKey(text string) bool {
	for _, part := range a.key {
		if written(part) == text {
			return true
		}
	}
	return false
}

func written(v any) string {
	if f, isOne := v.(json.Number); isOne {
		return f.String()
	}
	return fmt.Sprint(v)
}

func (c *call) time(name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text) // it was looked at
}

// keepAlive is how often a stream says that it is there.
const keepAlive = 15 * time.Second

// streamAlerts is GET /v1/alerts/stream: server-sent events, each with its row as its id.
func streamAlerts(c *call) (*answer, error) {
	recent, err := c.recent()
	if err != nil {
		return nil, err
	}
	after, err := c.resume(recent)
	if err != nil {
		return nil, err
	}
	select {
	case c.s.streams <- struct{}{}:
		defer func() { <-c.s.streams }()
	default:
		p := wrong(http.StatusTooManyRequests, "streams", "close some, or read GET /v1/alerts", "there are %d streams open", cap(c.s.streams))
		p.retryAfter = 10 * time.Second
		return nil, p
	}
	s := &stream{c: c, to: http.NewResponseController(c.Writer)}
	_ = s.to.SetReadDeadline(time.Time{}) // nothing more is read
	s.run(recent, after, c.Query("rule"))
	return &answer{done: true}, nil
}

// resume is the row after which a stream begins; without a word, that of the last.
func (c *call) resume(r *Recent) (uint64, error) {
	text := or(c.GetHeader("Last-Event-ID"), c.Query("after"))
	if text == "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.last, nil
	}
	row, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, wrong(http.StatusBadRequest, "query", "send the id of the last event that came", "Last-Event-ID is none of ours")
	}
	return row, nil
}

type stream struct {
	c  *call
	to *http.ResponseController
}

// run sends alerts until the client is gone or too slow, or the server ends.
func (s *stream) run(r *Recent, after uint64, rule string) {
	h := s.c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	if !s.send(": alerts after %d\n\n", after) {
		return
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		alerts, lost, more := r.after(after, pageDefault)
		if lost > after {
			if !s.send("event: gap\ndata: {\"from\":%d,\"to\":%d}\n\n", after+1, lost) {
				return
			}
			after = lost
		}
		for _, a := range alerts {
			after = a.row
			if (rule == "" || a.rule == rule) && !s.send("id: %d\nevent: alert\ndata: %s\n\n", a.row, a.text) {
				return
			}
		}
		if len(alerts) == 0 && !s.wait(more, tick.C) {
			return
		}
	}
}

// wait returns false when there will be no more.
func (s *stream) wait(more <-chan struct{}, tick <-chan time.Time) bool {
	select {
	case <-more:
		return true
	case <-tick:
		return s.send(": \n\n")
	case <-s.c.Request.Context().Done():
		return false
	case <-s.c.s.over:
		return false
	}
}

func (s *stream) send(format string, args ...any) bool {
	_ = s.to.SetWriteDeadline(s.c.s.o.Now().Add(s.c.s.o.Limits.Request)) // a recorder has none
	if _, err := fmt.Fprintf(s.c.Writer, format, args...); err != nil {
		return false
	}
	return s.to.Flush() == nil && s.c.Request.Context().Err() == nil
}

// listShadows is GET /v1/shadows.
func listShadows(c *call) (*answer, error) {
	if c.s.o.Shadows == nil {
		return nil, notServed("alerts of shadow rules")
	}
	most, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	out := shadowList{Alerts: []shadowRow{}}
	for _, a := range c.s.o.Shadows.Last(c.Query("rule"), most) {
		out.Alerts = append(out.Alerts, shadowOf(a))
	}
	return ok(out)
}

func shadowOf(a service.Shadow) shadowRow { return shadowRow{a.Number, a.Rule, a.JSON} }

type silence struct {
	ID      string      `json:"id,omitempty"`
	Match   matchFields `json:"match"`
	Until   time.Time   `json:"until"`
	By      string      `json:"by,omitempty"`
	Comment string      `json:"comment,omitempty"`
}

// matchFields is a route.Match by the names of its keys in a configuration.
type matchFields struct {
	Rules       []string          `json:"rules,omitempty"`
	Severities  []string          `json:"severities,omitempty"`
	MinSeverity string            `json:"min_severity,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Key         map[string]string `json:"key,omitempty"`
}

type silenceList struct {
	Silences []silence `json:"silences"`
}

func (c *call) silences() (Silences, error) {
	if c.s.o.Silences == nil {
		return nil, notServed("silences")
	}
	return c.s.o.Silences, nil
}

// listSilences is GET /v1/silences.
func listSilences(c *call) (*answer, error) {
	all, err := c.silences()
	if err != nil {
		return nil, err
	}
	out := silenceList{Silences: []silence{}}
	for _, s := range all.Holding(c.s.o.Now()) {
		out.Silences = append(out.Silences, silence{s.ID, matchFields(s.Match), s.Until, s.By, s.Comment})
	}
	return ok(out)
}

// addSilence is POST /v1/silences.
func addSilence(c *call) (*answer, error) {
	all, err := c.silences()
	if err != nil {
		return nil, err
	}
	var in silence
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	match := route.Match(in.Match)
	if err := match.Validate(); err != nil {
		return nil, wrong(http.StatusUnprocessableEntity, "match", "see docs/sinks.md for what a match may say", err.Error())
	}
	if !in.Until.After(c.s.o.Now()) {
		return nil, wrong(http.StatusUnprocessableEntity, "until", "give a time to come", "until is missing or has passed")
	}
	in.By = c.who.name
	in.ID, err = all.Add(route.Silence{Match: match, Until: in.Until, By: in.By, Comment: in.Comment}, c.s.o.Now())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, body: in}, nil
}

// endSilence is DELETE /v1/silences/{name}.
func endSilence(c *call) (*answer, error) {
	all, err := c.silences()
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, all.End(c.Param("name"))
}
