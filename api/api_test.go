package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	"github.com/cepheus-cep/cepheus/sinks/route"
	httpsource "github.com/cepheus-cep/cepheus/sources/http"
	"github.com/cepheus-cep/cepheus/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	declared = "event e (time: at(s)) { at int  n int  who string }\n"
	over10   = "rule over {\n  from e where n > 10\n  by who\n  emit { n: n }\n}\n"
)

// rig is the API over a service over an engine that runs.
type rig struct {
	t      testing.TB
	s      *Server
	rules  *service.Service
	queue  *httpsource.Queue
	recent *Recent
	letter *deadletter.Box
	bury   func(deadletter.Letter) error
	audit  string
	who    string // token
}

func start(t testing.TB, more func(*Options)) *rig { t.Helper(); return startKeeping(t, nil, more) }

// startKeeping is start of an engine that keeps the last records.
func startKeeping(t testing.TB, kept *engine.Recent, more func(*Options)) *rig {
	t.Helper()
	store, err := state.OpenBadger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	rules, messages, err := service.Open(t.Context(), service.Options{Store: store, Past: somePast})
	if err != nil {
		t.Fatal(err, messages)
	}
	outbox, err := state.OpenOutbox(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	silences, err := route.OpenSilences("")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, rules: rules, queue: httpsource.New(httpsource.Options{Records: 1000}), recent: NewRecent(outbox, RecentOptions{}), audit: filepath.Join(dir, "audit.jsonl")}
	letters := filepath.Join(dir, "dead.jsonl")
	r.letter = deadletter.At(letters)
	writer, err := deadletter.Open(letters, deadletter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.bury = func(l deadletter.Letter) error { return writer.Keep(l) }
	totals, shadows, timings := NewTotals(time.Now), service.NewShadows(10), NewTimings()
	eng, err := engine.New(t.Context(), engine.Options{
		Set: rules.Set(), Store: store, Outbox: outbox, Inputs: []engine.Input{{Source: r.queue}}, Shards: 1, CommitEvery: time.Millisecond,
		Recent: kept, Shadow: shadows.Add, Progress: totals.Progress, Timing: timings.Epoch,
		Dead: func(dead []engine.Dead) error {
			for _, d := range dead {
				if err := writer.Write(deadletter.Letter{Reason: d.Reason, Record: d.Record, Source: "http", Offset: d.Offset}); err != nil {
					return err
				}
			}
			return writer.Flush()
		},
		Committed: func(ctx context.Context, last uint64) error {
			if err := r.recent.Committed(ctx, last); err != nil {
				return err
			}
			return Tell(ctx, store, r.queue)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	rules.Begin(eng)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- eng.Run(ctx) }()
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		rules.RunWarmings(ctx)
	}()
	for {
		if _, err := r.queue.Push(nil); err == nil {
			break // the engine reads
		}
		time.Sleep(time.Millisecond)
	}
	o := Options{Keys: eng, Timings: timings, Rules: rules, Kept: kept, Shadows: shadows, Totals: totals, Recent: r.recent, Events: r.queue, Letters: r.letter, Silences: silences, Audit: r.audit, Version: "test", Durable: true, Limits: Limits{Request: 5 * time.Second}}
	if more != nil {
		more(&o)
	}
	if r.s, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-warmed
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = r.queue.Close()
		_ = writer.Close()
		_ = r.s.Close()
		_ = store.Close()
	})
	return r
}

