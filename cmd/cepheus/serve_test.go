package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

var servedAt = regexp.MustCompile(`msg="the API is served" address=(\S+)`)

// address is where a process serves its API.
func (p *process) address(t *testing.T) string {
	t.Helper()
	eventually(t, "the API is served", func() bool { return servedAt.MatchString(p.messages.String()) })
	return "http://" + servedAt.FindStringSubmatch(p.messages.String())[1]
}

// client runs a verb against a server.
type client struct {
	server string
	env    []string
	dir    string
}

// does runs a verb to its end and returns what it prints.
func (c *client) does(t *testing.T, code int, stdin string, args ...string) (out, messages string) {
	t.Helper()
	cmd := itself(t, args...)
	cmd.Env = append(append(os.Environ(), "CEPHEUS_SERVER="+c.server), c.env...)
	cmd.Dir = c.dir
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, o.String(), e.String())
	}
	return o.String(), e.String()
}

func eventLine(n int) string {
	return fmt.Sprintf(`{"type":"e","at":"2026-01-01T00:00:%02dZ","key":"k","n":%d}`+"\n", n, n)
}

// TestLifeOfARuleOverTheAPI: with the verbs that are its clients.
func TestLifeOfARuleOverTheAPI(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	args := []string{"run", "--rules", rules, "--listen", "127.0.0.1:0", "--state", dir, "--commit", "10ms"}
	p := start(t, args...)
	c := &client{server: p.address(t), dir: filepath.Dir(rules)}
	wants := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q", got, want)
		}
	}
	out, _ := c.does(t, 0, "", "rules", "ls")
	wants(out, "folder")
	out, _ = c.does(t, 0, "", "rules", "get", rules)
	wants(out, processRules)

	_, said := c.does(t, 0, eventLine(1), "events", "push", "-", "--wait")
	wants(said, "1 events sent")
	wants(p.line(t), `"rule":"event_seen"`)

	out, _ = c.does(t, 0, "", "rules", "explain", "pair", "k")
	wants(out, "run since 2026-01-01T00:00:01Z; it waits for ")
	out, _ = c.does(t, 0, "", "rules", "explain", "pair", "none", "--json")
	wants(out, `"known":false`)
	c.does(t, 3, "", "rules", "explain", "pear", "k")

	more := filepath.Join(c.dir, "more.txt")
	put := func(text string, code int, args ...string) string {
		t.Helper()
		if err := os.WriteFile(more, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, said := c.does(t, code, "", append([]string{"rules", "put", more, "--name", "more.cep"}, args...)...)
		return out + said
	}
	over := func(n int) string { return fmt.Sprintf("rule high { from e where n > %d emit { n: n } }\n", n) }
	draft := filepath.Join(c.dir, "draft.cep")
	if err := os.WriteFile(draft, []byte("rule high { from e where n > 0 emit { n: n } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said = c.does(t, 0, "", "rules", "try", "draft.cep", "--rule", "high")
	wants(out, `"rule":"high"`)
	wants(said, "1 events\nhigh: 1 alerts")
	out, _ = c.does(t, 0, eventLine(7)+eventLine(8), "rules", "try", "draft.cep", "--name", "x.cep", "--events", "-", "--rule", "high", "--limit", "1", "--json")
	wants(out, `"alerts_by_rule":{"high":2}`)
	if err := os.Remove(draft); err != nil {
		t.Fatal(err)
	}
	wants(put(over(5), 0, "--note", "try it"), "high  added")
	wants(put("rule high { from e where keyy == 'k' }", 1), `more.cep:1:26: R203: unknown field "keyy" of e; did you mean "key"?`+"\nnothing has changed")
	wants(put(over(1), 3, "--expect", "1"), "version 1 is expected, and version 2 is in service: look at what has changed, and try again; cepheus rules diff --version 1 shows it; with --expect 2 what is there now is changed")
	_, said = c.does(t, 3, "", "rules", "rollback", "77")
	wants(said, "version 77: there is no such version; cepheus rules ls shows the files, with --versions the versions")
	wants(put(over(1), 0, "--expect", "2"), "high  changed, state kept")
	if out, _ := c.does(t, 1, "", "rules", "diff", "--version", "2"); !strings.Contains(out, "-"+over(5)+"+"+over(1)) {
		t.Errorf("the difference is\n%s", out)
	}
	c.does(t, 0, eventLine(2), "events", "push", "-", "--wait")
	for _, rule := range []string{"event_seen", "high", "pair"} { // pair began before the changes
		wants(p.line(t), rule)
	}
	out, _ = c.does(t, 0, "", "rules", "rollback", "2")
	wants(out, "version 4 is in service")
	out, _ = c.does(t, 0, "", "rules", "ls", "--versions")
	wants(out, "back to version 2")
	wants(out, "try it")
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)

	p = start(t, args...) // edits outlive the run
	c.server = p.address(t)
	out, _ = c.does(t, 0, "", "rules", "get", "more.cep")
	wants(out, over(5))
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestAlertsAreTailed from the oldest that is kept, each once, over connections that end.
func TestAlertsAreTailed(t *testing.T) {
	p := start(t, "run", "--rules", rulesFile(t), "--listen", "127.0.0.1:0")
	c := &client{server: p.address(t)}
	c.does(t, 0, eventLine(1)+eventLine(2)+eventLine(3), "events", "push", "-")
	out, _ := c.does(t, 0, "", "alerts", "tail", "--after", "0", "--max", "4")
	var rules []string
	for line := range strings.Lines(out) {
		var a struct{ Rule string }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		rules = append(rules, a.Rule)
	}
	slices.Sort(rules)
	if want := []string{"event_seen", "event_seen", "event_seen", "pair"}; !slices.Equal(rules, want) {
		t.Errorf("alerts of %v, want %v", rules, want)
	}
	out, _ = c.does(t, 0, "", "alerts", "tail", "--after", "0", "--rule", "pair", "--max", "1")
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, `"rule":"pair"`) {
		t.Errorf("of one rule:\n%s", out)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestTokensOfTheConfiguration: who has none is refused, and scopes hold.
func TestTokensOfTheConfiguration(t *testing.T) {
	const hash = "$2a$04$SDK6i5.qqIMZDpga9zTOhOqxG1JyvWyPBBSdBeH4Ek44O5DJvm7oW" // of s3cret, by bcrypt
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
sources: { in: { http: {}, type: e } }
sinks: { out: { stdout: {} } }
api:
  listen: 127.0.0.1:0
  audit: audit.jsonl
  tokens:
    - { name: reader, hash: %q, scopes: ["rules:read"] }
`, hash))
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t), dir: filepath.Dir(path)}
	if _, said := c.does(t, 3, "", "rules", "ls"); !strings.Contains(said, "the server says") {
		t.Error(said)
	}
	c.env = []string{"CEPHEUS_TOKEN=s3cret"}
	c.does(t, 0, "", "rules", "ls")
	if _, said := c.does(t, 3, eventLine(1), "events", "push", "-"); !strings.Contains(said, "events:write") {
		t.Error(said)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "audit.jsonl"))
	if err != nil || !bytes.Contains(text, []byte("reader")) || bytes.Contains(text, []byte("s3cret")) {
		t.Errorf("audit log: %v\n%s", err, text)
	}
	if said := p.messages.String(); strings.Contains(said, "s3cret") {
		t.Errorf("the token is shown:\n%s", said)
	}
}

// TestAddressesThatCannotBeServed are wrong usage, before anything is read.
func TestAddressesThatCannotBeServed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	rules := rulesFile(t)
	for address, want := range map[string]string{
		taken.Addr().String(): "address already in use",
		"0.0.0.0:0":           "open to the network",
		"nowhere":             "127.0.0.1:8080",
	} {
		p := start(t, "run", "--rules", rules, "--listen", address)
		p.ends(t, 2)
		if said := p.messages.String(); !strings.Contains(said, want) {
			t.Errorf("%s: it says\n%s", address, said)
		}
	}
}

// TestRunByFlagsEndsWithItsInputs: the API is beside it, and takes no events.
func TestRunByFlagsEndsWithItsInputs(t *testing.T) {
	p := start(t, "run", "--rules", rulesFile(t), "--listen", "127.0.0.1:0", "--input", "-")
	at := p.address(t)
	answer, err := http.Post(at+"/v1/events", "application/json", strings.NewReader(eventLine(1)))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("%s: %s", answer.Status, text)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/status"} {
		answer, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	p.send(t, 1)
	p.in.Close()
	p.ends(t, 0)
}

// TestRulesChangeUnderLoad: events come over HTTP while rules are swapped; of the rule that
// does not change each event alerts once.
func TestRulesChangeUnderLoad(t *testing.T) {
	const events, swaps = 5000, 20
	path := configOf(t, `
rules: [r.cep]
state: { dir: data, commit: 20ms }
sources: { in: { http: {}, type: e } }
sinks: { log: { file: { path: alerts.jsonl } } }
api: { listen: 127.0.0.1:0 }
`)
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t), dir: filepath.Dir(path)}
	var lines strings.Builder
	for n := range events {
		lines.WriteString(`{"at":"2026-01-01T00:00:00Z","key":"k","n":` + strconv.Itoa(n+1) + "}\n")
	}
	pushed := make(chan error, 1)
	go func() {
		for batch := range slices.Chunk(strings.SplitAfter(strings.TrimSpace(lines.String()), "\n"), 100) {
			answer, err := http.Post(c.server+"/v1/events?wait=commit", "application/x-ndjson", strings.NewReader(strings.Join(batch, "")))
			if err == nil && answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("events: %s", answer.Status)
			}
			if err != nil {
				pushed <- err
				return
			}
			answer.Body.Close()
		}
		pushed <- nil
	}()
	for n := range swaps {
		body := fmt.Sprintf("rule other { from e where n < 0 and n > %d emit { m: n } }", n)
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.server+"/v1/rules/other.cep", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("If-Match", "*")
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		if answer.Body.Close(); answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", answer.Status, text)
		}
	}
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	got := slices.DeleteFunc(seen(t, path), func(n int) bool { return n == 0 })
	slices.Sort(got)
	if want := upTo(events); !slices.Equal(got, want) {
		t.Errorf("%d alerts of %d events", len(got), events)
	}
}

// TestAKillBetweenChanges: what the answer to a change has said is so after a kill right behind it,
// the version and the rule that runs, and a match of another rule, begun before it, ends after it.
func TestAKillBetweenChanges(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	args := []string{"run", "--rules", rules, "--listen", "127.0.0.1:0", "--state", dir, "--commit", "10ms"}
	c := &client{dir: filepath.Dir(rules)}
	more := filepath.Join(c.dir, "more.txt")
	at := 0
	push := func(key string, n int) {
		t.Helper()
		at++
		c.does(t, 0, fmt.Sprintf(`{"type":"e","at":"2026-01-01T00:00:%02dZ","key":%q,"n":%d}`+"\n", at, key, n), "events", "push", "-", "--wait")
	}
	p := start(t, args...)
	c.server = p.address(t)
	seen := map[string]bool{} // what was delivered before a kill may come once more
	gives := func(rules ...string) {
		t.Helper()
		var got []string
		for len(got) < len(rules) {
			var a struct{ ID, Rule string }
			if line := p.line(t); json.Unmarshal([]byte(line), &a) != nil {
				t.Fatalf("no alert: %s", line)
			}
			if !seen[a.ID] {
				got, seen[a.ID] = append(got, a.Rule), true
			}
		}
		if !slices.Equal(got, rules) {
			t.Fatalf("alerts of %v, want %v", got, rules)
		}
	}
	for round, above := range []int{990, 500, 990, 500} {
		key := fmt.Sprint("k", round)
		push(key, 1)
		gives("event_seen")
		if err := os.WriteFile(more, fmt.Appendf(nil, "rule high { from e where n > %d  emit { n: n } }\n", above), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := c.does(t, 0, "", "rules", "put", more, "--name", "more.cep")
		p.Process.Kill()
		io.Copy(io.Discard, p.out)
		p.Wait()
		p = start(t, args...)
		c.server = p.address(t)
		versions, _ := c.does(t, 0, "", "rules", "ls", "--versions")
		if want := fmt.Sprint(round + 2); !strings.Contains(out, "version "+want+" is in service") || !strings.Contains(versions, "\n"+want+" ") || strings.Contains(versions, "\n"+fmt.Sprint(round+3)+" ") {
			t.Fatalf("it said\n%sand after the kill there are\n%s", out, versions)
		}
		if push(key, 700); above < 700 {
			gives("event_seen", "high")
		} else {
			gives("event_seen")
		}
		push(key, 2)
		gives("event_seen", "pair")
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestReadinessOfARun: one that waits for a sink says for which, and goes on when it takes
// alerts again.
func TestReadinessOfARun(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer hook.Close()
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 5ms }
sources: { in: { http: {}, type: e } }
sinks: { hook: { webhook: { url: %q }, backlog: { alerts: 1 }, retry: { initial: 1ms, max: 1ms }, breaker: { failures: 1, open: 10ms } } }
api: { listen: 127.0.0.1:0 }
`, hook.URL))
	p := start(t, "run", "-c", path)
	at := p.address(t)
	eventually(t, "it is ready", func() bool { return status(t, at+"/readyz") == "200 OK" })
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := range 4 {
		wg.Go(func() { // an epoch each; the last ones wait
			if answer, err := http.Post(at+"/v1/events", "application/json", strings.NewReader(eventLine(n))); err == nil {
				answer.Body.Close()
			}
		})
	}
	eventually(t, "it is ready no more", func() bool {
		return strings.HasPrefix(status(t, at+"/readyz"), "503") && strings.Contains(body(t, at+"/metrics"), "cepheus_ready 0")
	})
	if said := body(t, at+"/readyz"); !strings.Contains(said, "too many alerts wait for the sink hook") {
		t.Errorf("it says %s", said)
	}
	if got := status(t, at+"/healthz"); got != "200 OK" {
		t.Errorf("alive: %s", got)
	}
	away.Store(false)
	eventually(t, "it is ready again", func() bool { return status(t, at+"/readyz") == "200 OK" })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

func status(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Status
}

func body(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLogsAreText or JSON, from a level on, by flags before the configuration.
func TestLogsAreText(t *testing.T) {
	const served = "the API is served"
	for name, c := range map[string]struct {
		file  string
		flags []string
		want  string // of the line; empty: there is none
	}{
		"as it is":           {"", nil, `level=INFO msg="` + served + `"`},
		"by the file":        {"log: { format: json }", nil, `"level":"INFO","msg":"` + served + `"`},
		"by a flag":          {"log: { level: error }", []string{"--log-format", "json", "--log-level", "info"}, `"level":"INFO","msg":"` + served + `"`},
		"what matters alone": {"log: { level: warn }", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := configOf(t, "rules: [r.cep]\nsources: { in: { stdin: {} } }\napi: { listen: 127.0.0.1:0 }\n"+c.file+"\n")
			p := start(t, append([]string{"run", "-c", path}, c.flags...)...)
			p.send(t, 1)
			p.in.Close()
			p.ends(t, 0)
			if said := p.messages.String(); !strings.Contains(said, c.want) || c.want == "" && strings.Contains(said, served) {
				t.Errorf("want %q in\n%s", c.want, said)
			}
		})
	}
}
