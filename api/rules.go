package api

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/service"
)

type versionHead struct {
	Version uint64    `json:"version" doc:"of the rule set"`
	Set     string    `json:"set" doc:"names its meaning"`
	Author  string    `json:"author"`
	Note    string    `json:"note,omitempty"`
	Time    time.Time `json:"time"`
}

type ruleFile struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	Edited bool   `json:"edited" doc:"put over the API; else it is of a folder"`
	Text   string `json:"text,omitempty"`
}

type ruleHead struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Severity string `json:"severity"`
	Shadow   bool   `json:"shadow" doc:"it runs, and its alerts are not sent"`
	Version  string `json:"version" doc:"names its meaning"`
}

type ruleSet struct {
	versionHead
	Files []ruleFile `json:"files"`
	Rules []ruleHead `json:"rules,omitempty" doc:"of the set in service"`
}

type versionList struct {
	Versions []versionHead `json:"versions" doc:"the newest first"`
}

// draft is a change as a body says it.
type draft struct {
	Files  map[string]string `json:"files,omitempty" doc:"texts by name"`
	Delete []string          `json:"delete,omitempty" doc:"names"`
	Whole  bool              `json:"whole,omitempty" doc:"files are all there is to be"`
}

type wholeSet struct {
	Files map[string]string `json:"files" doc:"texts by name: all there is to be"`
	Note  string            `json:"note,omitempty"`
}

type rollback struct {
	Version uint64 `json:"version" min:"1"`
}

type fate struct {
	Rule string   `json:"rule" doc:"or projection: table NAME"`
	Fate string   `json:"fate" doc:"unchanged; added; removed; changed, state kept; changed, state dropped; changed, state kept in part"`
	Why  []string `json:"why,omitempty" doc:"what of its memory is not what it was"`
	Keys int      `json:"keys,omitempty" doc:"that it had; they were forgotten, unless the state was kept in part"`

	Steps       int `json:"steps,omitempty" doc:"where the state was kept in part: how many first steps are what they were"`
	RunsKept    int `json:"runs_kept,omitempty" doc:"that had not gone past these steps"`
	RunsDropped int `json:"runs_dropped,omitempty" doc:"that had"`

	Warm     bool `json:"warm,omitempty" doc:"it begins with what it remembers of the past"`
	WarmKeys int  `json:"warm_keys,omitempty" doc:"of so many keys"`
}

type change struct {
	versionHead
	Changed  bool             `json:"changed"`
	Rules    []fate           `json:"rules"`
	Warnings []source.Message `json:"warnings"`
	Epoch    uint64           `json:"epoch,omitempty" doc:"that the change is durable with"`
	Pause    float64          `json:"pause_seconds" doc:"for how long no event was taken"`
}

type checked struct {
	OK       bool             `json:"ok"`
	Messages []source.Message `json:"messages" doc:"errors and warnings"`
	Rules    []ruleHead       `json:"rules"`
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

func headOf(v *service.Version) versionHead {
	return versionHead{v.Number, v.Set, v.Author, v.Note, v.Time.UTC()}
}

func (c *call) rules() (Rules, error) {
	if c.s.o.Rules == nil {
		return nil, notServed("rule set in service")
	}
	return c.s.o.Rules, nil
}

// files are those that are asked for: of the version in the query, or in service.
func (c *call) files(rules Rules) (service.Version, []service.File, error) {
	number, err := c.number("version")
	if err != nil {
		return service.Version{}, nil, err
	}
	now := rules.Current()
	if number == 0 {
		files, err := rules.FilesOf(now.Number) // not Files: they may be those of a later one
		return now, files, err
	}
	for _, v := range rules.Versions() {
		if v.Number == number {
			files, err := rules.FilesOf(number)
			return v, files, err
		}
	}
	return now, nil, service.ErrNoVersion
}

// ofFiles answers with the files that are asked for, unless who asked has them already.
func (c *call) ofFiles(with func(*call, Rules, service.Version, []service.File) (*answer, error)) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	v, files, err := c.files(rules)
	if err != nil {
		return nil, err
	}
	if c.unchanged(v.Number) {
		return &answer{status: http.StatusNotModified, etag: etag(v.Number)}, nil
	}
	return with(c, rules, v, files)
}

// listRules is GET /v1/rules.
func listRules(c *call) (*answer, error) { return c.ofFiles(listFiles) }

func listFiles(c *call, rules Rules, v service.Version, files []service.File) (*answer, error) {
	out := ruleSet{versionHead: headOf(&v), Files: make([]ruleFile, 0, len(files))}
	for _, f := range files {
		row := ruleFile{Name: f.Name, Bytes: len(f.Text), Edited: f.Edited}
		if c.Query("text") == "true" {
			row.Text = f.Text
		}
		out.Files = append(out.Files, row)
	}
	if set := rules.Set(); set.Version == v.Set {
		out.Rules = heads(set)
	}
	return &answer{etag: etag(v.Number), body: out}, nil
}

// unchanged says that who asked has that version already.
func (c *call) unchanged(version uint64) bool {
	for tag := range strings.SplitSeq(c.GetHeader("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == etag(version) {
			return true
		}
	}
	return false
}

func heads(set *plan.Set) []ruleHead {
	out := make([]ruleHead, 0, len(set.Rules))
	for _, r := range set.Rules {
		out = append(out, ruleHead{r.Name, r.Title, r.Severity.String(), r.Mode == plan.Shadow, r.Version})
	}
	return out
}

// getRules is GET /v1/rules/{name}.
func getRules(c *call) (*answer, error) { return c.ofFiles(getFile) }

