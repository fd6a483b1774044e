package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/source"
)

type rulesVerbs struct {
	Ls       rulesLsVerb       `cmd:"" help:"List the rule files in service, or the versions."`
	Get      rulesGetVerb      `cmd:"" help:"Print a rule file in service."`
	Try      rulesTryVerb      `cmd:"" help:"Print what rule files would have alerted, over the last events that the server has read or events of your own; nothing changes."`
	Put      rulesPutVerb      `cmd:"" help:"Put a rule file in service, or a whole set."`
	Rm       rulesRmVerb       `cmd:"" help:"Take a rule file out of service."`
	Diff     rulesDiffVerb     `cmd:"" help:"Show how rule files, or an earlier version, differ from what is in service."`
	Warmings rulesWarmingsVerb `cmd:"" help:"List changes whose rules are given the past before they are in service, or end one."`
	Rollback rulesRollbackVerb `cmd:"" help:"Put an earlier version in service again."`
	Explain  rulesExplainVerb  `cmd:"" help:"Show what a rule of the running engine remembers of a key: open runs, windows, what suppress keeps back."`
}

// servedSet is a rule set as the API tells of it.
type servedSet struct {
	Version uint64    `json:"version"`
	Set     string    `json:"set"`
	Author  string    `json:"author"`
	Note    string    `json:"note"`
	Time    time.Time `json:"time"`
	Files   []struct {
		Name   string `json:"name"`
		Bytes  int    `json:"bytes"`
		Edited bool   `json:"edited"`
		Text   string `json:"text"`
	} `json:"files"`
}

// setChange is what the API tells of a change.
type setChange struct {
	servedSet
	Changed bool `json:"changed"`
	Rules   []struct {
		Rule string   `json:"rule"`
		Fate string   `json:"fate"`
		Why  []string `json:"why"`
		Keys int      `json:"keys"`
	} `json:"rules"`
	Warnings []source.Message `json:"warnings"`
}

type rulesLsVerb struct {
	serverFlags
	Versions bool `name:"versions" help:"List the versions that are kept, the newest first."`
	JSON     bool `name:"json" help:"Print what the server says."`
}

// Run lists what is in service.
func (v rulesLsVerb) Run(w *world) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	path := "/v1/rules"
	if v.Versions {
		path += "/versions"
	}
	text, err := r.text(w.ctx, path)
	switch {
	case err != nil:
		return err
	case v.JSON:
		_, err := fmt.Fprintln(w.stdout, strings.TrimSpace(text))
		return err
	}
	var set struct {
		servedSet
		Versions []servedSet `json:"versions"`
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	out := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	if v.Versions {
		listVersions(out, set.Versions)
	} else {
		listFiles(out, &set.servedSet)
	}
	return out.Flush()
}

func listVersions(to io.Writer, all []servedSet) {
	fmt.Fprintln(to, "VERSION\tTIME\tAUTHOR\tNOTE")
	for _, v := range all {
		fmt.Fprintf(to, "%d\t%s\t%s\t%s\n", v.Version, v.Time.Format(time.RFC3339), v.Author, v.Note)
	}
}

func listFiles(to io.Writer, set *servedSet) {
	fmt.Fprintln(to, "FILE\tBYTES\tFROM")
	for _, f := range set.Files {
		from := "folder"
		if f.Edited {
			from = "edit"
		}
		fmt.Fprintf(to, "%s\t%d\t%s\n", f.Name, f.Bytes, from)
	}
}

type rulesGetVerb struct {
	serverFlags
	Name    string `arg:"" type:"given" help:"The file, as rules ls has it."`
	Version uint64 `name:"version" placeholder:"N" help:"Of this version; without it, of the one in service."`
}

// Run prints the file as it is.
func (v rulesGetVerb) Run(w *world) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	text, err := r.text(w.ctx, filePath(v.Name)+versionQuery(v.Version))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w.stdout, text)
	return err
}

func filePath(name string) string { return "/v1/rules/" + url.PathEscape(name) }

func versionQuery(version uint64) string {
	if version == 0 {
		return ""
	}
	return "?version=" + strconv.FormatUint(version, 10)
}

