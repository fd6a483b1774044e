package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestWebhookOfAConfiguration: its secrets reach the receiver, and no message.
func TestWebhookOfAConfiguration(t *testing.T) {
	var (
		mu     sync.Mutex
		asked  []string
		status = http.StatusNoContent
	)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	path := configOf(t, `
rules: [r.cep]
state: { dir: data }
sources: { in: { file: { paths: [events.jsonl] }, type: e } }
sinks:
  ops:
    webhook: { url: { file: url }, headers: { Authorization: "Bearer ${HOOK_TOKEN}" } }
    retry: { initial: 1ms, max: 2ms }
  all: { file: { path: alerts.jsonl } }
`)
	t.Setenv("HOOK_TOKEN", "t0ken")
	for name, text := range map[string]string{
		"url": s.URL + "/s3cret\n", "events.jsonl": `{"at":"2026-01-01T00:00:00Z","key":"k","n":1}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(code int) {
		mu.Lock()
		defer mu.Unlock()
		status = code
	}
	runs := func(code int) string {
		t.Helper()
		p := start(t, "run", "-c", path)
		p.ends(t, code)
		if got := p.messages.String(); strings.Contains(got, "s3cret") || strings.Contains(got, "t0ken") {
			t.Errorf("a secret is shown:\n%s", got)
		}
		return p.messages.String()
	}
	answer(http.StatusNotFound) // not the receiver that was meant
	if said := runs(exitFailed); !strings.Contains(said, "sink ops: deliver 1 alerts: http://127.0.0.1:") {
		t.Errorf("said\n%s", said)
	}
	answer(http.StatusNoContent)
	runs(exitWell)
	mu.Lock()
	defer mu.Unlock()
	if want := "/s3cret Bearer t0ken"; len(asked) != 2 || asked[1] != want {
		t.Errorf("asked %q, want %q at last", asked, want)
	}
	if n := len(seen(t, path)); n != 1 {
		t.Errorf("%d alerts in the file, want 1: the other sink has what it has", n)
	}
}