// says is an answer, read.
type says struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// ask sends a request; headers are pairs.
func (r *rig) ask(method, path, body string, headers ...string) *says {
	r.t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.RemoteAddr = "192.0.2.1:1234"
	if r.who != "" {
		q.Header.Set("Authorization", "Bearer "+r.who)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	if body != "" && q.Header.Get("Content-Type") == "" {
		q.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	r.s.ServeHTTP(w, q)
	return &says{r.t, w.Code, w.Header(), w.Body.Bytes()}
}

// want checks the status, and what the body must hold.
func (a *says) want(status int, parts ...string) *says {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if status >= 400 && a.header.Get("Content-Type") != problemMedia {
		a.t.Fatalf("type %q of a problem: %s", a.header.Get("Content-Type"), a.body)
	}
	for _, part := range parts {
		if !bytes.Contains(a.body, []byte(part)) {
			a.t.Fatalf("want %q in %s", part, a.body)
		}
	}
	return a
}

func (a *says) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
}

func (r *rig) put(rule string) *says {
	return r.ask("PUT", "/v1/rules/r.cep", declared+rule, "Content-Type", "text/plain", "If-Match", "*")
}

func TestTheLifeOfARule(t *testing.T) {
	r := start(t, nil)
	begin := r.ask("GET", "/v1/rules", "").want(200, `"files":[]`)
	was := begin.header.Get("ETag")
	draft, _ := json.Marshal(map[string]any{"files": map[string]string{"r.cep": declared + over10}})
	r.ask("POST", "/v1/rules:check", string(draft)).want(200, `"ok":true`, `"name":"over"`)
	r.ask("POST", "/v1/rules:check", `{"files":{"r.cep":"rule x {"}}`).want(200, `"ok":false`, `"line":1`)
	trial, _ := json.Marshal(map[string]any{"files": map[string]string{"r.cep": declared + over10}, "events": []any{map[string]any{"type": "e", "at": 1, "n": 11, "who": "a"}, map[string]any{"type": "e", "at": 2, "n": 1, "who": "a"}}})
	r.ask("POST", "/v1/rules:try", string(trial)).want(200, `"alerts_by_rule":{"over":1}`, `"rule":"over"`)

	r.ask("PUT", "/v1/rules/r.cep", declared+over10, "Content-Type", "text/plain").want(428, "If-Match")
	first := r.ask("PUT", "/v1/rules/r.cep?note=begin", declared+over10, "Content-Type", "text/plain", "If-Match", was).want(200, `"fate":"added"`, `"note":"begin"`, `"author":"anonymous"`)
	r.ask("PUT", "/v1/rules/r.cep", declared, "Content-Type", "text/plain", "If-Match", was).want(412, "conflict")
	r.ask("GET", "/v1/rules/r.cep", "").want(200, "n > 10")
	r.ask("GET", "/v1/rules", "", "If-None-Match", first.header.Get("ETag")).want(304)

	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":11,"who":"a"}`).want(200, `"committed":true`)
	r.ask("GET", "/v1/alerts", "").want(200, `"rule":"over"`, `"who":"a"`)

	r.ask("PUT", "/v1/rules/r.cep", declared+"rule over { from e where nn > 1 emit { n: n } }", "Content-Type", "text/plain", "If-Match", "*").want(422, "nn", `"line":2`)
	r.ask("POST", "/v1/events?wait=commit", `[{"type":"e","at":2,"n":5,"who":"a"},{"type":"e","at":3,"n":12,"who":"b"}]`).want(200)
	r.wantAlerts(2)
	r.put(strings.Replace(over10, "10", "3", 1)).want(200, `"rule":"over"`)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":4,"n":5,"who":"c"}`).want(200)
	r.wantAlerts(3)

	var versions versionList
	r.ask("GET", "/v1/rules/versions", "").want(200).into(&versions)
	r.ask("POST", "/v1/rules:rollback", `{"version":999}`, "If-Match", "*").want(404)
	r.ask("POST", "/v1/rules:rollback", `{"version":2}`, "If-Match", "*").want(200, `"changed":true`)
	r.ask("GET", "/v1/rules/r.cep", "").want(200, "n > 10")
	r.until("/v1/rules/over/status", `"alerts":3`)
	r.ask("DELETE", "/v1/rules/r.cep", "", "If-Match", "*").want(200, `"fate":"removed"`)
	r.ask("DELETE", "/v1/rules/r.cep", "", "If-Match", "*").want(404)

	log, err := os.ReadFile(r.audit)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"what":"putRuleFile"`, `"status":422`, `"status":412`, `"status":428`, `"before":1,"after":2`, `"from":"192.0.2.1"`, `"what":"rollbackRules"`} {
		if !bytes.Contains(log, []byte(part)) {
			t.Errorf("want %s in the audit log:\n%s", part, log)
		}
	}
}

// until asks until the answer holds a part: totals are those of the last commit but one.
func (r *rig) until(path string, part string) *says {
	r.t.Helper()
	for range 100 {
		if a := r.ask("GET", path, ""); a.status == 200 && bytes.Contains(a.body, []byte(part)) {
			return a
		}
		r.ask("POST", "/v1/events?wait=commit", `{"type":"none"}`).want(200)
	}
	r.t.Fatalf("%s does not come to say %s: %s", path, part, r.ask("GET", path, "").body)
	return nil
}

func (r *rig) wantAlerts(n int) {
	r.t.Helper()
	var page alertPage
	r.ask("GET", "/v1/alerts", "").want(200).into(&page)
	if len(page.Alerts) != n {
		r.t.Fatalf("%d alerts, want %d", len(page.Alerts), n)
	}
}

// TestWhatIsRememberedOfAKey shows it as it is after each event that is durable.
func TestWhatIsRememberedOfAKey(t *testing.T) {
	r := start(t, nil)
	r.put(remembering).want(200)
	explain := func(rule, key string) *says {
		return r.ask("GET", "/v1/explain?rule="+rule+"&key="+key, "").want(200, `"rule":"`+rule+`"`)
	}
	explain("pair", "a").want(200, `"known":false`, `"runs":[]`)
	r.ask("POST", "/v1/events?wait=commit", `[{"type":"e","at":1,"n":7,"who":"a"},{"type":"e","at":2,"n":5,"who":"a"},{"type":"e","at":3,"n":9,"who":"b"}]`).want(200)
	explain("pair", "a").want(200, `"key":{"who":"a"}`, `"runs_open":2`, `"waits_for":["second"]`, `"until":"1970-01-01T01:00:01Z"`, `"step":"first","n":1`, `"event":{"type":"e","at":1,"n":7,"who":"a"}`)
	explain("often", "who=a").want(200, `"events":2`, `"values":{"count()":2,"sum(n)":12}`)
	r.ask("GET", "/v1/tables/seen/b", "").want(200, `"row":{"n":1}`)
	r.ask("GET", "/v1/tables/seen/c", "").want(200, `"row":null`, `"known":false`)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":4,"n":-1,"who":"a"}`).want(200)
	explain("pair", "a").want(200, `"runs_open":1`, `"n":-1`)
	r.ask("GET", "/v1/explain?rule=pair", "").want(400, "the key of pair is who string")
	r.ask("GET", "/v1/explain?rule=pairs&key=a", "").want(404)
}