// changeFlags are those of verbs that change the set in service.
type changeFlags struct {
	serverFlags
	Expect uint64 `name:"expect" placeholder:"N" help:"Only where this version is in service: nobody's change is lost that you have not seen."`
	Note   string `name:"note" type:"given" placeholder:"TEXT" help:"Why, for the list of versions."`
	JSON   bool   `name:"json" help:"Print what the server says."`

	warm warmFlags
}

// change asks for a change, and tells what became of each rule.
func (v *changeFlags) change(w *world, q request) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	q.header = map[string]string{"If-Match": "*"}
	if v.Expect > 0 {
		q.header["If-Match"] = strconv.Quote(strconv.FormatUint(v.Expect, 10))
	}
	query := v.warm.query()
	if v.Note != "" {
		query.Set("note", v.Note)
	}
	if len(query) > 0 {
		q.path += "?" + query.Encode()
	}
	var text json.RawMessage
	if err := r.into(w.ctx, q, &text); err != nil {
		return refusedRules(w.stderr, v.mended(err))
	}
	if v.warm.given() && !v.warm.NoWait {
		if text, err = r.await(w.ctx, w, text); err != nil {
			return err
		}
	} else if v.warm.given() && !v.JSON {
		return begun(w, text)
	}
	if v.JSON {
		_, err := fmt.Fprintln(w.stdout, string(text))
		return err
	}
	var c setChange
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	printMessages(w.stderr, c.Warnings)
	return c.print(w.stdout)
}

// mended says by our own verbs what would help, where the server says it by its routes.
func (v *changeFlags) mended(err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case http.StatusPreconditionFailed:
		p.Mend = fmt.Sprintf("cepheus rules diff --version %d shows it; with --expect %d what is there now is changed", v.Expect, p.Version)
	case http.StatusNotFound:
		p.Mend = "cepheus rules ls shows the files, with --versions the versions that are kept"
	}
	return err
}

// refusedRules prints what is wrong with rules, which is the result then.
func refusedRules(to io.Writer, err error) error {
	var p *problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	printMessages(to, p.Errors)
	fmt.Fprintln(to, "nothing has changed")
	return errNotWell
}

func printMessages(to io.Writer, all []source.Message) {
	for _, m := range all {
		text := m.Message
		if m.Mend != "" {
			text += "; " + m.Mend
		}
		fmt.Fprintf(to, "%s:%d:%d: %s: %s\n", m.File, m.Line, m.Column, m.Code, text)
	}
}

// print tells of the rules that are not as they were.
func (c *setChange) print(to io.Writer) error {
	if !c.Changed {
		_, err := fmt.Fprintf(to, "version %d: nothing has changed\n", c.Version)
		return err
	}
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	same := 0
	for _, r := range c.Rules {
		if r.Fate == engine.Unchanged.String() {
			same++
			continue
		}
		fmt.Fprintf(out, "%s\t%s", r.Rule, r.Fate)
		if len(r.Why) > 0 {
			fmt.Fprintf(out, "\t%s (%d keys)", strings.Join(r.Why, ", "), r.Keys)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "version %d is in service; %d rules are as they were\n", c.Version, same)
	return out.Flush()
}

type rulesPutVerb struct {
	changeFlags
	warmFlags
	Paths []string `arg:"" name:"path" help:"A rule file. With --all: files and folders of them."`
	Name  string   `name:"name" type:"given" placeholder:"NAME" help:"The name that the file gets, or has; without it, the path as it is given."`
	All   bool     `name:"all" help:"These files are all that there is to be; others are taken out of service."`
}

// Run puts one file in service, or all.
func (v rulesPutVerb) Run(w *world) error {
	v.warm = v.warmFlags
	if v.All {
		return v.putAll(w)
	}
	if len(v.Paths) != 1 {
		return usage(errors.New("several files are put one by one, or, where they are all that there is to be, with --all"))
	}
	text, err := os.ReadFile(v.Paths[0])
	if err != nil {
		return usage(fmt.Errorf("%w; a folder is put with --all", err))
	}
	name := v.Name
	if name == "" {
		name = filepath.ToSlash(filepath.Clean(v.Paths[0]))
	}
	return v.change(w, request{method: http.MethodPut, path: filePath(name), media: "text/plain", body: text})
}

func (v rulesPutVerb) putAll(w *world) error {
	if v.Name != "" {
		return usage(errors.New("--name is for one file, and --all for a set"))
	}
	files, err := textsOf(v.Paths)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"files": files})
	if err != nil {
		return err
	}
	return v.change(w, request{method: http.MethodPut, path: "/v1/rules", media: "application/json", body: body})
}

