package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

type rulesTryVerb struct {
	serverFlags
	Paths  []string `arg:"" name:"path" help:"Rule files, or folders of them, in place of those of these names in service."`
	Name   string   `name:"name" type:"given" placeholder:"NAME" help:"The name of a single file among those in service; without it, the path as it is given."`
	All    bool     `name:"all" help:"The paths are all that there is to be."`
	Events string   `name:"events" type:"given" placeholder:"FILE" help:"Events to try them over, one a line; - is standard input. Without it, the last ones that the server has read and still keeps."`
	Rule   []string `name:"rule" type:"given" placeholder:"RULE" sep:"none" help:"Only alerts of this rule. May be given more than once."`
	Limit  int      `name:"limit" placeholder:"N" help:"How many alerts are printed at most; default 100, at most 1000. All are counted."`
	JSON   bool     `name:"json" help:"Print what the server says."`
}

// draftTrial is what the server is asked to try.
type draftTrial struct {
	Files  map[string]string `json:"files"`
	Whole  bool              `json:"whole,omitempty"`
	Rules  []string          `json:"rules,omitempty"`
	Events []json.RawMessage `json:"events,omitempty"`
	Recent bool              `json:"recent,omitempty"`
	Limit  int               `json:"limit,omitempty"`
}

// Run prints the alerts that the rules would have sent; how many of each rule there are is
// told on standard error.
func (v rulesTryVerb) Run(w *world) error {
	body, err := v.draft(w)
	if err != nil {
		return err
	}
	r, err := v.connect()
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := r.into(w.ctx, request{method: http.MethodPost, path: "/v1/rules:try", media: "application/json", body: body}, &text); err != nil {
		return refusedRules(w.stderr, err)
	}
	if v.JSON {
		_, err := fmt.Fprintln(w.stdout, string(text))
		return err
	}
	return printTrial(w, text)
}

func (v *rulesTryVerb) draft(w *world) ([]byte, error) {
	files, err := textsOf(v.Paths)
	if err != nil {
		return nil, err
	}
	if v.Name != "" {
		if len(files) != 1 {
			return nil, usage(errors.New("--name is for one file"))
		}
		for was, text := range files {
			delete(files, was)
			files[filepath.ToSlash(v.Name)] = text
		}
	}
	out := draftTrial{Files: files, Whole: v.All, Rules: v.Rule, Limit: v.Limit, Recent: v.Events == ""}
	if v.Events != "" {
		if out.Events, err = eventsOf(w, v.Events); err != nil {
			return nil, usage(err)
		}
	}
	return json.Marshal(out)
}

// eventsOf reads events, one a line.
func eventsOf(w *world, path string) (all []json.RawMessage, err error) {
	var text []byte
	if path == "-" {
		text, err = io.ReadAll(w.stdin)
	} else {
		text, err = os.ReadFile(path)
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			return nil, fmt.Errorf("%s: event %d is not JSON", path, len(all)+1)
		}
		all = append(all, line)
	}
	return all, err
}

func printTrial(w *world, text json.RawMessage) error {
	var t struct {
		Events uint64            `json:"events"`
		Counts map[string]uint64 `json:"alerts_by_rule"`
		Alerts []json.RawMessage `json:"alerts"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	for _, a := range t.Alerts {
		if _, err := fmt.Fprintln(w.stdout, string(a)); err != nil {
			return err
		}
	}
	fmt.Fprintf(w.stderr, "%d events\n", t.Events)
	for _, rule := range slices.Sorted(maps.Keys(t.Counts)) {
		fmt.Fprintf(w.stderr, "%s: %d alerts\n", rule, t.Counts[rule])
	}
	return nil
}