func getFile(c *call, _ Rules, v service.Version, files []service.File) (*answer, error) {
	for _, f := range files {
		if f.Name == c.Param("name") {
			return &answer{etag: etag(v.Number), text: []byte(f.Text), media: "text/plain; charset=utf-8"}, nil
		}
	}
	return nil, wrong(http.StatusNotFound, "not-found", "see GET /v1/rules for those there are; write / in a name as %2F", "there is no rule file "+clip(c.Param("name")))
}

// tagPattern is how If-Match is written.
const tagPattern = `^(\*|"[1-9][0-9]{0,17}")$`

var isTag = regexp.MustCompile(tagPattern)

// expected is the version that who asks has seen; any is 0.
func (c *call) expected() (uint64, error) {
	given := strings.TrimSpace(c.GetHeader("If-Match"))
	switch given {
	case "":
		return 0, wrong(http.StatusPreconditionRequired, "no-precondition", "send If-Match with the ETag of GET /v1/rules, or If-Match: * to change whatever is there", "a change needs If-Match, so that nobody's change is lost")
	case "*":
		return 0, nil
	}
	n, err := strconv.ParseUint(strings.Trim(given, `"`), 10, 64)
	if err != nil || !isTag.MatchString(given) {
		return 0, wrong(http.StatusPreconditionFailed, "conflict", "send the ETag of GET /v1/rules as it is, with its quotes", "If-Match names no version")
	}
	return n, nil
}

// edit makes a change, or nothing.
func (c *call) edit(e service.Edit) (*answer, error) {
	return c.changed(func(ctx context.Context, rules Rules, expected uint64) (service.Result, error) {
		e.Author, e.Expected = c.who.name, expected
		if note := c.Query("note"); note != "" {
			e.Note = note
		}
		return rules.Edit(ctx, e)
	})
}

// editOrWarm makes a change, or begins to warm its rules.
func (c *call) editOrWarm(e service.Edit) (*answer, error) {
	past, given, err := c.past()
	if err != nil {
		return nil, err
	}
	if !given {
		return c.edit(e)
	}
	if note := c.Query("note"); note != "" {
		e.Note = note
	}
	return c.warm(e, past)
}

func (c *call) changed(make func(ctx context.Context, rules Rules, expected uint64) (service.Result, error)) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	c.note.Before = rules.Current().Number
	expected, err := c.expected()
	if err != nil {
		return nil, err
	}
	// Once begun it is not for the client to end a change by going away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), c.s.o.Limits.Request)
	defer cancel()
	result, err := make(ctx, rules, expected)
	if err != nil {
		return nil, err
	}
	c.note.After = result.Version.Number
	return &answer{etag: etag(result.Version.Number), body: changeOf(&result)}, nil
}

func changeOf(r *service.Result) change {
	out := change{versionHead: headOf(&r.Version), Changed: r.Changed, Rules: []fate{}, Warnings: r.Warnings.Messages(), Epoch: r.Report.Epoch, Pause: r.Report.Pause.Seconds()}
	for _, rule := range r.Report.Rules {
		out.Rules = append(out.Rules, fateOf(&rule))
	}
	return out
}

func fateOf(r *engine.RuleChange) fate {
	return fate{Rule: r.Name, Fate: r.Fate.String(), Why: r.Why, Keys: r.Keys, Steps: r.Steps, RunsKept: r.RunsKept, RunsDropped: r.RunsDropped, Warm: r.Warm, WarmKeys: r.WarmKeys}
}

// putFile is PUT /v1/rules/{name}.
func putFile(c *call) (*answer, error) {
	if c.GetHeader("Content-Type") != "" { // curl -T sends none
		if _, err := c.media("text/plain", "application/octet-stream"); err != nil {
			return nil, err
		}
	}
	text, err := c.body()
	if err != nil {
		return nil, err
	}
	return c.editOrWarm(service.Edit{Put: map[string]string{c.Param("name"): string(text)}})
}

// putSet is PUT /v1/rules.
func putSet(c *call) (*answer, error) {
	var in wholeSet
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Files == nil {
		return nil, wrong(http.StatusBadRequest, "body", `send {"files": {"a.cep": "…"}}; {"files": {}} is the empty set`, "files is missing")
	}
	c.note.Note = in.Note
	return c.editOrWarm(service.Edit{Put: in.Files, Whole: true, Note: in.Note})
}

// deleteFile is DELETE /v1/rules/{name}.
func deleteFile(c *call) (*answer, error) {
	return c.edit(service.Edit{Delete: []string{c.Param("name")}})
}

// checkRules is POST /v1/rules:check.
func checkRules(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	var in draft
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	set, messages, err := rules.Check(in.edit())
	if p := ofRules(err); p != nil && p.Status == http.StatusUnprocessableEntity {
		return ok(checked{Messages: p.Errors, Rules: []ruleHead{}})
	}
	if err != nil {
		return nil, err
	}
	return ok(checked{OK: true, Messages: messages.Messages(), Rules: heads(set)})
}

func (d *draft) edit() service.Edit {
	return service.Edit{Put: d.Files, Delete: d.Delete, Whole: d.Whole}
}

// listVersions is GET /v1/rules/versions.
func listVersions(c *call) (*answer, error) {
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	out := versionList{Versions: []versionHead{}}
	for _, v := range rules.Versions() {
		out.Versions = append(out.Versions, headOf(&v))
	}
	return &answer{etag: etag(rules.Current().Number), body: out}, nil
}

// rollBack is POST /v1/rules:rollback.
func rollBack(c *call) (*answer, error) {
	var in rollback
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return c.changed(func(ctx context.Context, rules Rules, expected uint64) (service.Result, error) {
		return rules.Rollback(ctx, in.Version, c.who.name, expected)
	})
}