// textsOf reads rule files and folders of them, by name.
func textsOf(paths []string) (map[string]string, error) {
	if err := rulesAreThere(paths); err != nil {
		return nil, err
	}
	read, messages := source.Read(paths)
	if messages.HasErrors() {
		return nil, usage(messages.Err())
	}
	files := map[string]string{}
	for _, f := range read {
		files[filepath.ToSlash(f.Name)] = f.Text
	}
	return files, nil
}

type rulesRmVerb struct {
	changeFlags
	Name string `arg:"" type:"given" help:"The file, as rules ls has it."`
}

// Run takes the file out of service. One of a folder is hidden.
func (v rulesRmVerb) Run(w *world) error {
	return v.change(w, request{method: http.MethodDelete, path: filePath(v.Name)})
}

type rulesRollbackVerb struct {
	changeFlags
	Version uint64 `arg:"" help:"The number of the version, as rules ls --versions has it."`
}

// Run puts the version in service, as a version of its own.
func (v rulesRollbackVerb) Run(w *world) error {
	if v.Note != "" {
		return usage(errors.New("--note: the note of a rollback is which version it is"))
	}
	body := fmt.Appendf(nil, `{"version":%d}`, v.Version)
	return v.change(w, request{method: http.MethodPost, path: "/v1/rules:rollback", media: "application/json", body: body})
}

type rulesDiffVerb struct {
	serverFlags
	Paths   []string `arg:"" optional:"" name:"path" help:"Rule files, or folders of them: what would change if they took the place of those of these names."`
	Version uint64   `name:"version" placeholder:"N" help:"Instead of paths: what has changed since this version."`
	All     bool     `name:"all" help:"The paths are all that there is to be: show also what would be taken out of service."`
}

// Run prints the difference, which is the result: the exit code is 1 where there is one.
func (v rulesDiffVerb) Run(w *world) error {
	if (v.Version > 0) == (len(v.Paths) > 0) {
		return usage(errors.New("give rule files, or an earlier version with --version N"))
	}
	r, err := v.connect()
	if err != nil {
		return err
	}
	now, err := r.files(w.ctx, 0)
	if err != nil {
		return err
	}
	was, is := now, now
	if v.Version > 0 {
		was, err = r.files(w.ctx, v.Version)
	} else if is, err = textsOf(v.Paths); err == nil && !v.All {
		was = named(was, is)
	}
	if err != nil {
		return err
	}
	return printDifference(w.stdout, was, is)
}

// files are those of a version, or in service, by name.
func (r *remote) files(ctx context.Context, version uint64) (map[string]string, error) {
	path := "/v1/rules?text=true"
	if version > 0 {
		path += "&version=" + strconv.FormatUint(version, 10)
	}
	var set servedSet
	if err := r.into(ctx, request{method: http.MethodGet, path: path}, &set); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, f := range set.Files {
		files[f.Name] = f.Text
	}
	return files, nil
}

// named are the files that others have the names of.
func named(files, others map[string]string) map[string]string {
	some := map[string]string{}
	for name := range others {
		if text, ok := files[name]; ok {
			some[name] = text
		}
	}
	return some
}

func printDifference(to io.Writer, was, is map[string]string) error {
	var names []string
	for name := range was {
		names = append(names, name)
	}
	for name := range is {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	differs := false
	for _, name := range names {
		text := unified(name, was[name], is[name])
		differs = differs || text != ""
		if _, err := io.WriteString(to, text); err != nil {
			return err
		}
	}
	if differs {
		return errNotWell
	}
	return nil
}
