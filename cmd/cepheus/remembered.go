package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

type rulesExplainVerb struct {
	Rule  string   `arg:"" name:"rule" help:"Name of the rule; of a table, with --table."`
	Parts []string `arg:"" optional:"" name:"part" help:"Part of the key as alerts write it, once for each part, in order; or each as NAME=VALUE."`
	serverFlags
	Table bool `name:"table" help:"Show the row of a table of that name."`
	JSON  bool `name:"json" help:"The answer of the server."`
}

// Run shows what is remembered of the key.
func (v rulesExplainVerb) Run(w *world) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	name := v.Rule
	if v.Table {
		name = "table " + name
	}
	q := url.Values{"rule": {name}, "key": v.Parts}
	var view engine.KeyView
	if err := r.into(w.ctx, request{method: http.MethodGet, path: "/v1/explain?" + q.Encode()}, &view); err != nil {
		return err
	}
	if v.JSON {
		e := json.NewEncoder(w.stdout)
		e.SetEscapeHTML(false)
		return e.Encode(&view)
	}
	out := bufio.NewWriter(w.stdout)
	showKey(out, &view)
	return out.Flush()
}

// showKey tells what is remembered of a key, in words.
func showKey(out io.Writer, v *engine.KeyView) {
	fmt.Fprintf(out, "%s %s%s\n", v.Rule, v.Key, at(", as of ", v.AsOf))
	if !v.Known {
		fmt.Fprintln(out, "    nothing is remembered of it")
	}
	for i := range v.Runs {
		showRun(out, &v.Runs[i])
	}
	if more := v.RunsOpen - len(v.Runs); more > 0 {
		fmt.Fprintf(out, "    … and %d open runs more\n", more)
	}
	showPool(out, v)
	for _, b := range v.Barred {
		fmt.Fprintf(out, "    no run begins until %s: %s came\n", instant(b.Until), b.Step)
	}
	for i := range v.Windows {
		showWindow(out, &v.Windows[i])
	}
	if v.Kind == "table" && v.Known {
		fmt.Fprintf(out, "    %s%s\n", v.Row, at(", until ", v.Expires))
	}
	if s := v.Silence; s != nil {
		fmt.Fprintf(out, "    alerts are suppressed until %s, %d so far\n", instant(s.Until), s.Counted)
	}
}

func showRun(out io.Writer, r *engine.RunView) {
	fmt.Fprintf(out, "    run since %s", instant(r.Start))
	if len(r.WaitsFor) > 0 {
		fmt.Fprintf(out, "; it waits for %s", strings.Join(r.WaitsFor, " or "))
	}
	if r.Lacks > 0 {
		fmt.Fprintf(out, ", %d more", r.Lacks)
	}
	fmt.Fprint(out, at(", until ", r.Until))
	if r.Matches != nil {
		fmt.Fprintf(out, "; it matches at %s if nothing forbidden comes", instant(*r.Matches))
	}
	fmt.Fprintln(out)
	for i := range r.Taken {
		t := &r.Taken[i]
		fmt.Fprintf(out, "        %s  %s %s\n", t.Step, instant(t.First.Time), t.First.Event)
		if t.Last != nil {
			fmt.Fprintf(out, "        %s  %s %s, the last of %d\n", t.Step, instant(t.Last.Time), t.Last.Event, t.N)
		}
	}
}

func showPool(out io.Writer, v *engine.KeyView) {
	if v.Combined == 0 {
		return
	}
	fmt.Fprintf(out, "    events that make combinations: %d\n", v.Combined)
	for i := range v.Pool {
		fmt.Fprintf(out, "        %s  %s %s\n", v.Pool[i].Step, instant(v.Pool[i].First.Time), v.Pool[i].First.Event)
	}
}

func showWindow(out io.Writer, w *engine.WindowView) {
	name := "window"
	if w.Name != "" {
		name += " " + w.Name
	}
	fmt.Fprintf(out, "    %s%s%s: %d events, %s", name, at(" from ", w.Start), at(" to ", w.End), w.Events, w.Values)
	if w.Held {
		fmt.Fprint(out, "; having holds already")
	}
	fmt.Fprintln(out)
	for _, e := range w.Newest {
		fmt.Fprintf(out, "        %s %s\n", instant(e.Time), e.Event)
	}
}

// at is a time behind some words; nothing where there is none.
func at(words string, t *time.Time) string {
	if t == nil {
		return ""
	}
	return words + instant(*t)
}

func instant(t time.Time) string { return string(event.AppendTime(nil, t.UnixNano())) }
