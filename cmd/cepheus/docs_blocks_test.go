package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// blocksTested says, by the language of a block, which pages' blocks are tested and where.
var blocksTested = map[string][]string{
	"console": append([]string{"api.md", "life-of-a-rule.md"}, consolePages...), // TestCommandsOfDocuments, TestCommandsOfTheAPI, TestLifeOfARuleInTheDocuments
	"file":    append([]string{"language.md", "life-of-a-rule.md"}, consolePages...),
	"yaml":    configurationPages, // TestConfigurationsOfDocuments
	// rules/ruletest runs these, in order of their page.
	"cep": rulePages, "alert": rulePages, "alerts": rulePages, "counts": rulePages, "errors": rulePages, "events": rulePages,
}

var rulePages = []string{"language.md", "coming-from.md"}

// blocksShown are the blocks that no test runs, by page and how they begin, and why.
// Commands among them are looked at nevertheless: see TestCommandsThatDocumentsNameAreThere.
var blocksShown = map[string]string{
	"configuration.md: cepheus check -c cepheus.yaml --probe": "a list of commands; the configuration names brokers that are nowhere",
	"configuration.md: level=INFO":                            "lines of the log; live_test.go and engine/crashtest look for them",
	"errors.md: card_testing.cep:13:26":                       "the README's error, which TestErrorOfTheReadmeIsWhatCheckSays has",
	"life-of-a-rule.md: cepheus run":                          "TestLifeOfARuleInTheDocuments starts it, on a free port",
	"operate.md: $ curl":                                      "over a run that is served elsewhere; serve_test.go asks for both",
	"operate.md: $ OTEL":                                      "to a collector that is elsewhere; traces_test.go has one",
	"state.md: openssl":                                       "makes a key, for commands that state_key_test.go runs",
	"state.md: DIR/FORMAT":                                    "a list of files",
	"state.md: the last run over data did not end":            "after a kill; engine/crashtest kills",
	"state.md: data/tree/000001.sst":                          "of a damaged disk; testdata/state_verify.txtar damages one",
	"sinks.md: cepheus run …":                                 "a pattern of commands, which names receivers that are nowhere",
	"sinks.md: cepheus sink preview":                          "a list of commands; those that run stand below it",
	"sinks.md: sink ops: the test alert":                      "the answer of a receiver that is nowhere; testdata/sink.txtar has one",
	"sinks.md: {\"text\"":                                     "a template; sinks/webhook tests it",
	"sinks.md: cepheus dead-letters ls [--kind":               "a list of what there is; those that run stand above it",
	"add-a-sink.md":                                           "Go that its reader writes; sinks/sinktest is what it must pass",
	"language.md":                                             "the grammar and drawings",
	"coming-from.md":                                          "the languages of others; benchmarks/peers runs theirs",
	"README.md: make run":                                     "make, whose targets take minutes",
	"README.md: event payment":                                "TestRuleOfTheReadmeGivesTheAlertShownThere runs it",
	"README.md: {\"id\"":                                      "TestRuleOfTheReadmeGivesTheAlertShownThere compares it",
	"README.md: card_testing.cep:13:26":                       "TestErrorOfTheReadmeIsWhatCheckSays compares it",
	"README.md: bin/cepheus run --rules my/rules":             "over events of the reader's own",
	"README.md: bin/cepheus check -c cepheus.yaml --probe":    "over a configuration of the reader's own",
	"README.md: bin/cepheus init shop":                        "TestCommandsOfTheReadme runs it",
}

var anyBlock = regexp.MustCompile("(?ms)^```([a-z]*)[^\n]*\n(.*?)^```$")

// pages are the documents for readers, by name, with their texts.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no documents: this test looks in the wrong place", err)
	}
	out := map[string]string{}
	for _, path := range append(paths, filepath.Join("..", "..", "README.md")) {
		name := filepath.Base(path)
		if name == "README.md" && filepath.Base(filepath.Dir(path)) == "docs" {
			name = "docs/README.md"
		}
		out[name] = read(t, path)
	}
	return out
}

