package arch

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link        = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	codeInGo    = regexp.MustCompile(`"([SRW]\d{3})"`)
	codeInTable = regexp.MustCompile(`(?m)^\| ([SRW]\d{3}) \|`)
)

// linkFaults lists relative links of a page that lead nowhere.
func linkFaults(page, text string, exists func(path string) bool) []string {
	var faults []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if target := path.Join(path.Dir(page), m[1]); !exists(target) {
			faults = append(faults, fmt.Sprintf("%s: the link to %s leads nowhere", page, m[1]))
		}
	}
	return faults
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
			report(t, linkFaults(name, string(text), func(p string) bool {
				_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p)))
				return err == nil
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
	only := func(known string) func(string) bool { return func(p string) bool { return p == known } }
	if got := linkFaults("docs/a.md", "[b](b.md) [c](../c.md#x) [web](https://example.org/)", only("docs/b.md")); len(got) != 1 {
		t.Errorf("faults %q, want one for ../c.md", got)
	}
	if got := codeFaults(map[string]bool{"S001": true, "S002": true}, map[string]bool{"S002": true, "S003": true}); len(got) != 2 {
		t.Errorf("faults %q, want one for S001 and one for S003", got)
	}
}
