package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/cepheus-cep/cepheus/test/servers"
)

// What deploy has for those who watch an engine.
const (
	alertsFile     = "../../deploy/prometheus/alerts.yml"
	alertTestsFile = "../../deploy/prometheus/alerts_test.yml"
	scrapesFile    = "../../deploy/prometheus/prometheus.yml"
	dashboardFile  = "../../deploy/grafana/cepheus.json"
	operatePage    = "../../docs/operate.md"
)

// watched is an engine that has of everything a little: a topic, events over HTTP, alerts, a
// sink that refuses.
func watched(t *testing.T) (at string) {
	t.Helper()
	b := startBroker(t, 1)
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 5ms }
sources:
  pay: { kafka: { brokers: [%q], topics: [payments], wait: 50ms }, type: e, idle: 50ms }
  in: { http: {}, type: e, idle: 50ms }
sinks:
  log: { file: { path: alerts.jsonl } }
  away: { webhook: { url: "http://127.0.0.1:9/" }, breaker: { failures: 1 } }
api: { listen: 127.0.0.1:0 }
`, b.ListenAddrs()[0]))
	p := start(t, "run", "-c", path)
	at = p.address(t)
	t.Cleanup(func() { p.Wait() }) // the end of the test's context kills it
	b.send(t, 2, 1)
	eventually(t, "events are taken over HTTP", func() bool {
		answer, err := http.Post(at+"/v1/events?wait=commit", "application/json", strings.NewReader(eventLine(9)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	eventually(t, "alerts are delivered", func() bool {
		return regexp.MustCompile(`cepheus_sink_delivered_total\{sink="log"\} [1-9]`).MatchString(body(t, at+"/metrics"))
	})
	return at
}

// scraped are the names of the series that an engine shows.
func scraped(t *testing.T, at string) map[string]bool {
	t.Helper()
	names := map[string]bool{"up": true}
	for line := range strings.Lines(body(t, at+"/metrics")) {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names
}

// dashboard is what is read of ours.
type dashboard struct {
	Templating struct {
		List []struct {
			Name  string
			Type  string
			Query any
		}
	}
	Annotations struct{ List []struct{ Expr string } }
	Panels      []struct {
		ID      int
		Type    string
		Title   string
		Targets []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are all that the dashboard asks, by the titles of its panels.
func (d dashboard) queries() (all [][2]string) {
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, [2]string{p.Title, q.Expr})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, [2]string{"annotations", a.Expr})
	}
	return all
}

// alertRule is one of ours.
type alertRule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlerts(t *testing.T) (all []alertRule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alertRule } }
	text, err := os.ReadFile(alertsFile)
	if err == nil {
		err = yaml.Unmarshal(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// metric finds names of series in a query.
var metric = regexp.MustCompile(`\b(?:cepheus|go|process)_[a-z_]+|\bup\b`)

// TestWhatIsWatchedIsThere: every series that the dashboard and the alerts ask for is one that
// a running engine has, and the documents tell of every one that is ours.
func TestWhatIsWatchedIsThere(t *testing.T) {
	there := scraped(t, watched(t))
	asked := readDashboard(t).queries()
	if len(asked) < 20 {
		t.Fatalf("found %d queries: this test looks in the wrong place", len(asked))
	}
	for _, a := range readAlerts(t) {
		asked = append(asked, [2]string{a.Alert, a.Expr})
	}
	for _, q := range asked {
		names := metric.FindAllString(q[1], -1)
		if len(names) == 0 {
			t.Errorf("%s: no metric in %s", q[0], q[1])
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s: no engine has %s", q[0], name)
			}
		}
	}
	var pages string
	for _, page := range []string{operatePage, "../../docs/api.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		pages += string(text)
	}
	for name := range there {
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "cepheus_") && !strings.Contains(pages, "`"+family+"`") {
			t.Errorf("docs/operate.md does not tell of %s", family)
		}
	}
}

// TestAlertsHaveTheirRunbook: each names a heading of the page, which tells what to do.
func TestAlertsHaveTheirRunbook(t *testing.T) {
	page, err := os.ReadFile(operatePage)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range readAlerts(t) {
		if want := "docs/operate.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want || !strings.Contains(string(page), "\n### "+a.Alert+"\n") {
			t.Errorf("%s: runbook %q, want %q and that heading", a.Alert, a.Annotations["runbook"], want)
		}
		if a.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning"}, a.Labels["severity"]) {
			t.Errorf("%s: without summary, or of severity %q", a.Alert, a.Labels["severity"])
		}
	}
}

// TestPromtoolTakesTheAlerts, and what they say of made-up series.
func TestPromtoolTakesTheAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", alertTestsFile}, {"check", "config", scrapesFile}} {
		if said, err := servers.Promtool(t, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

// TestPrometheusScrapes a running engine, has its series, evaluates our alerts, and answers
// what the dashboard asks.
func TestPrometheusScrapes(t *testing.T) {
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	engine := watched(t)
	prom := servers.StartPrometheus(t, fmt.Sprintf(`
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [%q]
scrape_configs: [{ job_name: cepheus, static_configs: [{ targets: [%q] }] }]
`, rules, strings.TrimPrefix(engine, "http://")))
	ask := func(path string, into any) {
		t.Helper()
		answer, err := http.Get(prom.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode == http.StatusOK {
			err = json.Unmarshal(text, into)
		}
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v\n%s", path, answer.Status, err, text)
		}
	}
	type result struct {
		Data struct {
			Result []struct{ Value []any }
		}
	}
	query := func(q string) (r result) {
		t.Helper()
		ask("/api/v1/query?query="+url.QueryEscape(q), &r)
		return r
	}
	eventually(t, "the engine is up", func() bool {
		r := query(`up{job="cepheus"}`).Data.Result
		return len(r) == 1 && r[0].Value[1] == "1"
	})
	for _, q := range []string{"cepheus_records_total > 0", `cepheus_sink_delivered_total{sink="log"} > 0`, "cepheus_watermark_lag_seconds", "cepheus_ready == 1"} {
		eventually(t, q, func() bool { return len(query(q).Data.Result) > 0 })
	}
	for _, q := range readDashboard(t).queries() {
		query(strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*").Replace(q[1]))
	}
	eventually(t, "the alerts are evaluated", func() bool {
		var r struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		ask("/api/v1/rules?type=alert", &r)
		n := 0
		for _, g := range r.Data.Groups {
			for _, rule := range g.Rules {
				if rule.Health == "err" {
					t.Fatalf("%s: %s", rule.Name, rule.LastError)
				}
				if rule.Health == "ok" {
					n++
				}
			}
		}
		return n == len(readAlerts(t))
	})
	eventually(t, "the alert of the sink that does not answer waits for its time", func() bool {
		return len(query(`ALERTS{alertname="CepheusSinkBreakerOpen", sink="away"}`).Data.Result) == 1
	})
}
