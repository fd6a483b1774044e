package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/rules/story"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

type explainVerb struct {
	Rule string `arg:"" name:"rule" help:"Name of the rule."`
	inputFlags
	Key  []string `name:"key" type:"given" placeholder:"NAME=VALUE" sep:"none" help:"Tell of this key alone; once for each part of it that is given."`
	JSON bool     `name:"json" help:"One JSON object a line: what happened, then the verdict."`
	Most int      `name:"most" default:"1000" placeholder:"N" help:"Tell of so many things at most."`
}

// Run runs the rule over the inputs and tells, event by event, what its machine did.
func (v explainVerb) Run(w *world) error {
	set, err := v.compiled(w)
	if err != nil {
		return err
	}
	rule, err := v.rule(set)
	if err != nil {
		return usage(err)
	}
	chosen, err := v.keyOf(rule)
	if err != nil {
		return usage(err)
	}
	inputs, err := v.open(w)
	if err != nil {
		return usage(err)
	}
	teller := story.New(rule, story.Options{Types: set.Types, Key: chosen, MostLines: max(1, v.Most)})
	stats, err := runOver(w, setOf(set, rule), inputs, teller, func(*event.Alert) {})
	if err = errors.Join(err, inputs.close()); err != nil {
		return err
	}
	inputs.tellRefused(w)
	return v.tell(w, set, rule, teller, stats)
}

// inputFlags say over what rules run.
type inputFlags struct {
	Rules     []string `name:"rules" type:"given" required:"" placeholder:"PATH" sep:"none" help:"Rule file, or folder of rule files (*.cep). May be given more than once; all are one rule set."`
	Input     []string `name:"input" type:"given" placeholder:"FILE" sep:"none" help:"Events, one a line; also gzip and zstd, also patterns (*.jsonl); - is standard input. May be given more than once; each file is a partition."`
	Format    string   `name:"format" enum:"jsonl,csv" default:"jsonl" help:"Format of the inputs: jsonl or csv (with a header row)."`
	Type      string   `name:"type" type:"given" placeholder:"EVENT" xor:"type" help:"The event type of every record."`
	TypeField string   `name:"type-field" type:"given" placeholder:"NAME" xor:"type" help:"The field that holds a record's event type; without it, type."`
}

// asRun is the verb run over the same inputs.
func (v *inputFlags) asRun() *runVerb {
	return &runVerb{Rules: v.Rules, Input: v.Input, Format: v.Format, Type: v.Type, TypeField: v.TypeField}
}

// compiled compiles the rules; messages go to standard error.
func (v *inputFlags) compiled(w *world) (*plan.Set, error) {
	set, messages, err := compile(v.Rules)
	if err != nil {
		return nil, err
	}
	if err := messages.Print(w.stderr); err != nil {
		return nil, err
	}
	if messages.HasErrors() {
		return nil, errNotWell
	}
	return set, v.asRun().typesDeclared(set)
}

// open opens the inputs, patterns spelled out.
func (v *inputFlags) open(w *world) (*reading, error) {
	paths, err := spelledOut(v.Input)
	if err != nil {
		return nil, err
	}
	v.Input = paths
	return v.asRun().open(w)
}

func (v explainVerb) rule(set *plan.Set) (*plan.Rule, error) {
	var names []string
	for _, r := range set.Rules {
		if r.Name == v.Rule {
			live := *r
			if r.Mode == plan.Off {
				live.Mode = plan.Live
			}
			return &live, nil
		}
		names = append(names, r.Name)
	}
	if slices.ContainsFunc(set.Projections, func(p *plan.Projection) bool { return p.Name == v.Rule }) {
		return nil, fmt.Errorf("%s is a table; explain tells of rules: of one that reads it, with what it read", v.Rule)
	}
	mend := fmt.Sprintf("; there are %s", someOf(names))
	if name, ok := source.Near(v.Rule, names); ok {
		mend = fmt.Sprintf("; did you mean %q?", name)
	} else if len(names) == 0 {
		mend = "; there are no rules"
	}
	return nil, fmt.Errorf("no rule is named %q%s", v.Rule, mend)
}

// someOf lists the first names, and says that there are more.
func someOf(names []string) string {
	text := strings.Join(names[:min(maxNamed, len(names))], ", ")
	if len(names) > maxNamed {
		text += ", …"
	}
	return text
}

