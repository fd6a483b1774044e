package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// rewrite puts another text in place of a rule file.
func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (p *process) says(t *testing.T, want string) {
	t.Helper()
	eventually(t, want+"; it says\n"+p.messages.String(), func() bool { return strings.Contains(p.messages.String(), want) })
}

// TestRuleFilesAreWatched: a change of one rule leaves the state of the other, a broken one
// changes nothing, and what is told is what has happened.
func TestRuleFilesAreWatched(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	p := start(t, "run", "--rules", rules, "--watch", "--input", "-", "--state", dir)
	p.send(t, 1)
	rewrite(t, rules, strings.Replace(processRules, "{ n: n }", "{ m: n }", 1))
	p.says(t, `msg="rule changed" rule=event_seen fate="changed, state kept"`)
	p.says(t, `msg="rules changed while running" unchanged=1 added=0 removed=0 kept=1 "kept in part"=0 dropped=0`)
	p.send(t, 2)
	if line := p.line(t); !strings.Contains(line, `"rule":"pair"`) {
		t.Errorf("the pattern begun before the change did not complete after it: %s", line)
	}
	rewrite(t, rules, strings.Replace(processRules, "n == 2", "m == 2", 1))
	p.says(t, "unknown field")
	rewrite(t, rules, strings.Replace(processRules, "rule pair", "rule double", 1))
	p.says(t, `msg="rule changed" rule=pair fate=removed`)
	p.says(t, `msg="rule changed" rule=double fate=added`)
	p.send(t, 3)
	p.in.Close()
	p.ends(t, 0)

	p = start(t, "run", "--rules", rules, "--watch", "--input", "-", "--state", dir)
	p.send(t, 4)
	rewrite(t, rules, strings.ReplaceAll(processRules, "event e", "event f"))
	p.says(t, "not taken")
	p.send(t, 5)
	p.in.Close()
	p.ends(t, 0)
}

// TestFilesThatChangeAreTakenAllOrNone: of two rules that change one is broken, and neither is
// taken; then a threshold goes from 990 to 500, and what is said is what runs. So it is whether
// the files are watched or asked for.
func TestFilesThatChangeAreTakenAllOrNone(t *testing.T) {
	for name, watch := range map[string]bool{"watched": true, "by SIGHUP": false} {
		t.Run(name, func(t *testing.T) {
			path := configOf(t, fmt.Sprintf("rules: [rules]\nrules_watch: %v\nsources: { in: { stdin: {}, type: e } }\n", watch))
			rules := filepath.Join(filepath.Dir(path), "rules")
			if err := os.Mkdir(rules, 0o700); err != nil {
				t.Fatal(err)
			}
			set := func(high, low string) {
				rewrite(t, filepath.Join(rules, "rules.cep"), "event e (time: at) { at time  n int }\nrule all { from e  emit { n: n } }\n"+
					"rule high { from e where n > "+high+"  emit { n: n } }\nrule low { from e where "+low+"  emit { n: n } }\n")
			}
			set("990", "n < 100")
			p := start(t, "run", "-c", path)
			change := func(high, low, says string) {
				t.Helper()
				if set(high, low); !watch {
					p.Process.Signal(syscall.SIGHUP)
				}
				p.says(t, says)
			}
			at := 0
			gives := func(n int, want ...string) {
				t.Helper()
				at++
				fmt.Fprintf(p.in, `{"at":"2026-01-01T00:00:%02dZ","n":%d}`+"\n", at, n)
				for _, rule := range append([]string{"all"}, want...) {
					if line := p.line(t); !strings.Contains(line, `"rule":"`+rule+`"`) || !strings.Contains(line, fmt.Sprintf(`"n":%d}`, n)) {
						t.Fatalf("of %d: %s, want one of %s; it says\n%s", n, line, rule, p.messages.String())
					}
				}
			}
			gives(995, "high")
			gives(700)
			gives(50, "low")
			change("500", "nn < 200", "rules.cep:4:25") // one of the two
			gives(700)
			gives(150)
			change("500", "n < 200", `rule=high fate="changed, state kept"`)
			p.says(t, `rule=low fate="changed, state kept"`)
			p.says(t, "rules changed while running")
			gives(700, "high")
			gives(150, "low")
			gives(400)
			gives(995, "high")
			p.in.Close()
			p.ends(t, 0)
		})
	}
}

