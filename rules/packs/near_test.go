package packs_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/packs"
	"github.com/cepheus-cep/cepheus/rules/tester"
)

var (
	ruleBlock = regexp.MustCompile(`(?ms)^rule (\w+).*?^}$`)
	skipped   = regexp.MustCompile(`(?m)^ +(severity|tags|label|runbook|emit|suppress)\b.*$|^        \w+: .*$|"[^"\n]*"|'[^'\n]*'`)
	literal   = regexp.MustCompile(`\b\d[\d_]*(\.\d+)?(ms|s|m|h|d)?\b`)
	units     = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
)

// mutant is a pack in which one thing of a rule is another.
type mutant struct {
	rule, what string
	files      []*source.File
}

// notSeen are the numbers of which no test sees a change, with the reason.
var notSeen = map[string]string{
	"beaconing 10m":  "six calls a minute apart are over before",
	"budget_burn 5m": "it would take a hundred requests to tell",
	"budget_burn 1h": "it would take a hundred requests to tell",
}

// TestTestsOfPacksAreNear changes one number of a rule at a time by a fifth, or by one, up and
// down: some test of the rule must see it. So those in which it does not fire are near ones,
// and those in which it does are no more than just so.
func TestTestsOfPacksAreNear(t *testing.T) {
	for _, pack := range packs.Names() {
		t.Run(pack, func(t *testing.T) {
			t.Parallel()
			for _, m := range mutants(t, pack) {
				if !seen(t, m) {
					t.Errorf("%s/%s: no test sees %s", pack, m.rule, m.what)
				}
			}
		})
	}
}

func mutants(t *testing.T, pack string) (out []mutant) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(pack, "*.cep"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*source.File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, &source.File{Name: path, Text: string(text)})
	}
	for i, f := range files {
		for _, m := range ruleBlock.FindAllStringSubmatchIndex(f.Text, -1) {
			for _, c := range changes(f.Text, m[0], m[1]) {
				if notSeen[f.Text[m[2]:m[3]]+" "+f.Text[c.from:c.to]] != "" {
					continue
				}
				with := slices.Clone(files)
				with[i] = &source.File{Name: f.Name, Text: f.Text[:c.from] + c.text + f.Text[c.to:]}
				out = append(out, mutant{f.Text[m[2]:m[3]], fmt.Sprintf("%s in place of %s", c.text, around(f.Text, c.from, c.to)), with})
			}
		}
	}
	return out
}

type change struct {
	from, to int
	text     string
}

// changes of a rule's text. What is told and what is kept back is left as it is.
func changes(text string, from, to int) (out []change) {
	rule := skipped.ReplaceAllStringFunc(text[from:to], func(s string) string { return strings.Repeat("#", len(s)) })
	for _, m := range literal.FindAllStringSubmatchIndex(rule, -1) {
		unit := ""
		if m[4] >= 0 {
			unit = rule[m[4]:m[5]]
		}
		number := strings.ReplaceAll(strings.TrimSuffix(rule[m[0]:m[1]], unit), "_", "")
		for _, other := range steps(number, unit) {
			out = append(out, change{from + m[0], from + m[1], other})
		}
	}
	return out
}

// steps are the numbers a fifth more and less, or one: none for 0, which is a limit of its own.
func steps(number, unit string) []string {
	if unit != "" {
		n, _ := strconv.Atoi(number)
		d := time.Duration(n) * units[unit]
		return []string{(d * 6 / 5).Truncate(time.Second).String(), (d * 4 / 5).Truncate(time.Second).String()}
	}
	x, _ := strconv.ParseFloat(number, 64)
	switch {
	case x == 0:
		return nil
	case strings.Contains(number, "."):
		return []string{fmt.Sprintf("%.6f", x*1.2), fmt.Sprintf("%.6f", x*0.8)}
	}
	step := max(1, int(math.Round(x/5)))
	return []string{strconv.Itoa(int(x) + step), strconv.Itoa(int(x) - step)}
}

func around(text string, from, to int) string {
	return strings.TrimSpace(strings.ReplaceAll(text[max(0, from-40):min(len(text), to+10)], "\n", " "))
}

// seen reports whether a test of the rule fails, or the rules do not compile.
func seen(t *testing.T, m mutant) bool {
	t.Helper()
	suite, _ := tester.Load(m.files, nil)
	if suite == nil {
		return true
	}
	failed := false
	err := suite.Run(t.Context(), tester.Options{
		Only: func(test *plan.Test) bool { return slices.Contains(test.Rules, m.rule) }, Now: time.Now,
	}, func(r *tester.Result) error {
		failed = failed || !r.Passed()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return failed
}
