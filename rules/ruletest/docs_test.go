package ruletest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/rules/ruletest"
)

// pages are the documents whose fenced blocks are tested. What a block is, its mark
// says, the words after its opening fence:
//
//	cep              rules: with those blocks behind it that say what comes of them, up to
//	                 the next one, an example. By itself it compiles without a message.
//	cep shared       declarations that all examples after it have too
//	events [NAME]    the records of a partition, in the form of scenarios
//	events final     the only ones, whose end is the end of time
//	alerts           the alerts of these events, all of them
//	alert            one alert of them as it is written, but for white space and texts "…"
//	errors           the messages of the compiler, all of them
//	warnings, counts, dead    as in scenarios
//	file NAME        a file that the rules name
//
// Blocks of plainMarks are not looked at.
var pages = []string{"language.md", "coming-from.md"}

// plainMarks are the marks of blocks that are not ours to run.
var plainMarks = []string{"text", "sh", "java", "epl", "siddhi", "eql", "yaml", "sql"}

func TestExamplesOfDocuments(t *testing.T) {
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		examples, faults := readExamples(string(text))
		for _, f := range faults {
			t.Errorf("%s:%s", page, f)
		}
		if len(examples) == 0 {
			t.Errorf("%s has no example: this test looks in the wrong place", page)
		}
		for _, x := range examples {
			t.Run(fmt.Sprintf("%s:%d", page, x.line), func(t *testing.T) {
				t.Parallel()
				for _, f := range x.faults(t) {
					t.Errorf("docs/%s:%d: %s", page, x.line, f)
				}
			})
		}
	}
}

// example is what a page says of one set of rules.
type example struct {
	line     int // of its first block
	sections strings.Builder
	seen     []string // marks of its blocks
	alert    string   // of the block "alert"
}

// faults runs the example in the plainest way and in the one that shares least with it.
func (x *example) faults(t *testing.T) []string {
	s, err := ruletest.Parse("example", []byte(x.scenario()))
	if err != nil {
		return []string{err.Error()}
	}
	variants := ruletest.Variants()
	var faults []string
	for _, v := range []ruletest.Variant{variants[0], variants[len(variants)-1]} {
		out, err := s.Run(t.Context(), t.TempDir(), v)
		if err != nil {
			return append(faults, err.Error())
		}
		if v.Restart && x.has("counts") {
			continue // totals are those of one engine
		}
		faults = append(faults, s.Compare(out)...)
		if x.has("alert") && !slices.ContainsFunc(out.Alerts, func(a string) bool { return x.isAlert(a) }) {
			faults = append(faults, "no alert is written as the block says; there are\n"+strings.Join(out.Alerts, "\n"))
		}
		if len(faults) > 0 || out.Messages.HasErrors() {
			break
		}
	}
	return faults
}

func (x *example) has(mark string) bool { return slices.Contains(x.seen, mark) }

// scenario writes the example as one.
func (x *example) scenario() string {
	text := "# An example.\n" + x.sections.String()
	if !x.has("events") && !x.has("errors") {
		text += "-- errors --\n" // none may come
	}
	return text
}

// isAlert compares an alert with the example's, in which "…" stands for any text.
func (x *example) isAlert(alert string) bool {
	var want, got bytes.Buffer
	if json.Compact(&want, []byte(x.alert)) != nil || json.Compact(&got, []byte(alert)) != nil {
		return false
	}
	rest := got.String()
	for i, part := range strings.Split(want.String(), "…") {
		before, after, found := strings.Cut(rest, part)
		if !found || i == 0 && before != "" || strings.Contains(before, `"`) {
			return false
		}
		rest = after
	}
	return rest == ""
}

// add takes a block that says something of the example's rules.
func (x *example) add(mark, text string) error {
	kind, name, _ := strings.Cut(mark, " ")
	switch {
	case x.has(mark) || kind == "alert" && x.has(kind):
		return fmt.Errorf("the example has a block %q already", mark)
	case (kind == "alerts" || kind == "alert") && !x.has("events"):
		return fmt.Errorf("%s without events before them", kind)
	}
	section := ""
	switch {
	case kind == "events" && name == "final":
		section = "-- options --\nfinal\n-- events.jsonl --\n"
	case kind == "events" && name != "":
		section = "-- events/" + name + ".jsonl --\n"
	case kind == "events":
		section = "-- events.jsonl --\n"
	case kind == "alerts":
		section = "-- alerts.jsonl --\n"
	case kind == "alert" && name == "":
		x.alert = text
	case kind == "file" && name != "":
		section = "-- " + name + " --\n"
	case slices.Contains([]string{"errors", "warnings", "counts", "dead"}, kind) && name == "":
		section = "-- " + kind + " --\n"
	default:
		return fmt.Errorf("a block with the mark %q, which this test does not know", mark)
	}
	if section != "" {
		x.sections.WriteString(section + text)
	}
	x.seen = append(x.seen, kind, mark)
	return nil
}

