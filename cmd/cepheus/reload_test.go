package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestAReloadTellsTheTruth: what cannot change in a run is named, key by key, and does not; a
// configuration that would not start is refused whole, with the rules beside it.
func TestAReloadTellsTheTruth(t *testing.T) {
	const config = `
rules: [r.cep]
rules_watch: false
state: { dir: data, commit: 10ms }
sources: { in: { http: {}, type: e } }
sinks:
  log: { file: { path: alerts.jsonl } }
api: { listen: "127.0.0.1:0" }
`
	path := configOf(t, config)
	rules := filepath.Join(filepath.Dir(path), "r.cep")
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t)}
	reload := func(text string) (status int, said string) {
		t.Helper()
		rewrite(t, path, text)
		a, err := http.Post(c.server+"/v1/config:reload", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, _ := io.ReadAll(a.Body)
		var told struct{ Told []string }
		if json.Unmarshal(body, &told) == nil && told.Told != nil {
			return a.StatusCode, strings.Join(told.Told, "; ")
		}
		return a.StatusCode, string(body)
	}
	const same = "changed: nothing has changed; version 1 of the rules is in service"
	for _, step := range []struct {
		text   string
		status int
		want   string
	}{
		{config, 200, same},
		{strings.Replace(config, "alerts.jsonl", "other.jsonl", 1), 200, same + "; needs a restart: sinks.log.file.path"},
		{config + "routing: { routes: [{ match: { rules: [pair] }, sinks: [log] }] }\nlimits: { runs_per_key: 7 }\n", 200, same + "; needs a restart: limits.runs_per_key, routing"},
		{config + "traces: { ratio: 0.5, headers: { a: hunter2 } }\n", 200, same + "; needs a restart: traces"},
		{config + "traces: { endpoint: 'otel:4318' }\n", 422, "traces.endpoint: is no URL"},
		{strings.Replace(config, "type: e }", "type: nothing }", 1), 422, "no rule file declares the event type"},
		{strings.Replace(config, "type: e }", "typ: e }", 1), 422, "typ"},
		{strings.Replace(config, "[r.cep]", "[none.cep]", 1), 422, "none.cep"},
		{config, 200, same},
	} {
		status, said := reload(step.text)
		if status != step.status || status == 200 && said != step.want || !strings.Contains(said, step.want) {
			t.Errorf("after\n%s\nit answers %d %s\nwant %d %s", step.text, status, said, step.status, step.want)
		}
	}

	// Rules that are good beside a configuration that is not: neither is taken.
	rewrite(t, rules, strings.Replace(processRules, "from e\n", "from e where n > 5\n", 1))
	if status, said := reload(strings.Replace(config, "type: e }", "type: nothing }", 1)); status != 422 {
		t.Errorf("status %d: %s", status, said)
	}
	c.does(t, 0, eventLine(1), "events", "push", "-", "--wait")
	// A type that the rules beside it declare.
	rewrite(t, rules, processRules+"event f (time: at) { at time }\n")
	if status, said := reload(strings.Replace(config, "type: e }", "type: f }", 1)); status != 200 || said != "changed: rules; version 2 of the rules is in service; needs a restart: sources.in.type" {
		t.Errorf("status %d: %s", status, said)
	}
	c.does(t, 0, eventLine(2), "events", "push", "-", "--wait")
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if got := slices.DeleteFunc(seen(t, path), func(n int) bool { return n == 0 }); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("alerts of %v went where the configuration said at the start, want 1 and 2", got)
	}
}
