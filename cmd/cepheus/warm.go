package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// warmFlags say what rules are given before they are in service.
type warmFlags struct {
	WarmFile  []string  `name:"warm-file" type:"given" placeholder:"FILE" sep:"none" help:"Before rules that begin anew are in service, give them the events of this file of the server, in a folder that its api.past allows. May be given more than once."`
	WarmUntil time.Time `name:"warm-until" placeholder:"TIME" help:"Leave out the events of --warm-file from this time on: those the server reads. Default: what it has come to."`
	WarmFrom  time.Time `name:"warm-from" placeholder:"TIME" help:"Have the server read its Kafka topics again from this time on for them."`
	NoWait    bool      `name:"no-wait" help:"Do not wait until the rules are in service; rules warmings shows how far they are."`
}

func (f *warmFlags) given() bool { return len(f.WarmFile) > 0 || !f.WarmFrom.IsZero() }

// begun tells of a warming that nobody waits for.
func begun(w *world, text json.RawMessage) error {
	var s servedWarming
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	s.begin(w)
	return nil
}

// query is what asks the server for it.
func (f *warmFlags) query() url.Values {
	q := url.Values{}
	for _, file := range f.WarmFile {
		q.Add("warm_file", file)
	}
	for name, at := range map[string]time.Time{"warm_until": f.WarmUntil, "warm_from": f.WarmFrom} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// servedWarming is a warming as the API tells of it.
type servedWarming struct {
	Number    uint64          `json:"number"`
	State     string          `json:"state"`
	Note      string          `json:"note"`
	Rules     []string        `json:"rules"`
	Missing   []string        `json:"missing"`
	Records   uint64          `json:"records"`
	Alerts    uint64          `json:"alerts"`
	Keys      int             `json:"keys"`
	Watermark string          `json:"watermark"`
	WaitsFor  string          `json:"waits_for"`
	Tries     int             `json:"tries"`
	Error     string          `json:"error"`
	Change    json.RawMessage `json:"change"`
}

func (s *servedWarming) path() string { return "/v1/warmings/" + strconv.FormatUint(s.Number, 10) }

// pollEvery is how often it is asked how far a warming is.
const pollEvery = 500 * time.Millisecond

// await waits until the warming that text tells of has ended, and returns what its change did.
func (r *remote) await(ctx context.Context, w *world, text json.RawMessage) (json.RawMessage, error) {
	var s servedWarming
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	s.begin(w)
	told := ""
	for s.State == "warming" {
		if now := s.waits(); now != told {
			told = now
			fmt.Fprintf(w.stderr, "%s\n", cmp.Or(now, "it waits no more"))
		}
		s.WaitsFor = "" // it is not there where there is nothing to wait for
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			fmt.Fprintf(w.stderr, "warming %d goes on; rules warmings --end %d ends it\n", s.Number, s.Number)
			return nil, ctx.Err()
		}
		if err := r.into(ctx, request{method: http.MethodGet, path: s.path()}, &s); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	if s.State != "warm" {
		fmt.Fprintf(w.stderr, "warming %d has failed: %s\nnothing has changed\n", s.Number, s.Error)
		return nil, errNotWell
	}
	fmt.Fprintf(w.stderr, "warm: %d records of the past, %d alerts of it are not sent, %d keys\n", s.Records, s.Alerts, s.Keys)
	return s.Change, nil
}

// waits says what it waits for, empty where for nothing.
func (s *servedWarming) waits() string {
	switch {
	case s.WaitsFor == "event":
		return "it waits for the first event that the engine reads"
	case s.WaitsFor == "until":
		return "the past is read as far as the engine has come; it waits until the time of its events has come to --warm-until"
	case s.State == "warming" && s.Tries > 0:
		return fmt.Sprintf("the rest of the past could not be read in the time of a change, %d times of ten; what runs goes on", s.Tries)
	}
	return ""
}

func (s *servedWarming) begin(w *world) {
	fmt.Fprintf(w.stderr, "warming %d: %s\n", s.Number, strings.Join(s.Rules, ", "))
	if len(s.Missing) > 0 {
		fmt.Fprintf(w.stderr, "warning: not read again: %s; of what is read of them until the rules are in service these are given nothing\n", strings.Join(s.Missing, ", "))
	}
}

type rulesWarmingsVerb struct {
	serverFlags
	End  uint64 `name:"end" placeholder:"N" help:"End this one; its change is not made."`
	JSON bool   `name:"json" help:"Print what the server says."`
}

// Run lists warmings, or ends one.
func (v rulesWarmingsVerb) Run(w *world) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	if v.End > 0 {
		s := servedWarming{Number: v.End}
		answer, err := r.ask(w.ctx, request{method: http.MethodDelete, path: s.path()})
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	text, err := r.text(w.ctx, "/v1/warmings")
	if err != nil {
		return err
	}
	if v.JSON {
		_, err := fmt.Fprintln(w.stdout, strings.TrimSpace(text))
		return err
	}
	var all struct {
		Warmings []servedWarming `json:"warmings"`
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	out := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NUMBER\tSTATE\tRULES\tRECORDS\tKEYS\tUP TO\tNOTE")
	for _, s := range all.Warmings {
		fmt.Fprintf(out, "%d\t%s\t%s\t%d\t%d\t%s\t%s\n", s.Number, s.State, strings.Join(s.Rules, ","), s.Records, s.Keys, s.Watermark, strings.TrimSpace(cmp.Or(s.Error, s.waits())+" "+s.Note))
	}
	return out.Flush()
}
