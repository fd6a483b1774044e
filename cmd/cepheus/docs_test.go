package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// consolePages are the documents whose commands are run: in a block "console" each line that
// begins with "$ " is a command, the lines after it are all that it prints, on either output,
// in which "…" stands for any text. A block "file NAME" is a file that is there from then on.
// Each page has a folder of its own, in which its blocks are taken one after the other.
// With UPDATE=1 the pages are written anew.
var consolePages = []string{"start.md", "first-rule.md", "testing.md", "backtest.md", "tools.md", "state.md", "sinks.md"}

var fenced = regexp.MustCompile("(?ms)^```(console|file)[ ]?([^\n]*)\n(.*?)^```\n")

func TestCommandsOfDocuments(t *testing.T) {
	for _, page := range consolePages {
		t.Run(page, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", page)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := played(t, string(text)); got != string(text) {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// played takes the blocks of a page, and returns the page, with UPDATE as it should be.
func played(t *testing.T, text string) string { return playedIn(t, t.TempDir(), text) }

// layFiles writes the files of a page.
func layFiles(t *testing.T, dir, text string) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		if m[1] == "file" {
			layFile(t, dir, m)
		}
	}
}

func layFile(t *testing.T, dir string, m []string) {
	path := filepath.Join(dir, filepath.FromSlash(m[2]))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(m[3]), 0o644); err != nil {
		t.Fatal(err)
	}
}

func playedIn(t *testing.T, dir, text string) string {
	commands := 0
	out := fenced.ReplaceAllStringFunc(text, func(b string) string {
		m := fenced.FindStringSubmatch(b)
		if m[1] == "file" {
			layFile(t, dir, m)
			return b
		}
		shown := "```console\n"
		for _, c := range strings.Split("\n"+m[3], "\n$ ")[1:] {
			command, want, _ := strings.Cut(c, "\n")
			commands++
			shown += "$ " + command + "\n" + prints(t, dir, command, want)
		}
		return shown + "```\n"
	})
	if commands == 0 {
		t.Error("the page has no command: this test looks in the wrong place")
	}
	return out
}

// prints runs a command and compares what it prints; it returns what the page should say.
func prints(t *testing.T, dir, command, want string) string {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	got, _ := cmd.CombinedOutput() // its exit code is that of what the page shows
	if want != "" && !strings.HasSuffix(want, "\n") {
		want += "\n"
	}
	if elided(want).Match(got) {
		return want
	}
	if os.Getenv("UPDATE") == "" {
		t.Errorf("$ %s\nthe page shows\n%s\nit prints\n%s", command, want, got)
		return want
	}
	return elidedAsBefore(string(got), want)
}

// elided matches what is shown; "…" stands for any text.
func elided(shown string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(shown), "…", `[\s\S]*?`) + "$")
}

// elidedAsBefore is what a command prints with its lines written as they were before, where
// those still say so with an "…" in them.
func elidedAsBefore(got, before string) string {
	lines := strings.Split(got, "\n")
	for i := range lines {
		for _, was := range strings.Split(before, "\n") {
			if strings.Contains(was, "…") && elided(was).MatchString(lines[i]) {
				lines[i] = was
				break
			}
		}
	}
	return regexp.MustCompile(`(?m)(tests?|alerts), [\d.]+(ms|s|µs)$`).ReplaceAllString(strings.Join(lines, "\n"), "$1, …")
}