// TestAGroupWaitsForTheSidesThatAreLeft: one that has taken its event is awaited no more.
func TestAGroupWaitsForTheSidesThatAreLeft(t *testing.T) {
	r := start(t, nil)
	r.put("rule some { by who match any 2 of (low: e[n < 1], mid: e[n == 1], high: e[n > 1]) -> (then: e[n == 3] -> last: e[n == 4]) within 1h }\n").want(200)
	for _, step := range []struct{ event, waits string }{
		{`{"type":"e","at":1,"n":1,"who":"a"}`, `["low","high"]`},
		{`{"type":"e","at":2,"n":0,"who":"a"}`, `["then"]`},
	} {
		r.ask("POST", "/v1/events?wait=commit", step.event).want(200)
		r.ask("GET", "/v1/explain?rule=some&key=a", "").want(200, `"waits_for":`+step.waits)
	}
}

// TestTimesAreMeasured: of epochs, of alerts until they are durable, and of deliveries.
func TestTimesAreMeasured(t *testing.T) {
	timings := NewTimings()
	r := start(t, func(o *Options) { timings = o.Timings })
	r.put(over10).want(200)
	r.ask("POST", "/v1/events?wait=commit", `[{"type":"e","at":1,"n":11,"who":"a"},{"type":"e","at":1,"n":12,"who":"a"}]`).want(200)
	timings.Delivered("out", 2, 3*time.Second)
	timings.Delivered("out", 1, time.Millisecond)
	for _, line := range []string{
		"cepheus_event_to_alert_seconds_count 2\n", `cepheus_alert_to_sink_seconds_bucket{sink="out",le="2"} 1` + "\n", `cepheus_alert_to_sink_seconds_bucket{sink="out",le="4"} 3` + "\n",
		`cepheus_alert_to_sink_seconds_sum{sink="out"} 6.001` + "\n", `cepheus_epoch_duration_seconds_bucket{le="+Inf"} `, "cepheus_commit_duration_seconds_sum ",
		`cepheus_rule_open_runs{rule="over"} 0`, `cepheus_rule_bytes{rule="over"} 0`, `cepheus_rule_evaluation_seconds_total{rule="over"} `,
	} {
		r.until("/metrics", line)
	}
}

