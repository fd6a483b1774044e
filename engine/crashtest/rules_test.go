package crashtest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/state"
)

// changes of rules between two starts: what is replaced in all.cep, and what the start
// says of the rule, if it had a state.
var changes = []struct{ rule, was, is, said string }{
	{"looked_up", "rule looked_up { from pay", "rule looked_up { severity high  from pay", "rule changed, state kept"},
	{"sequence", "within 20s  emit { a: a.n, b: b.n }", "within 20s  emit { text: \"${a.n} ${b.n}\" }", "rule changed, state kept"},
	{"rising", "once  emit { s: sum(sum), m:", "once  emit { total: sum(sum), m:", "rule changed, state kept"},
	{"absence", "match a: pay[n == 5] -> !auth for 8s", "match a: pay[n == 5]  -> !auth for 8s  having a.n > 0", "rule changed, state kept"},
	{"session", "l: last(n), w: sum(sum)", "w: sum(sum)", "in=aggregates"},
	{"hopping", "hopping 20s every 5s", "hopping 20s every 10s", "in=windows"},
	{"sliding", "from pay where n > 2  by card", "from pay where n > 1  by card", "in=events"},
	{"batch", "by shop  window batch", "by card  window batch", "in=key"},
	{"until_ring", "until ring[n == 9]", "until ring[n == 8]", "in=pattern"},
	{"again", "-> b: auth[n < 6]){2}", "-> b: auth[n < 7]){2}", "in=pattern"},
	{"between", "rule between {", "rule elsewhere {", "the rule is gone"},
	{"elsewhere", "", "", "rule added"},
}

// changed writes a folder with all rules of testdata, changed.
func changed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"all.cep", "shut.txt", "rank.csv"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if c.was != "" && name == "all.cep" && bytes.Count(text, []byte(c.was)) != 1 {
				t.Fatalf("%q is not there once", c.was)
			}
			if c.was != "" {
				text = bytes.Replace(text, []byte(c.was), []byte(c.is), 1)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRulesThatChangedBetweenTwoStarts: the state of a rule is kept where what it remembers
// is the same, and else dropped, of that rule alone.
func TestRulesThatChangedBetweenTwoStarts(t *testing.T) {
	r := chance(t)
	old := &runner{set: ruleSet(t, "testdata"), shards: 2, events: 100}
	old.inputs = traffic{events: 600, cards: 4, every: 700e6}.write(t, r, t.TempDir())
	old.upTo(t, 60)
	p, whole := place{t.TempDir()}, place{t.TempDir()}
	for _, p := range []place{p, whole} {
		if err := old.run(t.Context(), p, &steps{}); err != nil {
			t.Fatal(err)
		}
	}
	before, _, err := readAlerts(p.alerts())
	if err != nil {
		t.Fatal(err)
	}
	old.upTo(t, 100)
	if err := old.run(t.Context(), whole, &steps{}); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	now := *old
	now.set, now.log = ruleSet(t, changed(t)), slog.New(slog.NewTextHandler(&said, nil))
	if err := now.run(t.Context(), p, &steps{}); err != nil {
		t.Fatal(err)
	}

	dropped := []string{}
	for _, c := range changes {
		if name := "rule=" + c.rule + " "; !hasLine(said.String(), name, c.said) && !hasLine(said.String(), name, "it had no state") && !hasLine(said.String(), name, "rule removed") {
			t.Errorf("of %s it says nothing like %q:\n%s", c.rule, c.said, said.String())
		}
		if !strings.Contains(c.said, "kept") {
			dropped = append(dropped, c.rule)
		}
	}
	if n := strings.Count(said.String(), "rule="); n != len(changes) {
		t.Errorf("%d rules are told of, want %d:\n%s", n, len(changes), said.String())
	}
	want, got := after(t, whole, len(before), dropped), after(t, p, len(before), dropped)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts of rules whose state is kept (-without the changes +with):\n%s", diff)
	}
	nothingLeftOf(t, p, "between")
}

// nothingLeftOf wants no record of a rule, whatever the table.
func nothingLeftOf(t *testing.T, p place, rule string) {
	t.Helper()
	s, err := state.OpenBadger(p.state(), state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for table := state.TableMeta; table <= state.TableSilences; table++ {
		err := s.Scan(t.Context(), table, nil, nil, func(k, _ []byte) error {
			if bytes.Contains(k, []byte(rule)) {
				t.Errorf("a record of a rule that is gone: %s %q", table, k)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func hasLine(text string, parts ...string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n") + " "
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			return true
		}
	}
	return false
}

// after returns rule and id of the alerts of a place from the n-th on, without those of
// some rules.
func after(t *testing.T, p place, n int, without []string) (out []string) {
	t.Helper()
	alerts, _, err := readAlerts(p.alerts())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range alerts[n:] {
		var a struct{ ID, Rule string }
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(without, a.Rule) {
			out = append(out, a.Rule+" "+a.ID)
		}
	}
	return out
}
