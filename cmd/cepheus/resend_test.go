package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestAlertsAreReplayedOverTheAPI: a receiver refused them, is mended, and gets them by
// POST /v1/dead-letters:replay. A file has one writer, and the answer says so.
func TestAlertsAreReplayedOverTheAPI(t *testing.T) {
	var good atomic.Bool
	came := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !good.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		text, _ := io.ReadAll(r.Body)
		came <- string(text)
	}))
	defer receiver.Close()
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 10ms }
sources: { in: { http: {}, type: e } }
sinks:
  hook: { webhook: { url: %q } }
dead_letter: { file: { dir: dead } }
api: { listen: "127.0.0.1:0" }
`, receiver.URL))
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t)}
	c.does(t, 0, eventLine(7), "events", "push", "-", "--wait")
	var page struct {
		Letters []struct{ ID, Kind, Source, Record string }
	}
	ask := func(method, path, body string, into any) int {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), method, c.server+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if err := json.NewDecoder(a.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
		return a.StatusCode
	}
	eventually(t, "an alert is with the dead letters", func() bool {
		ask("GET", "/v1/dead-letters", "", &page)
		return len(page.Letters) == 1
	})
	replay := fmt.Sprintf(`{"ids":[%q]}`, page.Letters[0].ID)
	var said struct {
		Detail   string
		Replayed []string
	}
	if status := ask("POST", "/v1/dead-letters:replay", replay, &said); status != 422 || !strings.Contains(said.Detail, "422") {
		t.Errorf("status %d: %+v", status, said)
	}
	good.Store(true)
	if status := ask("POST", "/v1/dead-letters:replay", replay, &said); status != 200 || len(said.Replayed) != 1 {
		t.Errorf("status %d: %+v", status, said)
	}
	if text := <-came; !strings.Contains(text, page.Letters[0].Record) && !strings.Contains(text, `"rule":"event_seen"`) {
		t.Errorf("the receiver has %s, and the letter was %s", text, page.Letters[0].Record)
	}
	page.Letters = nil
	if ask("GET", "/v1/dead-letters", "", &page); len(page.Letters) > 0 {
		t.Errorf("letters are left: %+v", page.Letters)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestSinksThatAreNotOpenedTwice have one writer, which is the run.
func TestSinksThatAreNotOpenedTwice(t *testing.T) {
	s := &served{p: &pipeline{sinks: []sinkFlag{{name: "stdout"}, {name: "f", path: "f"}}}}
	for name, want := range map[string]string{"stdout": "one writer", "f": "one writer", "none": "no sink none"} {
		if _, err := s.again(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
