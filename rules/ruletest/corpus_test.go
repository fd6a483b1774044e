package ruletest_test

import (
	"bufio"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/rules/ruletest"
)

var update = flag.Bool("update", false, "rewrite the expectations of the corpus with what came; read the diff like code")

var everywhere = flag.Bool("stops", false, "stop scenarios after each of their records, and not only in the middle (slow)")

const corpus = "testdata"

// TestCorpus runs every scenario of testdata, in every variant. A scenario that
// testdata/open.txt lists must fail: the list holds what the language promises and the
// engine does not do yet, and nothing else.
func TestCorpus(t *testing.T) {
	open := openScenarios(t)
	for _, path := range scenarios(t) {
		name := strings.TrimSuffix(path, ".txtar")
		why, isOpen := open[name]
		delete(open, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runScenario(t, path, why, isOpen)
		})
	}
	for name := range open {
		t.Errorf("open.txt names %s, and there is no such scenario", name)
	}
}

func runScenario(t *testing.T, path, why string, isOpen bool) {
	text, err := os.ReadFile(filepath.Join(corpus, path))
	if err != nil {
		t.Fatal(err)
	}
	s, err := ruletest.Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	diffs := check(t, s, *update && !isOpen)
	switch {
	case isOpen && len(diffs) == 0:
		t.Errorf("passes now: take it out of open.txt (%s)", why)
	case isOpen:
		t.Skipf("open: %s\n%s", why, strings.Join(diffs, "\n"))
	case len(diffs) > 0 && !*update:
		t.Errorf("%s\n%s", s.Why, strings.Join(diffs, "\n"))
	}
}

// check runs a scenario in all variants and lists what is not as it should be; rewrite
// says that the file is to be as it is.
func check(t *testing.T, s *ruletest.Scenario, rewrite bool) []string {
	variants := ruletest.Variants()
	plain, err := s.Run(t.Context(), t.TempDir(), variants[0])
	if err != nil {
		return []string{err.Error()}
	}
	diffs := s.Compare(plain)
	if len(diffs) > 0 && rewrite {
		if err := os.WriteFile(filepath.Join(corpus, s.Name), s.Rewrite(plain), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if plain.Messages.HasErrors() || len(diffs) > 0 {
		return diffs
	}
	for _, v := range variants[1:] {
		diffs = append(diffs, checkVariant(t, s, plain, v)...)
	}
	if last := variants[len(variants)-1]; *everywhere && last.Restart {
		for stop := 1; stop < s.Records(); stop++ {
			s.Options.Stop = stop
			last.Name = fmt.Sprintf("with a restart after %d records", stop)
			diffs = append(diffs, checkVariant(t, s, plain, last)...)
		}
	}
	return diffs
}

func checkVariant(t *testing.T, s *ruletest.Scenario, plain *ruletest.Outcome, v ruletest.Variant) []string {
	out, err := s.Run(t.Context(), t.TempDir(), v)
	if err != nil {
		return []string{v.Name + ": " + err.Error()}
	}
	if d := cmp.Diff(plain.Alerts, out.Alerts); d != "" {
		return []string{v.Name + ": other alerts than in the plainest variant (-plain +this):\n" + d}
	}
	return nil
}

func scenarios(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(os.DirFS(corpus), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".txtar") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no scenario in %s: this test looks in the wrong place", corpus)
	}
	return paths
}

// openScenarios reads open.txt: lines "NAME: why", blank ones and comments (#).
func openScenarios(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus, "open.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	open := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, why, ok := strings.Cut(lines.Text(), ":")
		if ok && !strings.HasPrefix(name, "#") {
			open[strings.TrimSpace(name)] = strings.TrimSpace(why)
		}
	}
	return open
}