// TestEveryBlockOfDocumentsIsTestedOrSaysWhyNot keeps commands and outputs from growing old:
// a block is of a language that a test runs, or stands in blocksShown with a reason.
func TestEveryBlockOfDocumentsIsTestedOrSaysWhyNot(t *testing.T) {
	used := map[string]bool{}
	for page, text := range pages(t) {
		for _, m := range anyBlock.FindAllStringSubmatch(text, -1) {
			if slices.Contains(blocksTested[m[1]], page) {
				continue
			}
			first, _, _ := strings.Cut(m[2], "\n")
			if name := shownAs(page, first); name != "" {
				used[name] = true
				continue
			}
			t.Errorf("docs/%s: no test runs the block %q that begins with %q", page, m[1], first)
		}
	}
	for name := range blocksShown {
		if !used[name] {
			t.Errorf("blocksShown has %q, which no page shows any more", name)
		}
	}
}

// shownAs is the name in blocksShown of a block; "": it has none.
func shownAs(page, first string) string {
	for name := range blocksShown {
		at, begins, _ := strings.Cut(name, ": ")
		if at == page && strings.HasPrefix(first, begins) {
			return name
		}
	}
	return ""
}

// named are the commands of ours that a page names, in code spans and in blocks.
var namedCommand = regexp.MustCompile("(?m)(?:`|^\\$ |^|^bin/|&& |\\| )cepheus ([a-z][^`\n]*)")

// TestCommandsThatDocumentsNameAreThere looks at each command that a document names, also in
// passing: there are such verbs, and they have those flags.
func TestCommandsThatDocumentsNameAreThere(t *testing.T) {
	parser, err := kong.New(&verbs{}, kong.NamedMapper("given", kong.MapperFunc(given)))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for page, text := range pages(t) {
		for _, m := range namedCommand.FindAllStringSubmatch(text, -1) {
			seen++
			for _, fault := range commandFaults(parser.Model.Node, m[1]) {
				t.Errorf("docs/%s: cepheus %s: %s", page, m[1], fault)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d commands: this test looks in the wrong place", seen)
	}
}

func TestCommandFaults(t *testing.T) {
	parser, err := kong.New(&verbs{}, kong.NamedMapper("given", kong.MapperFunc(given)))
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]int{
		"check PATH… [--strict] [--json]": 0, "fmt [-w\\|-d] PATH": 0, "state backup DIR OUT": 0, "run --input - | grep --color x": 0,
		"chek PATH": 1, "check --strikt": 1, "fmt -z": 1, "state melt": 1,
	} {
		if got := commandFaults(parser.Model.Node, command); len(got) != want {
			t.Errorf("%s: faults %q, want %d", command, got, want)
		}
	}
}

// commandFaults says which verbs and flags of a command there are not. A page may write a
// pattern of it: [--flag], -a|-b.
func commandFaults(at *kong.Node, command string) (faults []string) {
	command, _, _ = strings.Cut(command, " | ")
	words := strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" []|\\…,;)", r) })
	for i, word := range words {
		name, _, _ := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, "#") || word == "&&" || strings.HasPrefix(word, "<"):
			return faults
		case strings.HasPrefix(word, "-") && len(word) > 1:
			if !hasFlag(at, name) {
				faults = append(faults, "it has no flag "+name)
			}
		case len(at.Children) > 0:
			next := slices.IndexFunc(at.Children, func(n *kong.Node) bool { return n.Name == word })
			if next < 0 {
				return append(faults, "there is no verb "+strings.Join(words[:i+1], " "))
			}
			at = at.Children[next]
		}
	}
	return faults
}

func hasFlag(at *kong.Node, name string) bool {
	for _, group := range at.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
				return true
			}
		}
	}
	return name == "--help"
}

// TestCommandsOfTheReadme runs what it shows to writers of rules.
func TestCommandsOfTheReadme(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bin", "cepheus")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(`{"type":"e","at":"2026-01-01T00:00:00Z"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, line := range strings.Split(block(t, "bin/cepheus init shop"), "\n") {
		command, _, _ := strings.Cut(line, "#")
		if strings.HasPrefix(command, "bin/cepheus ") {
			ran++
			says(t, dir, command+" >out.txt && test -s out.txt", "")
		}
	}
	if ran < 5 {
		t.Errorf("only %d commands", ran)
	}
}
