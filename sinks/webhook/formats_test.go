package webhook

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

var update = flag.Bool("update", false, "write what is made of the alerts to testdata")

func formats(t testing.TB) map[string]Format {
	t.Helper()
	own, err := NewTemplate(`{"text": {{json .Title}}, "in the middle": "<{{jsontext .Fields.text}}>", "n": {{len .Alerts}}, "group": {{json .Group}}, "events": {{json .Events}}, "at": {{unix .Time}}, "tags": {{join ", " .Tags | upper | json}}, "none": {{index .Labels "none" | default "-" | json}}}`, true, 5)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Format{
		"slack": Slack{}, "teams": Teams{}, "discord": Discord{}, "pagerduty": PagerDuty{"R0UT1NG"}, "opsgenie": Opsgenie{},
		"alertmanager": Alertmanager{}, "template": own,
	}
}

func parsed(t testing.TB, rows []sinks.Row) (all []*sinks.Alert) {
	t.Helper()
	for _, r := range rows {
		a, err := sinks.ParseAlert(r.Alert)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// TestFormatsAreThoseOfTestdata: what two alerts of a group become; -update writes it.
func TestFormatsAreThoseOfTestdata(t *testing.T) {
	for name, f := range formats(t) {
		t.Run(name, func(t *testing.T) {
			body, err := f.Body(parsed(t, sinktest.Rows(min(2, f.Most()))), `rule="card_testing"`)
			if err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			if err := json.Indent(&shown, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, append(shown.Bytes(), '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), shown.String()+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFormatsKeepWithinBounds, whatever alerts hold.
func TestFormatsKeepWithinBounds(t *testing.T) {
	all := formats(t)
	delete(all, "template")
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<!channel>", "@everyone", "[x](http://evil)", `"\`, strings.Repeat("é", 7000)}))
		var alerts []*sinks.Alert
		for i := range rapid.IntRange(1, 60).Draw(r, "alerts") {
			a := &sinks.Alert{ID: fmt.Sprint(i), Rule: word.Draw(r, "rule"), Title: word.Draw(r, "title"), Severity: "high", Time: time.Unix(1e9, 0), Runbook: word.Draw(r, "runbook")}
			a.Tags = rapid.SliceOfN(word, 0, 3).Draw(r, "tags")
			a.Fields, a.Key = map[string]any{}, map[string]any{}
			for range rapid.IntRange(0, 4).Draw(r, "fields") {
				a.Fields[word.Draw(r, "name")] = word.Draw(r, "value")
				a.Key[word.Draw(r, "part")] = json.Number("7")
			}
			alerts = append(alerts, a)
		}
		for name, f := range all {
			body, err := f.Body(alerts[:min(len(alerts), f.Most())], word.Draw(r, "group"))
			if err != nil || !json.Valid(body) {
				r.Fatalf("%s: %v, %.300s", name, err, body)
			}
			if name == "teams" && len(alerts) == 1 && len(body) > 28<<10 {
				r.Errorf("a card of %d bytes", len(body))
			}
			if bytes.Contains(body, []byte("<!channel>")) && name == "slack" || bytes.Contains(body, []byte(`[x](http`)) && name == "teams" {
				r.Errorf("%s: an event's text has a meaning: %s", name, body)
			}
			if name == "discord" {
				checkDiscord(r, body)
			}
		}
	})
}

func checkDiscord(r *rapid.T, body []byte) {
	var m struct {
		Content string `json:"content"`
		Embeds  []struct {
			Title  string                         `json:"title"`
			Fields []struct{ Name, Value string } `json:"fields"`
			Footer struct{ Text string }          `json:"footer"`
		} `json:"embeds"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		r.Fatal(err)
	}
	n := 0
	for _, e := range m.Embeds {
		n += utf8.RuneCountInString(e.Title + e.Footer.Text)
		for _, f := range e.Fields {
			n += utf8.RuneCountInString(f.Name + f.Value)
			if f.Value == "" {
				r.Error("an empty value")
			}
		}
	}
	if n > 6000 || len(m.Embeds) > 10 || utf8.RuneCountInString(m.Content) > 2000 {
		r.Errorf("%d characters in %d embeds, %d above them", n, len(m.Embeds), utf8.RuneCountInString(m.Content))
	}
}

// TestFormatsAreSentInParts: a receiver gets each alert, and no more at once than it takes.
func TestFormatsAreSentInParts(t *testing.T) {
	for name, f := range formats(t) {
		t.Run(name, func(t *testing.T) {
			var sent, requests int
			k := &receiver{fault: func(n int, w http.ResponseWriter, _ *http.Request, body string) bool {
				if n == 2 { // as Discord asks for patience
					w.Header().Set("Retry-After", "0.005")
					w.WriteHeader(http.StatusTooManyRequests)
					return true
				}
				requests++
				sent += strings.Count(body, "is <tested>") + strings.Count(body, "is &lt;tested&gt;")
				return false
			}}
			s := serve(t, k, Options{Format: f, Batch: 1000})
			if got := sinktest.Deliver(t, s, sinks.Delivery{}, sinktest.Alerts(120)); got.Err != nil || len(got.Dead) != 0 || got.Stats.Delivered != 120 {
				t.Fatalf("%+v", got)
			}
			if want := (120 + f.Most() - 1) / f.Most(); requests != want || sent < 24 {
				t.Errorf("%d requests with %d titles, want %d", requests, sent, want)
			}
		})
	}
}

// TestAlertThatATemplateCannotWriteIsDead, and the others arrive.
func TestAlertThatATemplateCannotWriteIsDead(t *testing.T) {
	for text, why := range map[string]string{
		`[{{range $i, $a := .Alerts}}{{if $i}},{{end}}{{json .Fields.n}}{{end}}]`: `no entry for key "n"`,
		`[{{range $i, $a := .Alerts}}{{if $i}},{{end}}{{.Fields.m}}{{end}}]`:      "no JSON",
	} {
		f, err := NewTemplate(text, true, 3)
		if err != nil {
			t.Fatal(err)
		}
		k := &receiver{}
		s := serve(t, k, Options{Format: f, Batch: 10})
		got := sinktest.Deliver(t, s, sinks.Delivery{}, sinktest.Outbox{
			`{"id":"1","fields":{"n":1,"m":1}}`, `{"id":"2","fields":{"m":"x y"}}`, `{"id":"3","fields":{"n":3,"m":3}}`,
		})
		if got.Err != nil || len(got.Dead) != 1 || !strings.Contains(got.Dead[2], why) || got.Stats.Delivered != 2 {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for _, text := range []string{"{{", "{{nothing .}}"} {
		if _, err := NewTemplate(text, true, 1); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
	endless, err := NewTemplate(`{{define "x"}}{{range .Alerts}}xxxxxxxxxxxxxxxx{{end}}{{template "x" .}}{{end}}{{template "x" .}}`, false, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Body(parsed(t, sinktest.Rows(1)), ""); err == nil {
		t.Error("a template without an end was written")
	}
}

// TestAlertmanagerTakesAlerts is against a real one.
func TestAlertmanagerTakesAlerts(t *testing.T) {
	am := servers.StartAlertmanager(t)
	s := open(t, am.URL()+"/api/v2/alerts", Options{Format: Alertmanager{}, Batch: 50})
	box := sinktest.Alerts(7) // one a card
	box[0] = strings.Replace(box[0], `"key":{"card":"c1"}`, `"key":{"a b":"x","card":"é\""}`, 1)
	if got := sinktest.Deliver(t, s, sinks.Delivery{}, box); got.Err != nil || got.Stats.Delivered != 7 || len(got.Dead) != 0 {
		t.Fatalf("%+v", got)
	}
	resp, err := http.Get(am.URL() + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var there []struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(text, &there); err != nil || len(there) != 7 {
		t.Fatalf("%v: %s", err, text)
	}
	odd := 0
	for _, a := range there {
		if a.Labels["alertname"] != "card_testing" || a.Labels["severity"] != "high" || a.Annotations["runbook_url"] == "" {
			t.Errorf("%+v", a)
		}
		if a.Labels["a_b"] == "x" && a.Labels["card"] == `é"` {
			odd++
		}
	}
	if odd != 1 {
		t.Errorf("%d alerts with an odd key: %s", odd, text)
	}
	am.Stop(t)
	done := make(chan sinktest.Result)
	go func() { done <- sinktest.Deliver(t, s, sinks.Delivery{}, sinktest.Alerts(3)) }()
	time.Sleep(50 * time.Millisecond) // while it is down
	am.Start(t)
	if got := <-done; got.Err != nil || got.Stats.Delivered != 3 || got.Stats.Retries == 0 {
		t.Errorf("after it was down: %+v", got)
	}
}
