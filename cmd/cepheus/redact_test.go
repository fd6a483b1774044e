package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// secretCard and secretPIN must be in nothing that leaves a run; the state folder has them.
const (
	secretCard = "4111-2222-3333"
	secretPIN  = "9073519"
)

const secretRules = `
event payment (time: at, lateness: 0s, late: drop) { at time  card string  pin int  amount float }
table usual by card from payment { n: count()  last_card: last(card) }
rule each { from payment by card emit { who: card, before: usual[card].last_card } }
rule twice { by card match a: payment -> b: payment[amount > 1000] within 1h emit { who: a.card } }
rule window { from payment by card window sliding 1h emit { n: count(), who: last(card) } }
rule faulty { from payment emit { took: duration(card) } }
rule failing { from payment emit { told: repeat("x", -pin) } }
rule would { mode shadow from payment by card emit { who: card } }
`

const secretConfig = `
rules: [r.cep]
state: { dir: data, commit: 10ms }
sources: { api: { http: {} } }
sinks: { console: { stdout: {} }, kept: { file: { path: alerts.jsonl } } }
dead_letter: { file: { dir: dead } }
api: { listen: "127.0.0.1:0" }
redact: { key: "0123456789abcdef0123", types: { payment: [card, pin, note] } }
`

func secretPayment(second int) string {
	return fmt.Sprintf(`{"type":"payment","at":"2026-01-01T00:00:%02dZ","card":%q,"pin":%s,"note":"late","amount":%d}`, second, secretCard, secretPIN, second)
}

// TestATypeThatGoesIsNoLongerRedacted, which is told when the rules change, and not again while it is so.
func TestATypeThatGoesIsNoLongerRedacted(t *testing.T) {
	const config = `
rules: [r.cep]
sources: { api: { http: {}, type: e } }
api: { listen: "127.0.0.1:0" }
redact: { key: "0123456789abcdef0123", types: { f: [card] } }
`
	path := configOf(t, config)
	rules := filepath.Join(filepath.Dir(path), "r.cep")
	with := processRules + "event f (time: at) { at time  card string }\n"
	rewrite(t, rules, with)
	p := start(t, "run", "-c", path)
	p.address(t)
	told := func() int {
		return strings.Count(p.messages.String(), "redact names event types that no rule file declares")
	}
	swap := func(text string, version int) {
		t.Helper()
		rewrite(t, rules, text)
		p.Process.Signal(syscall.SIGHUP)
		eventually(t, "the change is in service", func() bool {
			return strings.Contains(get(t, p.address(t)+"/v1/rules"), fmt.Sprintf(`"version":%d`, version))
		})
	}
	if n := told(); n != 0 {
		t.Errorf("told %d times at the start", n)
	}
	swap(processRules, 2)
	swap(processRules+"rule more { from e emit { n: n } }\n", 3)
	swap(with, 4)
	swap(processRules, 5)
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if n := told(); n != 2 || !strings.Contains(p.messages.String(), "types=f") {
		t.Errorf("told %d times, want 2, once for each time that it went:\n%s", n, p.messages.String())
	}
}

// waysOut are those of a server: every route of its document that gives something, asked as far
// as is known how, so that a new one is asked too.
func waysOut(t *testing.T, server string) map[string]string {
	t.Helper()
	doc := struct {
		Paths map[string]map[string]struct{ Parameters []struct{ Name string } }
	}{}
	if err := json.Unmarshal([]byte(get(t, server+"/openapi.json")), &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for path, methods := range doc.Paths {
		route, is := methods["get"]
		if !is || strings.HasPrefix(path, "/debug/") {
			continue
		}
		var most []string
		for _, p := range route.Parameters {
			switch p.Name {
			case "limit":
				most = append(most, "limit=1000")
			case "all", "text":
				most = append(most, p.Name+"=true")
			}
		}
		for _, asked := range questions(path, "?"+strings.Join(most, "&")) {
			out["GET "+asked] = get(t, server+asked)
		}
	}
	return out
}

// questions are the ways to ask a route.
func questions(path, most string) []string {
	switch path {
	case "/v1/explain":
		var all []string
		for _, rule := range []string{"each", "twice", "window"} {
			all = append(all, path+"?rule="+rule+"&key="+secretCard)
		}
		return all
	case "/v1/tables/{name}/{key}":
		return []string{"/v1/tables/usual/" + secretCard}
	case "/v1/rules/{name}/status":
		return []string{"/v1/rules/each/status", "/v1/rules/faulty/status"}
	case "/v1/alerts/stream":
		return []string{path + "?after=0"}
	}
	return []string{strings.ReplaceAll(path, "{name}", "r.cep") + most}
}

// get reads an answer, of a stream what comes within a moment.
func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if strings.Contains(url, "/stream") {
		time.AfterFunc(500*time.Millisecond, cancel)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body) // as far as it came
	return string(text)
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	answer, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusTooManyRequests { // the engine has not begun to read
		time.Sleep(20 * time.Millisecond)
		return post(t, url, body)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s: %s, %v: %s", url, answer.Status, err, text)
	}
	return string(text)
}

// TestNothingSecretLeavesARun asks a run by every way out that there is.
func TestNothingSecretLeavesARun(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "r.cep"), secretRules)
	writeFile(t, filepath.Join(dir, "cepheus.yaml"), secretConfig)
	p := start(t, "run", "-c", filepath.Join(dir, "cepheus.yaml"))
	server := p.address(t)
	for _, e := range []string{
		secretPayment(10), secretPayment(20),
		secretPayment(5), // late
		`{"type":"x","card":"` + secretCard + `"}`, // of no type
		`{"type":"payment","at":"no time","card":"` + secretCard + `"}`,
	} {
		post(t, server+"/v1/events?wait=commit", e)
	}
	out := waysOut(t, server)
	try, err := json.Marshal(map[string]any{"events": []json.RawMessage{json.RawMessage(secretPayment(1)), json.RawMessage(secretPayment(2))}})
	if err != nil {
		t.Fatal(err)
	}
	out["try"] = post(t, server+"/v1/rules:try", string(try))
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stdout, _ := io.ReadAll(p.out)
	_ = p.Wait()
	out["standard output"], out["log"] = string(stdout), p.messages.String()
	for name, path := range map[string]string{"file sink": "alerts.jsonl", "dead letters": "dead/dead-letters.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	for name, text := range out {
		for _, secret := range []string{secretCard, secretPIN} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows it: …%s…", name, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
	if !strings.Contains(out["dead letters"], `"kind":"late"`) { // though a value of the letter is a word of the reason
		t.Errorf("the late record is none among the dead letters: %s", out["dead letters"])
	}
	for _, name := range []string{"standard output", "file sink", "dead letters", "try", "GET /v1/shadows?limit=1000", "GET /v1/alerts?limit=1000", "GET /v1/alerts/stream?after=0"} {
		if !strings.Contains(out[name], "redacted-") {
			t.Errorf("nothing redacted is in %s: %s", name, out[name])
		}
	}
	if len(findText(t, filepath.Join(dir, "data"), secretCard)) == 0 {
		t.Error("the state does not have it either: the test shows nothing")
	}
}

// findText returns the files below a folder in which a text stands.
func findText(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