func TestShadowRules(t *testing.T) {
	r := start(t, nil)
	r.put(strings.Replace(over10, "from e", "mode shadow\n  from e", 1)).want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":11,"who":"a"}`).want(200)
	r.ask("GET", "/v1/shadows?rule=over", "").want(200, `"number":1`)
	r.wantAlerts(0)
}

// TestWhatIsWrong sends what no handler should take: each is a problem that says so.
func TestWhatIsWrong(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.Body = 1000 })
	bare := start(t, func(o *Options) { o.Keys = nil })
	events := func(body, media string) *says { return r.ask("POST", "/v1/events", body, "Content-Type", media) }
	long := strings.Repeat("x", 2000)
	for name, c := range map[string]struct {
		got    *says
		status int
		part   string
	}{
		"nothing there":         {r.ask("GET", "/v2", ""), 404, "openapi.json"},
		"nothing to be asked":   {r.ask("GET", "/v2?x=1", ""), 404, "openapi.json"},
		"a method":              {r.ask("PATCH", "/v1/rules", ""), 405, "PATCH"},
		"no type":               {r.ask("POST", "/v1/events", "{}", "Content-Type", "text/html"), 415, "application/json"},
		"a form":                {r.ask("PUT", "/v1/rules/a.cep", "x", "Content-Type", "application/x-www-form-urlencoded", "If-Match", "*"), 415, "text/plain"},
		"compressed":            {r.ask("POST", "/v1/events", "{}", "Content-Encoding", "gzip"), 415, "encoding"},
		"half an object":        {events(`{"a":`, mediaJSON), 400, "event 1"},
		"a number":              {events(`17`, mediaJSON), 400, "event 1"},
		"a number in an array":  {events(`[{},17]`, mediaJSON), 400, "event 2"},
		"two arrays":            {events(`[{}] [{}]`, mediaJSON), 400, "more"},
		"half an array":         {events(`[{},`, mediaJSON), 400, "complete"},
		"a broken line":         {events("{}\n\n{\n", mediaLines), 400, "event 3"},
		"a large body":          {events(`{"a":"`+long+`"}`, mediaJSON), 413, "1000"},
		"a large rule":          {r.ask("PUT", "/v1/rules/a.cep", long, "Content-Type", "text/plain", "If-Match", "*"), 413, "1000"},
		"an unknown member":     {r.ask("POST", "/v1/rules:check", `{"file":{}}`), 400, "file"},
		"a wrong type":          {r.ask("POST", "/v1/rules:check", `{"files":7}`), 400, "files"},
		"malformed":             {r.ask("POST", "/v1/rules:check", `{"files":}`), 400, "byte"},
		"more than one":         {r.ask("POST", "/v1/rules:check", `{} {}`), 400, "more"},
		"an unknown parameter":  {r.ask("GET", "/v1/alerts?rules=x", ""), 400, "rules"},
		"a parameter twice":     {r.ask("GET", "/v1/alerts?rule=x&rule=y", ""), 400, "once"},
		"no number":             {r.ask("GET", "/v1/alerts?limit=many", ""), 400, "limit"},
		"too many":              {r.ask("GET", "/v1/alerts?limit=1001", ""), 400, "1000"},
		"no time":               {r.ask("GET", "/v1/alerts?from=now", ""), 400, "from"},
		"no cursor":             {r.ask("GET", "/v1/alerts?cursor=x", ""), 400, "cursor"},
		"no version":            {r.ask("GET", "/v1/rules?version=99", ""), 404, "version"},
		"an unquoted tag":       {r.ask("DELETE", "/v1/rules/a.cep", "", "If-Match", "1"), 412, "quotes"},
		"a way up":              {r.ask("PUT", "/v1/rules/..%2F..%2Fetc%2Fx.cep", "", "If-Match", "*"), 400, "relative"},
		"an absolute path":      {r.ask("PUT", "/v1/rules/%2Fetc%2Fx.cep", "", "If-Match", "*"), 400, "relative"},
		"a backslash":           {r.ask("PUT", "/v1/rules/..%5Cx.cep", "", "If-Match", "*"), 400, "relative"},
		"a zero byte":           {r.ask("PUT", "/v1/rules/a%00.cep", "", "If-Match", "*"), 400, "relative"},
		"another ending":        {r.ask("PUT", "/v1/rules/a.txt", "", "If-Match", "*"), 400, ".cep"},
		"an unknown rule":       {r.ask("GET", "/v1/rules/none/status", ""), 404, "none"},
		"an unknown letter":     {r.ask("POST", "/v1/dead-letters:replay", `{"ids":["x"]}`), 404, "dead letter"},
		"no letters":            {r.ask("POST", "/v1/dead-letters:replay", `{"ids":[]}`), 400, "ids"},
		"a silence of the past": {r.ask("POST", "/v1/silences", `{"match":{},"until":"2001-01-01T00:00:00Z"}`), 422, "until"},
		"a match that is none":  {r.ask("POST", "/v1/silences", `{"match":{"min_severity":"loud"},"until":"2201-01-01T00:00:00Z"}`), 422, "loud"},
		"an unknown silence":    {r.ask("DELETE", "/v1/silences/x", ""), 404, "silence"},
		"a part not wired":      {bare.ask("GET", "/v1/explain?rule=x&key=a&key=b", ""), 404, "this run has no"},
		"a profile that is none": {
			r.ask("GET", "/debug/pprof/x", ""), 404, "heap",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.got.t = t
			c.got.want(c.status, c.part, `"mend":`, `"status":`)
		})
	}
	if now := r.rules.Current().Number; now != 1 {
		t.Errorf("version %d is in service, want 1", now)
	}
}