// TestHangupTakesRulesOfFlags: also where their changes are not waited for.
func TestHangupTakesRulesOfFlags(t *testing.T) {
	path := configOf(t, `
rules: [r.cep]
rules_watch: false
sources: { in: { stdin: {}, type: e } }
`)
	p := start(t, "run", "-c", path)
	p.send(t, 1)
	rules := filepath.Join(filepath.Dir(path), "r.cep")
	rewrite(t, rules, strings.Replace(processRules, "within 1h", "within 2h", 1))
	p.send(t, 2)
	if line := p.line(t); !strings.Contains(line, `"rule":"pair"`) || strings.Contains(p.messages.String(), "changed") {
		t.Errorf("%s\n%s", line, p.messages.String())
	}
	p.Process.Signal(syscall.SIGHUP)
	p.says(t, "changed=rules version=2")
	rewrite(t, rules, strings.ReplaceAll(processRules, "event e", "event f"))
	p.Process.Signal(syscall.SIGHUP)
	p.says(t, "not reloaded: what runs goes on")
	p.send(t, 3)
	p.in.Close()
	p.ends(t, 0)
}

// TestAlertsFollowTheRulesThatRun: those of a rule go to the sink that it names now.
func TestAlertsFollowTheRulesThatRun(t *testing.T) {
	path := configOf(t, `
rules: [r.cep]
sources: { in: { stdin: {}, type: e } }
sinks:
  out: { stdout: {} }
  log: { file: { path: alerts.jsonl } }
`)
	rules := filepath.Join(filepath.Dir(path), "r.cep")
	with := func(to string) string {
		return strings.Replace(processRules, "from e\n    emit { n: n }", "from e\n    emit { n: n }\n    to "+to, 1) + strings.Replace(processRules[strings.Index(processRules, "rule event_seen"):strings.Index(processRules, "rule pair")], "event_seen", "seen_too", 1)
	}
	rewrite(t, rules, with("out"))
	p := start(t, "run", "-c", path)
	p.send(t, 1)
	if line := p.line(t); !strings.Contains(line, `"rule":"seen_too"`) {
		t.Error(line)
	}
	rewrite(t, rules, with("log"))
	p.says(t, "rules changed while running")
	if _, err := p.in.Write([]byte(`{"at":"2026-01-01T00:00:09Z","key":"k","n":9}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if line := p.line(t); !strings.Contains(line, `"rule":"seen_too"`) {
		t.Errorf("the alert still comes here: %s", line)
	}
	p.in.Close()
	p.ends(t, 0)
	if got := seen(t, path); !slices.Equal(got, []int{1, 9, 9}) {
		t.Errorf("the file has %v", got)
	}
}

func TestRecipientsOfASetThatIsExpected(t *testing.T) {
	set := func(to map[string]string) *plan.Set {
		s := &plan.Set{}
		for _, name := range slices.Sorted(maps.Keys(to)) {
			s.Rules = append(s.Rules, &plan.Rule{Name: name, To: []string{to[name], "nowhere"}})
		}
		return s
	}
	r := newRecipients(&runVerb{Sink: []string{"x"}}, &plan.Set{})
	r.sinks = []string{"a", "b"}
	r.become(set(map[string]string{"one": "a", "two": "a"}))
	says := func(when string, want map[string][]string) {
		t.Helper()
		got := map[string][]string{}
		for _, name := range []string{"one", "two", "three"} {
			got[name] = r.of(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	next := set(map[string]string{"one": "b", "three": "b"})
	forget := r.expect(next)
	says("expected", map[string][]string{"one": {"a"}, "two": {"a"}, "three": {"b"}})
	forget()
	says("refused", map[string][]string{"one": {"a"}, "two": {"a"}, "three": nil})
	r.expect(next)
	r.become(next)
	says("in service", map[string][]string{"one": {"b"}, "two": nil, "three": {"b"}})
}
