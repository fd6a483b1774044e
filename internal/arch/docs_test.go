package arch

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	link        = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.*?) *$`)
	fences      = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeInGo    = regexp.MustCompile(`"([SRW]\d{3})"`)
	codeInTable = regexp.MustCompile(`(?m)^\| ([SRW]\d{3}) \|`)
)

// linkFaults lists relative links of a page that lead nowhere: no such file, or no such
// heading in it. page reads a file; ok is false where there is none.
func linkFaults(from, text string, page func(path string) (text string, ok bool)) []string {
	var faults []string
	for _, m := range link.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		to, there := text, true
		if m[1] != "" {
			to, there = page(path.Join(path.Dir(from), m[1]))
		}
		switch {
		case !there:
			faults = append(faults, fmt.Sprintf("%s: the link to %s leads nowhere", from, m[1]))
		case m[2] != "" && !anchors(to)[m[2][1:]]:
			faults = append(faults, fmt.Sprintf("%s: %s has no heading %s", from, cmp.Or(m[1], "it"), m[2]))
		}
	}
	return faults
}

// anchors are the names by which a page's headings are linked to: in small letters, with
// hyphens for spaces and without punctuation, and numbered where two are alike.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		for n, plain := 1, name; out[name]; n++ {
			name = fmt.Sprintf("%s-%d", plain, n)
		}
		out[name] = true
	}
	return out
}

// codeFaults lists codes of messages that lang has and the table of docs/errors.md
// has not, and the other way round.
func codeFaults(inGo, inTable map[string]bool) []string {
	var faults []string
	for _, code := range slices.Sorted(maps.Keys(inGo)) {
		if !inTable[code] {
			faults = append(faults, "docs/errors.md has no line for "+code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(inTable)) {
		if !inGo[code] {
			faults = append(faults, "docs/errors.md explains "+code+", which lang no longer says")
		}
	}
	return faults
}

func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	dir := root(t)
	walk(t, func(name string, text []byte) {
		if strings.HasSuffix(name, ".md") {
			report(t, linkFaults(name, string(text), func(p string) (string, bool) {
				p = filepath.Join(dir, filepath.FromSlash(p))
				if text, err := os.ReadFile(p); err == nil {
					return string(text), true
				}
				_, err := os.Stat(p) // a folder
				return "", err == nil
			}))
		}
	})
}

func TestErrorCodesAreExplained(t *testing.T) {
	inGo, inTable := map[string]bool{}, map[string]bool{}
	walk(t, func(name string, text []byte) {
		switch {
		case within(name, "lang") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			add(inGo, codeInGo, text)
		case name == "docs/errors.md":
			add(inTable, codeInTable, text)
		}
	})
	if len(inGo) == 0 {
		t.Fatal("found no code in lang: this test looks in the wrong place")
	}
	report(t, codeFaults(inGo, inTable))
}

func add(codes map[string]bool, pattern *regexp.Regexp, text []byte) {
	for _, m := range pattern.FindAllSubmatch(text, -1) {
		codes[string(m[1])] = true
	}
}

func TestDocumentChecksCatch(t *testing.T) {
	page := func(p string) (string, bool) { return "# Its `name`\n## Two words\n## Two words\n", p == "docs/b.md" }
	for text, want := range map[string]int{
		"[b](b.md) [web](https://example.org/#x) [name](b.md#its-name) [second](b.md#two-words-1)": 0,
		"[c](../c.md#x)": 1, "[b](b.md#none)": 1, "[here](#none)": 1, "# Here\n[here](#here)": 0,
		"```\n[c](c.md)\n```\n": 0,
	} {
		if got := linkFaults("docs/a.md", text, page); len(got) != want {
			t.Errorf("%q: faults %q, want %d", text, got, want)
		}
	}
	if got := codeFaults(map[string]bool{"S001": true, "S002": true}, map[string]bool{"S002": true, "S003": true}); len(got) != 2 {
		t.Errorf("faults %q, want one for S001 and one for S003", got)
	}
}