// setOf is the rule, as it is to run, with what feeds it: other rules would only take time.
func setOf(set *plan.Set, rule *plan.Rule) *plan.Set {
	return trial.FeedersOf(set).Only(set, []string{rule.Name}, func(*plan.Rule) *plan.Rule { return rule })
}

// keyOf chooses the keys that have the parts of --key.
func (v explainVerb) keyOf(rule *plan.Rule) (func([]event.Value) bool, error) {
	if len(v.Key) == 0 {
		return nil, nil
	}
	want := map[int]string{}
	for _, k := range v.Key {
		name, value, ok := strings.Cut(k, "=")
		if !ok {
			return nil, fmt.Errorf("--key %s: want NAME=VALUE", k)
		}
		part, names := -1, []string(nil)
		for i, key := range rule.Keys {
			if names = append(names, key.Name); key.Name == name {
				part = i
			}
		}
		if part < 0 {
			return nil, fmt.Errorf("--key %s: the key of %s has %s", k, rule.Name, orNothing(names))
		}
		want[part] = value
	}
	return func(key []event.Value) bool {
		for i, text := range want {
			if i >= len(key) || !isWritten(key[i], text) {
				return false
			}
		}
		return true
	}, nil
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no parts: it has one key for all events"
	}
	return "the parts " + strings.Join(names, ", ")
}

// isWritten reports whether a value is the one that a command line writes as text.
func isWritten(v event.Value, text string) bool {
	switch v.Kind {
	case event.String, event.IP:
		return v.S == text
	case event.Float:
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && f == v.Float()
	}
	written := plan.ReadableValue(v)
	return written == text || written == strconv.Quote(text)
}

// runOver runs a rule set over inputs, watched by a teller if there is one.
func runOver(w *world, set *plan.Set, inputs *reading, teller *story.Teller, alert func(*event.Alert)) (*engine.Stats, error) {
	o := options(w, set)
	if teller != nil {
		o.Shards, o.Watch = 1, teller.See
	}
	for _, in := range inputs.parts {
		o.Inputs = append(o.Inputs, in.Input)
	}
	bar := newProgress(w, inputs.counted())
	defer bar.clear()
	o.Progress, o.Dead = bar.show, inputs.refuse
	return runTrial(w, o, alert)
}

func runTrial(w *world, o engine.Options, alert func(*event.Alert)) (*engine.Stats, error) {
	return trial.Run(w.ctx, o, alert)
}

// options are those of a run in memory over bounded inputs.
func options(w *world, set *plan.Set) engine.Options {
	return engine.Options{Set: set, Final: true, Now: w.now, Steps: []engine.IdleStep{}, Files: lookup.New(lookup.Options{Now: w.now})}
}

// verdict is the end of a story.
type verdict struct {
	Kind    string   `json:"kind"`
	Rule    string   `json:"rule"`
	Fired   bool     `json:"fired"`
	Matches []string `json:"matches,omitempty"`
	Text    []string `json:"text"`
}

func (v explainVerb) tell(w *world, set *plan.Set, rule *plan.Rule, t *story.Teller, stats *engine.Stats) error {
	to := bufio.NewWriter(w.stdout)
	end := v.verdict(set, rule, t, stats)
	if v.JSON {
		return errors.Join(tellJSON(to, t, end), to.Flush())
	}
	fmt.Fprintf(to, "rule %s%s\n", rule.Name, titled(rule.Title))
	var last *story.Line
	for i := range t.Lines {
		tellLine(to, &t.Lines[i], last)
		last = &t.Lines[i]
	}
	if t.Left > 0 {
		fmt.Fprintf(to, "… %d more; --most N tells of more, --key of one key\n", t.Left)
	}
	fmt.Fprintln(to)
	for _, line := range end.Text {
		fmt.Fprintln(to, line)
	}
	return to.Flush()
}

func titled(title string) string {
	if title == "" {
		return ""
	}
	return fmt.Sprintf(" %q", title)
}

