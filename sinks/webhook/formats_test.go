package webhook

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

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

// TestFormatsKeepWithinBounds, whatever alerts hold: what a service would refuse is cut.
func TestFormatsKeepWithinBounds(t *testing.T) {
	all := formats(t)
	delete(all, "template")
	checks := map[string]func(r *rapid.T, body []byte){
		"slack": checkSlack, "teams": checkTeams, "discord": checkDiscord, "pagerduty": checkPagerDuty, "opsgenie": checkOpsgenie, "alertmanager": checkAlertmanager,
	}
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"", " ", "<!channel>", "@everyone", "[x](http://evil)", `"\`, "https://wiki.example/a?b=c&d=<e>|f", "https://wiki.example/" + strings.Repeat("x", 3000),
			"https://wiki.example/how to?a=b c", "https://wiki.example/" + strings.Repeat("é", 450), "https://:443/", `say "hello_*[`,
			strings.Repeat("é", 7000), strings.Repeat("&", 7000), strings.Repeat("😀", 3000), strings.Repeat("\x01", 7000), strings.Repeat("[", 7000), strings.Repeat("x", 300_000),
		}))
		var alerts []*sinks.Alert
		for i := range rapid.IntRange(1, 60).Draw(r, "alerts") {
			a := &sinks.Alert{ID: fmt.Sprint(i), Rule: "r" + strings.Repeat("x", rapid.IntRange(0, 300).Draw(r, "rule")), Title: word.Draw(r, "title"), Severity: "critical", Time: time.Unix(1e9, 0), Runbook: word.Draw(r, "runbook")}
			a.Tags = rapid.SliceOfN(word, 0, 30).Draw(r, "tags")
			a.Fields, a.Key = map[string]any{}, map[string]any{}
			for range rapid.IntRange(0, 50).Draw(r, "fields") {
				a.Fields[fmt.Sprint(len(a.Fields), word.Draw(r, "name"))] = word.Draw(r, "value")
			}
			a.Key[word.Draw(r, "part")] = json.Number("7")
			alerts = append(alerts, a)
		}
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(r, "format")
		body, err := all[name].Body(alerts[:min(len(alerts), all[name].Most())], word.Draw(r, "group"))
		if err != nil || !json.Valid(body) {
			r.Fatalf("%s: %v, %.300s", name, err, body)
		}
		checks[name](r, body)
	})
}

// TestNoEscapeIsCut in the middle: what is left of it would be shown, or escape what follows.
func TestNoEscapeIsCut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"abcdefgh_", `abcdefgh\_`}, {"abcdefghi_", "abcdefgh…"}, {"ab_c_d_e_f", `ab\_c\_d…`}, {"____", `\_\_\_\_`}, {"ab", "ab"},
	} {
		if got := discordEscape(c.text, 10); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// within wants a text of at most n characters, some of which can be seen.
func within(r *rapid.T, what, text string, n int) {
	if got := len(utf16.Encode([]rune(text))); got > n || strings.TrimSpace(text) == "" {
		r.Errorf("%s has %d characters, of at most %d: %.100q", what, got, n, text)
	}
}

func read(r *rapid.T, body []byte, into any) {
	if err := json.Unmarshal(body, into); err != nil {
		r.Fatal(err)
	}
}

func checkSlack(r *rapid.T, body []byte) {
	var m struct {
		Text   string
		Blocks []struct {
			Type string
			Text struct{ Text string }
		}
	}
	read(r, body, &m)
	within(r, "text", m.Text, 4000)
	for _, b := range m.Blocks {
		within(r, b.Type, b.Text.Text, map[string]int{"header": 150, "section": 3000}[b.Type])
		if b.Type == "section" && !strings.HasSuffix(b.Text.Text, " UTC>") {
			r.Errorf("the end is cut: %q", b.Text.Text)
		}
	}
	if len(m.Blocks) > 50 || bytes.Contains(body, []byte("<!channel>")) {
		r.Errorf("%d blocks, or a mention: %s", len(m.Blocks), body)
	}
}

func checkTeams(r *rapid.T, body []byte) {
	if len(body) > 28_000 || bytes.Contains(body, []byte(`[x](http`)) {
		r.Errorf("a card of %d bytes, or a link: %s", len(body), body)
	}
}

func checkDiscord(r *rapid.T, body []byte) {
	var m struct {
		Content string
		Embeds  []struct {
			Title, URL string
			Fields     []struct{ Name, Value string }
			Footer     struct{ Text string }
		}
	}
	read(r, body, &m)
	within(r, "content", m.Content, 2000)
	n := 0
	for _, e := range m.Embeds {
		within(r, "title", e.Title, 256)
		n += len(utf16.Encode([]rune(e.Title + e.Footer.Text)))
		for _, f := range e.Fields {
			within(r, "name", f.Name, 256)
			within(r, "value", f.Value, 1024)
			n += len(utf16.Encode([]rune(f.Name + f.Value)))
		}
		if u, err := url.Parse(e.URL); err != nil || e.URL != "" && u.Host == "" || len(e.URL) > 2048 {
			r.Errorf("the link %q: %v", e.URL, err)
		} else if e.URL != "" && (u.Hostname() == "" || strings.Contains(e.URL, " ")) {
			r.Errorf("the link %q is none that Discord takes", e.URL)
		}
	}
	if n > 6000 || len(m.Embeds) > 10 || bytes.Contains(body, []byte(`[x](http`)) {
		r.Errorf("%d characters in %d embeds, or a link", n, len(m.Embeds))
	}
}

func checkPagerDuty(r *rapid.T, body []byte) {
	var m struct {
		Payload struct{ Summary, Source string }
	}
	read(r, body, &m)
	within(r, "summary", m.Payload.Summary, 1024)
	within(r, "source", m.Payload.Source, 1024)
	if len(body) > 512_000 {
		r.Errorf("an event of %d bytes", len(body))
	}
}

func checkOpsgenie(r *rapid.T, body []byte) {
	var m struct {
		Message, Alias, Description, Entity string
		Tags                                []string
		Details                             map[string]string
	}
	read(r, body, &m)
	within(r, "message", m.Message, 130)
	within(r, "alias", m.Alias, 512)
	within(r, "entity", m.Entity+".", 513)
	within(r, "description", m.Description+".", 15_001)
	n := 0
	for name, value := range m.Details {
		n += len(utf16.Encode([]rune(name + value)))
	}
	for _, tag := range m.Tags {
		within(r, "tag", tag, 50)
	}
	if len(m.Tags) > 20 || n > 8000 {
		r.Errorf("%d tags, %d characters of details", len(m.Tags), n)
	}
}

// checkAlertmanager wants names that it takes; it has no bounds.
func checkAlertmanager(r *rapid.T, body []byte) {
	var all []struct{ Labels map[string]string }
	read(r, body, &all)
	for _, a := range all {
		for name := range a.Labels {
			if !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(name) {
				r.Errorf("the label %q", name)
			}
		}
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