func TestAHostileName(t *testing.T) {
	r := start(t, nil)
	q := httptest.NewRequest("GET", "http://evil.example/v1/rules", nil)
	w := httptest.NewRecorder()
	r.s.ServeHTTP(w, q)
	if w.Code != http.StatusMisdirectedRequest {
		t.Errorf("status %d for a request by another name, want 421", w.Code)
	}
}

func hashed(t testing.TB, token string) string {
	h, err := bcrypt.GenerateFromPassword([]byte(token), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestTokensAndScopes(t *testing.T) {
	// argon2id of "reader", salt "saltsaltsaltsalt", m=64, t=1, p=1.
	r := start(t, func(o *Options) {
		o.Tokens = []Token{{"writer", hashed(t, "w"), []string{scopeRulesWrite}}, {"reader", hashed(t, "r"), []string{scopeRulesRead}}}
		o.Limits.Rate, o.Limits.Burst = 0.001, 6
	})
	r.ask("GET", "/v1/rules", "").want(401, "Authorization")
	r.who = "wrong"
	r.ask("GET", "/v1/rules", "").want(401, "not known")
	r.who = "r"
	r.ask("GET", "/v1/rules", "").want(200)
	r.put(over10).want(403, "rules:write")
	r.who = "w"
	r.ask("GET", "/v1/rules", "").want(200)
	r.put(over10).want(200, `"author":"writer"`)
	r.ask("POST", "/v1/events", "{}").want(403, "events:write")
	for range 3 {
		r.ask("GET", "/v1/rules", "").want(200)
	}
	if a := r.ask("GET", "/v1/rules", "").want(429); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	r.ask("GET", "/healthz", "").want(200)
	r.who = "guess"
	for range failuresAtOnce {
		r.ask("GET", "/v1/rules", "")
	}
	r.ask("GET", "/v1/rules", "").want(429, "unknown one")
	log, _ := os.ReadFile(r.audit)
	if !bytes.Contains(log, []byte(`"who":"reader"`)) || !bytes.Contains(log, []byte(`"status":401`)) || bytes.Contains(log, []byte("guess")) {
		t.Errorf("the audit log does not say who was refused, or says a token:\n%s", log)
	}
}

func TestHashesOfTokens(t *testing.T) {
	for hash, good := range map[string]bool{
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$bm90IHRoZSBoYXNoIG9mIGl0IQ": true,
		"$argon2id$v=19$m=99999999,t=1,p=1$c2FsdA$bm90IHRoZSBoYXNoIG9mIGl0IQ":           false,
		"$argon2id$v=19$m=64,t=0,p=1$c2FsdA$bm90IHRoZSBoYXNoIG9mIGl0IQ":                 false,
		"$argon2i$v=19$m=64,t=1,p=1$c2FsdA$bm90IHRoZSBoYXNoIG9mIGl0IQ":                  false,
		"plain": false,
	} {
		if _, err := New(Options{Tokens: []Token{{Name: "x", Hash: hash}}}); (err == nil) != good {
			t.Errorf("%s: %v", hash, err)
		}
	}
}

func TestListeningBeyondThisMachine(t *testing.T) {
	for listen, good := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "localhost:0": true, "0.0.0.0:0": false, ":8080": false, "nonsense": false} {
		if _, err := New(Options{Listen: listen}); (err == nil) != good {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if _, err := New(Options{Listen: ":0", Insecure: true}); err != nil {
		t.Error(err)
	}
}

func TestAFullQueueAsksForPatience(t *testing.T) {
	full := httpsource.New(httpsource.Options{}) // nobody reads it
	r := start(t, func(o *Options) { o.Events = full })
	a := r.ask("POST", "/v1/events", "{}").want(429, "Retry-After")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q, want 1", a.header.Get("Retry-After"))
	}
}

func TestDeadLettersAreReplayed(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","n":11,"who":"a"}`).want(200)
	var page letterPage
	r.ask("GET", "/v1/dead-letters", "").want(200).into(&page)
	if len(page.Letters) != 1 {
		t.Fatalf("letters %+v, want one", page.Letters)
	}
	r.ask("POST", "/v1/dead-letters:replay", `{"ids":["`+page.Letters[0].ID+`"]}`).want(200, page.Letters[0].ID)
	r.ask("GET", "/v1/dead-letters?all=true", "").want(200, `"done":"replayed"`)
}

// TestAlertsAreReplayedToTheirSink: those that it takes now are done with, the others are told.
func TestAlertsAreReplayedToTheirSink(t *testing.T) {
	var asked []string
	r := start(t, func(o *Options) {
		o.Resend = func(_ context.Context, sink string, letters []*deadletter.Stored, tell func(*deadletter.Stored, error)) (sent []*deadletter.Stored, err error) {
			asked = append(asked, sink)
			if sink == "gone" {
				return nil, errors.New("no such sink")
			}
			for _, l := range letters {
				if bytes.Contains(l.Record, []byte("bad")) {
					tell(l, errors.New("410 Gone"))
				} else {
					sent = append(sent, l)
				}
			}
			return sent, nil
		}
	})
	keep := func(sink, record string) {
		err := r.bury(deadletter.Letter{Kind: deadletter.Undeliverable, Reason: "refused", Source: "sink " + sink, Record: []byte(record), Whole: true})
		if err != nil {
			t.Fatal(err)
		}
	}
	keep("ops", `{"n":1}`)
	keep("ops", `{"bad":1}`)
	keep("gone", `{"n":2}`)
	var page letterPage
	r.ask("GET", "/v1/dead-letters", "").want(200).into(&page)
	ids := map[string]string{}
	for _, l := range page.Letters {
		ids[l.Record] = l.ID
	}
	body := func(records ...string) string {
		var in letterIDs
		for _, record := range records {
			in.IDs = append(in.IDs, ids[record])
		}
		text, _ := json.Marshal(in)
		return string(text)
	}
	r.ask("POST", "/v1/dead-letters:replay", body(`{"bad":1}`)).want(422, "410 Gone")
	var out replayed
	r.ask("POST", "/v1/dead-letters:replay", body(`{"n":1}`, `{"bad":1}`, `{"n":2}`)).want(200).into(&out)
	want := replayed{[]string{ids[`{"n":1}`]}, []refusal{{ids[`{"n":2}`], "no such sink"}, {ids[`{"bad":1}`], "410 Gone"}}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.Equal(asked, []string{"ops", "gone", "ops"}) {
		t.Errorf("asked %v", asked)
	}
	r.ask("GET", "/v1/dead-letters", "").want(200).into(&page)
	if len(page.Letters) != 2 {
		t.Errorf("%d letters are left, want 2", len(page.Letters))
	}
}

func TestReadinessSaysWhy(t *testing.T) {
	r := start(t, func(o *Options) { o.Ready = func() []string { return []string{"the broker is away"} } })
	r.ask("GET", "/readyz", "").want(503, "the broker is away")
	r.ask("GET", "/v1/status", "").want(200, `"ready":false`, "the broker is away")
	r.ask("GET", "/healthz", "").want(200)
}

// TestSourcesAreMetered: how far behind one is shows only where it is known.
func TestSourcesAreMetered(t *testing.T) {
	r := start(t, func(o *Options) {
		o.Ready = func() []string { return []string{"the broker is away"} }
		o.Sources = func() []SourceStats {
			return []SourceStats{{Source: "in", Topic: "t", Partition: 1, Behind: 7, Failures: 2}, {Source: "in", Topic: "t", Partition: 2, Behind: -1}}
		}
	})
	a := r.ask("GET", "/metrics", "").want(200, "cepheus_ready 0", `cepheus_source_lag_records{partition="1",source="in",topic="t"} 7`,
		`cepheus_source_fetch_failures_total{partition="1",source="in",topic="t"} 2`, `cepheus_source_fetch_failures_total{partition="2",source="in",topic="t"} 0`)
	if bytes.Contains(a.body, []byte(`cepheus_source_lag_records{partition="2"`)) {
		t.Error("a lag that is not known is shown")
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	r := start(t, func(o *Options) { o.Ready = func() []string { panic("broken") } })
	r.ask("GET", "/readyz", "").want(500)
	r.ask("GET", "/healthz", "").want(200)
}

func TestMetrics(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.Labels = 1 })
	r.put(over10 + "rule also { from e where n > 1 emit { n: n } }\nrule third { from e where n > 1 emit { n: n } }\n").want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":11,"who":"a"}`).want(200)
	a := r.until("/metrics", "cepheus_alerts_total 3").want(200, `cepheus_rule_alerts_total{rule="also"} 1`, `cepheus_rule_alerts_total{rule="(others)"} 2`,
		"cepheus_watermark_lag_seconds", `cepheus_http_request_duration_seconds_count{code="200",route="pushEvents"}`, "go_goroutines")
	if bytes.Contains(a.body, []byte(`rule="third"`)) {
		t.Error("a rule beyond the cap has a label")
	}
}

func TestPagesOfAlerts(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	var lines strings.Builder
	for i := range 25 {
		lines.WriteString(`{"type":"e","at":1,"n":11,"who":"` + string(rune('a'+i)) + "\"}\n")
	}
	r.ask("POST", "/v1/events?wait=commit", lines.String(), "Content-Type", mediaLines).want(200, `"events":25`)
	seen, cursor := 0, ""
	for range 10 {
		var page alertPage
		r.ask("GET", "/v1/alerts?limit=10"+cursor, "").want(200).into(&page)
		seen += len(page.Alerts)
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	if seen != 25 {
		t.Errorf("%d alerts on all pages, want 25", seen)
	}
	var one alertPage
	r.ask("GET", "/v1/alerts?key=c&rule=over", "").want(200).into(&one)
	if len(one.Alerts) != 1 {
		t.Errorf("%d alerts of one key, want 1", len(one.Alerts))
	}
}

// serve runs the server on loopback.
func (r *rig) serve() (url string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.s.o.Listen = "127.0.0.1:0"
	on, err := r.s.Listen(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.s.Serve(ctx, on) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	return "http://" + on.Addr().String()
}

func TestAStreamGoesOnWhereItWas(t *testing.T) {
	r := start(t, nil)
	url := r.serve()
	r.put(over10).want(200)
	for range 3 {
		r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":11,"who":"a"}`).want(200)
	}
	q, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/alerts/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Last-Event-ID", "1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var got []byte
	for !bytes.Contains(got, []byte("id: 3\n")) {
		b := make([]byte, 4096)
		n, err := a.Body.Read(b)
		if err != nil {
			t.Fatal(err, string(got))
		}
		got = append(got, b[:n]...)
	}
	if bytes.Contains(got, []byte("id: 1\n")) || !bytes.Contains(got, []byte("id: 2\nevent: alert\ndata: {")) {
		t.Errorf("the stream after 1:\n%s", got)
	}
}

func TestSlowBodiesAndCrowds(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.Request = 50 * time.Millisecond; o.Limits.Connections = 2 })
	url := r.serve()
	body, feed := io.Pipe()
	defer feed.Close()
	q, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/events", body)
	q.Header.Set("Content-Type", mediaJSON)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d for a slow body, want 408", a.StatusCode)
	}
	crowdOfIdle(t, strings.TrimPrefix(url, "http://"))
	if a, err := client.Get(url + "/healthz"); err != nil || a.Body.Close() != nil || a.StatusCode != 200 {
		t.Errorf("after a crowd of idle connections: %v", err)
	}
}
