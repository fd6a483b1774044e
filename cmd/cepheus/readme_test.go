package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block returns the first fenced block of the README that holds a text.
func block(t *testing.T, holds string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```[a-z]*\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[1], holds) {
			return m[1]
		}
	}
	t.Fatalf("README.md has no block with %q", holds)
	return ""
}

// writeRules puts a rule file with the README's name for it into a folder of its own.
func writeRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card_testing.cep")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRuleOfTheReadmeGivesTheAlertShownThere(t *testing.T) {
	rules := writeRules(t, block(t, "rule card_testing"))
	p := start(t, "run", "--rules", rules, "--input", filepath.Join("..", "..", "examples", "payments", "events.jsonl"))
	got := p.line(t)
	shown := strings.ReplaceAll(block(t, `"rule":"card_testing"`), "\n ", "")
	want, _, cut := strings.Cut(shown, "{…}")
	if !cut || !strings.HasPrefix(got, want) {
		t.Errorf("the README shows\n%s\ncepheus says\n%s", want, got)
	}
	p.ends(t, 0)
}

func TestErrorOfTheReadmeIsWhatCheckSays(t *testing.T) {
	rules := writeRules(t, strings.Replace(block(t, "rule card_testing"), "amount < 2", "amout < 2", 1))
	p := start(t, "check", rules)
	got, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	p.ends(t, 1)
	want := block(t, "did you mean")
	if said := strings.ReplaceAll(string(got), filepath.Dir(rules)+string(filepath.Separator), ""); said != want {
		t.Errorf("the README shows\n%s\ncepheus says\n%s", want, said)
	}
}