// readExamples reads the examples of a page, and says what is wrong with its blocks,
// each fault beginning with its line.
func readExamples(page string) (examples []*example, faults []string) {
	shared := ""
	var now *example
	for _, b := range blocks(page) {
		var err error
		switch {
		case !b.ended:
			err = fmt.Errorf("the block never ends")
		case slices.Contains(plainMarks, b.mark):
		case b.mark == "cep shared":
			shared += b.text
		case b.mark == "cep":
			now = &example{line: b.line}
			if shared != "" {
				now.sections.WriteString("-- rules/shared.cep --\n" + shared)
			}
			now.sections.WriteString("-- rules/example.cep --\n" + b.text)
			examples = append(examples, now)
		case now == nil:
			err = fmt.Errorf("a block with the mark %q before any rules", b.mark)
		default:
			err = now.add(b.mark, b.text)
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("%d: %v", b.line, err))
		}
	}
	return examples, faults
}

// block is a fenced block of a page. text is what stands between the fences.
type block struct {
	line       int // of the opening fence, from 1
	mark, text string
	ended      bool
}

func blocks(page string) []block {
	const fence = "```"
	var out []block
	var open *block
	n := 0
	for line := range strings.Lines(page) {
		n++
		mark, isFence := strings.CutPrefix(strings.TrimSpace(line), fence)
		switch {
		case isFence && open != nil:
			open.ended = true
			out = append(out, *open)
			open = nil
		case isFence:
			open = &block{line: n, mark: mark}
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		out = append(out, *open)
	}
	return out
}

// page is a small document: rules, and what is said of them.
func page(after string) string {
	return "```cep shared\nevent a (time: t) { t time  n int? }\n```\n" +
		"```cep\nrule r { from a where n > 1  emit { n: n } }\n```\n" + after
}

func fenced(mark, text string) string { return "```" + mark + "\n" + text + "\n```\n" }

func TestDocumentExamplesCatch(t *testing.T) {
	two := fenced("events", `{"t":"0s","type":"a","n":2}`)
	for name, c := range map[string]struct {
		page string
		want string // part of the first fault; empty: there is none
	}{
		"rules alone":                      {page(""), ""},
		"rules and prose":                  {page("Prose.\n" + fenced("text", "a -> b")), ""},
		"the alert that comes":             {page(two + fenced("alerts", `{"rule":"r","t":"0s","fields":{"n":2}}`)), ""},
		"another alert":                    {page(two + fenced("alerts", `{"rule":"r","fields":{"n":3}}`)), "want"},
		"no alert":                         {page(two + fenced("alerts", "")), "not expected"},
		"one alert too many":               {page(two + fenced("alerts", "{\"rule\":\"r\"}\n{\"rule\":\"r\"}")), "did not come"},
		"events of which nothing is said":  {page(two), "alerts.jsonl"},
		"alerts without events":            {page(fenced("alerts", `{}`)), "without events"},
		"alerts twice":                     {page(two + fenced("alerts", "") + fenced("alerts", "")), "already"},
		"an unknown mark":                  {page(fenced("alters", "")), "does not know"},
		"no mark":                          {page(fenced("", "")), "does not know"},
		"a mark with a word too many":      {page(fenced("errors all", "")), "does not know"},
		"a block that never ends":          {page("```text\n"), "never ends"},
		"events before any rules":          {two, "before any rules"},
		"rules that do not compile":        {page("") + fenced("cep", "rule s { from b }"), "R102"},
		"an error that does not come":      {page(fenced("errors", "example.cep:1:1: R102: no")), "did not come"},
		"a warning nobody speaks of":       {page("") + fenced("cep", "rule s { match x: a -> y: a }"), "W101"},
		"two partitions":                   {page(fenced("events p", `{"t":"0s","type":"a"}`) + fenced("events q", `{"t":"0s","type":"a"}`) + fenced("alerts", "")), ""},
		"an alert as written":              {page(two + fenced("alerts", `{}`) + fenced("alert", `{"id":"…","rule":"r","version":"…","severity":"medium","title":"","tags":[],"key":{}, "time":"2026-01-01T00:00:00Z","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:00Z","fields":{"n":2},"suppressed":0,"events_total":1,"events":[{"time":"2026-01-01T00:00:00Z","event":{"t":"2026-01-01T00:00:00Z","type":"a","n":2}}]}`)), ""},
		"an alert that is written as such": {page(two + fenced("alerts", `{}`) + fenced("alert", `{"id":"…","rule":"r"}`)), "no alert is written"},
	} {
		t.Run(name, func(t *testing.T) {
			examples, faults := readExamples(c.page)
			for _, x := range examples {
				faults = append(faults, x.faults(t)...)
			}
			switch {
			case c.want == "" && len(faults) > 0:
				t.Errorf("page\n%s\nfaults %q, want none", c.page, faults)
			case c.want != "" && (len(faults) == 0 || !strings.Contains(strings.Join(faults, "\n"), c.want)):
				t.Errorf("page\n%s\nfaults %q, want one with %q", c.page, faults, c.want)
			}
		})
	}
}