// tellLine writes a line of a story after another (nil: none): events, and what time alone
// does, stand at the margin with their key.
func tellLine(to io.Writer, l, last *story.Line) {
	head := l.Time
	if len(l.Key) > 0 {
		head += "  " + string(l.Key)
	}
	switch {
	case l.Kind == story.KindEvent:
		fmt.Fprintf(to, "%s  %s\n", head, l.Text)
	case last == nil || l.Time != last.Time || string(l.Key) != string(last.Key):
		fmt.Fprintf(to, "%s\n    %s\n", head, l.Text)
	default:
		fmt.Fprintf(to, "    %s\n", l.Text)
	}
}

func tellJSON(to io.Writer, t *story.Teller, end *verdict) error {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	for i := range t.Lines {
		if err := enc.Encode(&t.Lines[i]); err != nil {
			return err
		}
	}
	return enc.Encode(end)
}

// maxNamed is how many alerts, or keys, a verdict names.
const maxNamed = 10

func (v explainVerb) verdict(set *plan.Set, rule *plan.Rule, t *story.Teller, stats *engine.Stats) *verdict {
	end := &verdict{Kind: "verdict", Rule: rule.Name, Fired: len(t.Matches) > 0}
	for _, m := range t.Matches {
		at := string(event.AppendTime(nil, m.At))
		if m.Key != "" {
			at += " (" + m.Key + ")"
		}
		end.Matches = append(end.Matches, at)
	}
	switch {
	case end.Fired:
		named := end.Matches[:min(maxNamed, len(end.Matches))]
		text := fmt.Sprintf("%s fired %s: at %s", rule.Name, times(len(end.Matches)), strings.Join(named, ", at "))
		if more := len(end.Matches) - len(named); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		end.Text = []string{text}
	case t.Events == 0:
		end.Text = []string{rule.Name + " did not fire: " + v.noEvents(set, rule, t, stats)}
	default:
		end.Text = []string{rule.Name + " did not fire; what came nearest:"}
		if len(t.Miss()) == 0 {
			end.Text[0] = rule.Name + " did not fire"
		}
		for _, line := range t.Miss() {
			end.Text = append(end.Text, "    "+line)
		}
	}
	end.Text = append(end.Text, beside(rule, stats)...)
	return end
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// number is a count with the words for one, or for several.
func number(n uint64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatUint(n, 10) + " " + several
}

// noEvents says why a story has no events: of the key, of the rule, or at all.
func (v explainVerb) noEvents(set *plan.Set, rule *plan.Rule, t *story.Teller, stats *engine.Stats) string {
	if keys, more := t.Keys(); len(keys) > 0 {
		text := strings.Join(keys[:min(maxNamed, len(keys))], "; ")
		if more || len(keys) > maxNamed {
			text += "; …"
		}
		return "no event has the key " + strings.Join(v.Key, ", ") + "; keys that came: " + text
	}
	if stats.Records == 0 {
		return "the inputs hold no records"
	}
	var reads []string
	for _, in := range rule.Inputs {
		reads = append(reads, set.Types[in.Type].Schema.Name)
	}
	keyed := ""
	if len(rule.Keys) > 0 {
		keyed = " with a key"
	}
	return fmt.Sprintf("no event of the types it reads (%s)%s came, among %s: %d of types that no rule file declares, %d that cannot be decoded",
		strings.Join(reads, ", "), keyed, number(stats.Records, "record", "records"), stats.Undeclared, stats.Undecodable)
}

// beside tells what else kept alerts back.
func beside(rule *plan.Rule, stats *engine.Stats) (out []string) {
	for i := range stats.Rules {
		r := &stats.Rules[i]
		if r.Name != rule.Name {
			continue
		}
		if r.Suppressed > 0 {
			out = append(out, fmt.Sprintf("suppress keeps %d of its %d alerts back", r.Suppressed, r.Suppressed+r.Alerts))
		}
		if r.NilKeys > 0 {
			out = append(out, number(r.NilKeys, "event passes it by: its key is nil", "events pass it by: their key is nil"))
		}
		if r.Errors > 0 {
			out = append(out, number(r.Errors, "evaluation fails: ", "evaluations fail, the last: ")+r.LastError)
		}
	}
	if stats.Late > 0 {
		out = append(out, number(stats.Late, "event of the inputs is late: it counts", "events of the inputs are late: they count")+
			" at the watermark, or not at all (late: drop)")
	}
	if rule.Mode == plan.Shadow {
		out = append(out, "it is in shadow: its alerts are not delivered")
	}
	return out
}
