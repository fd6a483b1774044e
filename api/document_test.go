package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// judge holds answers against the document that the server itself serves.
type judge struct {
	t    *testing.T
	c    *jsonschema.Compiler
	doc  map[string]any
	seen map[string]bool // operation and status
}

const documentURL = "http://localhost/openapi.json"

func newJudge(t *testing.T, text []byte) *judge {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return &judge{t, c, doc.(map[string]any), map[string]bool{}}
}

var oneSegment = regexp.MustCompile(`\\\{\w+\\\}`)

// operation finds the path of the document that a request is for; one without parameters
// comes before one with.
func (j *judge) operation(method, path string) (template string, op map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	for candidate, item := range j.doc["paths"].(map[string]any) {
		pattern := "^" + oneSegment.ReplaceAllString(regexp.QuoteMeta(candidate), `[^/]+`) + "$"
		found, isThere := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if isThere && regexp.MustCompile(pattern).MatchString(path) && (op == nil || !strings.Contains(candidate, "{")) {
			template, op = candidate, found
		}
	}
	return template, op
}

// check says what of an answer is not as the document has it.
func (j *judge) check(method, path string, a *says) error {
	template, op := j.operation(method, path)
	if op == nil {
		return fmt.Errorf("the document has no %s %s", method, path)
	}
	status := fmt.Sprint(a.status)
	response, known := op["responses"].(map[string]any)[status].(map[string]any)
	if !known {
		return fmt.Errorf("the document has no status %s for %s %s", status, method, template)
	}
	j.seen[op["operationId"].(string)+" "+status] = true
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if len(a.body) > 0 {
			return fmt.Errorf("%s %s has a body, and none in the document", method, template)
		}
		return nil
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if content[media] == nil {
		return fmt.Errorf("%s %s answers %s with %q, which the document does not have", method, template, status, media)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
	schema, err := j.c.Compile(documentURL + "#/paths/" + escaped(template) + "/" + strings.ToLower(method) + "/responses/" + status + "/content/" + escaped(media) + "/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// remembering are rules that have something to show of a key.
const remembering = `table seen by who from e { n: count() }
rule pair  { by who match first: e -> !e[n < 0] -> second: e[n > first.n] within 1h }
rule often { from e by who window sliding 1h having count() > 1000 emit { n: count(), s: sum(n) } suppress 1h }
`

// TestAnswersAreAsTheDocumentSays asks every route, well and badly.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	r := start(t, func(o *Options) {
		o.Reload = func(ctx context.Context) ([]string, error) { return nil, nil }
	})
	j := newJudge(t, r.ask("GET", "/openapi.json", "").want(200).body)
	ask := func(want int, method, path, body string, headers ...string) *says {
		t.Helper()
		a := r.ask(method, path, body, headers...)
		if a.status != want {
			t.Errorf("%s %s: status %d, want %d: %s", method, path, a.status, want, a.body)
		}
		if err := j.check(method, path, a); err != nil {
			t.Errorf("%s %s: %v\n%s", method, path, err, a.body)
		}
		return a
	}
	const media, plain = "Content-Type", "text/plain"
	set, _ := json.Marshal(map[string]any{"files": map[string]string{"r.cep": declared + over10 + "rule dim { mode shadow from e where n > 10 emit { n: n } }\n" + remembering}})
	ask(200, "PUT", "/v1/rules", string(set), "If-Match", "*")
	ask(428, "PUT", "/v1/rules", string(set))
	ask(400, "PUT", "/v1/rules", "{", "If-Match", "*")
	etag := ask(200, "GET", "/v1/rules?text=true", "").header.Get("ETag")
	ask(304, "GET", "/v1/rules", "", "If-None-Match", etag)
	ask(404, "GET", "/v1/rules?version=77", "")
	ask(200, "GET", "/v1/rules/r.cep", "")
	ask(404, "GET", "/v1/rules/x.cep", "")
	ask(200, "PUT", "/v1/rules/x.cep", "// nothing\n", media, plain, "If-Match", "*")
	ask(422, "PUT", "/v1/rules/x.cep", "rule {\n", media, plain, "If-Match", "*")
	ask(412, "PUT", "/v1/rules/x.cep", "// else\n", media, plain, "If-Match", etag)
	ask(415, "PUT", "/v1/rules/x.cep", "// else\n", media, "image/png", "If-Match", "*")
	ask(200, "DELETE", "/v1/rules/x.cep", "", "If-Match", "*")
	ask(404, "DELETE", "/v1/rules/x.cep", "", "If-Match", "*")
	ask(200, "GET", "/v1/rules/versions", "")
	ask(200, "POST", "/v1/rules:check", `{"files":{"y.cep":"rule {"}}`)
	ask(200, "POST", "/v1/rules:check", string(set))
	ask(200, "POST", "/v1/rules:try", `{"events":[{"type":"e","at":1,"n":11,"who":"a"}]}`)
	ask(422, "POST", "/v1/rules:try", `{"files":{"y.cep":"rule {"},"events":[]}`)
	ask(200, "POST", "/v1/rules:rollback", `{"version":2}`, "If-Match", "*")
	ask(404, "POST", "/v1/rules:rollback", `{"version":99}`, "If-Match", "*")
	ask(202, "POST", "/v1/events", `{"type":"e","at":1,"n":11,"who":"a"}`)
	ask(200, "POST", "/v1/events?wait=commit", `[{"type":"e","at":1,"n":11,"who":"a"},{"type":"e","n":1}]`)
	ask(400, "POST", "/v1/events?wait=for", `{}`)
	ask(200, "GET", "/v1/alerts?limit=1", "")
	ask(400, "GET", "/v1/alerts?limit=no", "")
	ask(400, "GET", "/v1/alerts/stream?after=no", "")
	ask(200, "GET", "/v1/shadows", "")
	r.until("/v1/status", `"watermark":"`)
	ask(200, "GET", "/v1/status", "")
	ask(200, "GET", "/v1/rules/over/status", "")
	ask(404, "GET", "/v1/rules/none/status", "")
	var silenced silence
	ask(201, "POST", "/v1/silences", `{"match":{"rules":["over"]},"until":"2201-01-01T00:00:00Z"}`).into(&silenced)
	ask(200, "GET", "/v1/silences", "")
	ask(204, "DELETE", "/v1/silences/"+silenced.ID, "")
	ask(404, "DELETE", "/v1/silences/"+silenced.ID, "")
	var letters letterPage
	ask(200, "GET", "/v1/dead-letters", "").into(&letters)
	ask(200, "POST", "/v1/dead-letters:replay", `{"ids":["`+letters.Letters[0].ID+`"]}`)
	ask(404, "POST", "/v1/dead-letters:replay", `{"ids":["x"]}`)
	const more = "rule third { from e\n window last 3\n having count() == 3\n emit { n: n } }\n"
	put := func(want int, query string) {
		ask(want, "PUT", "/v1/rules/third.cep?"+query, more, media, plain, "If-Match", "*")
	}
	put(400, "note=why&warm_file=past.jsonl&warm_until=2200-01-01T00:00:00Z")
	put(202, "note=why&warm_file=past.jsonl&warm_until="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	put(409, "warm_file=past.jsonl")
	put(400, "warm_until=2026-01-01T00:00:00Z")
	put(400, "warm_from=yesterday")
	ask(200, "GET", "/v1/warmings", "")
	ask(200, "GET", "/v1/warmings/1", "")
	ask(404, "GET", "/v1/warmings/2", "")
	ask(204, "DELETE", "/v1/warmings/1", "")
	r.until("/v1/warmings/1", `"failed"`)
	ask(404, "DELETE", "/v1/warmings/1", "")
	ask(404, "DELETE", "/v1/warmings/x", "")
	put(422, "warm_file=/etc/passwd")
	put(202, "warm_file=past.jsonl")
	r.until("/v1/warmings/2", `"warm"`)
	ask(200, "GET", "/v1/warmings/2", "")
	put(422, "warm_file=past.jsonl")
	ask(200, "GET", "/v1/explain?rule=over&key=a", "")
	ask(400, "GET", "/v1/explain?rule=over&key=a&key=b", "")
	ask(400, "GET", "/v1/explain?key=a", "")
	ask(404, "GET", "/v1/explain?rule=none&key=a", "")
	ask(200, "GET", "/v1/explain?rule=pair&key=a", "")
	ask(200, "GET", "/v1/explain?rule=often&key=who%3Da", "")
	ask(200, "GET", "/v1/tables/seen/a", "")
	ask(404, "GET", "/v1/tables/none/a", "")
	ask(200, "POST", "/v1/config:reload", "")
	ask(200, "GET", "/debug/pprof/goroutine", "")
	ask(404, "GET", "/debug/pprof/none", "")
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json"} {
		ask(200, "GET", path, "")
	}
	j.complete()
}

// complete asks that each operation was seen to succeed; the stream has a test of its own.
func (j *judge) complete() {
	for _, e := range endpoints() {
		was := func(status int) bool { return j.seen[e.id+" "+fmt.Sprint(status)] }
		if !e.stream && !slices.ContainsFunc([]int{200, 201, 204}, was) {
			j.t.Errorf("%s was not seen to succeed", e.id)
		}
	}
}

// A token without scopes gets nothing but what anybody known may have.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	r := start(t, func(o *Options) { o.Tokens = []Token{{"nobody", hashed(t, "n"), nil}}; o.Limits.Burst = 1000 })
	r.who = "n"
	for _, e := range endpoints() {
		path := oneSegment.ReplaceAllString(regexp.QuoteMeta(e.path), "x")
		path = strings.ReplaceAll(path, `\`, "")
		a := r.ask(e.method, path, "")
		if open := e.scope == scopeNone || e.scope == scopeAny; open != (a.status != http.StatusForbidden) {
			t.Errorf("%s %s with no scope: status %d", e.method, path, a.status)
		}
	}
}

// TestTheDocumentSaysHowOneIsKnown, and where anybody may ask says nothing of it.
func TestTheDocumentSaysHowOneIsKnown(t *testing.T) {
	for want, g := range map[string]*gate{"": {}, "http": {tokens: []Token{{}}, certs: true}, "mutualTLS": {certs: true}} {
		text, err := openAPI(endpoints(), "test", g.scheme())
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Components struct {
				SecuritySchemes map[string]struct{ Type string }
			}
			Paths map[string]map[string]struct{ Security []map[string][]string }
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if got := doc.Components.SecuritySchemes[schemeName].Type; got != want {
			t.Errorf("scheme %q, want %q", got, want)
		}
		if asks := len(doc.Paths["/v1/rules"]["get"].Security) > 0; asks != (want != "") || len(doc.Paths["/healthz"]["get"].Security) > 0 {
			t.Errorf("%q: the rules ask for somebody: %t", want, asks)
		}
	}
}

// TestBodiesAreWhole: what encoding/json lets through is refused.
func TestBodiesAreWhole(t *testing.T) {
	r := start(t, nil)
	for body, part := range map[string]string{
		`null`: "no JSON object", `{"version":null}`: "version cannot be null", `{"Version":1}`: "version is missing", `{}`: "version is missing", `{"version":1,"VERSION":1}`: "VERSION",
	} {
		r.ask("POST", "/v1/rules:rollback", body, "If-Match", "*").want(400, part)
	}
	r.ask("POST", "/v1/rules:check", `{"files":{"a.cep":null}}`).want(400, "files cannot be null")
	r.ask("POST", "/v1/rules:try", `{"events":[{"a":null},null]}`).want(200)
	r.ask("POST", "/v1/rules:try", `{"events":null}`).want(400, "events")
	r.ask("POST", "/v1/rules:try", `{"events":[],"limit":-1}`).want(400, "limit")
	r.ask("GET", "/v1/rules?text=yes", "").want(400, "true or false")
	r.ask("OPTIONS", "/v1/rules/versions", "").want(405)
	if a := r.ask("OPTIONS", "/v1/rules/versions", ""); a.header.Get("Allow") != "GET" {
		t.Errorf("Allow: %s", a.header.Get("Allow"))
	}
}

// TestMetricsAreInTheDocumentation: every one that is scraped has a place in docs/operate.md.
func TestMetricsAreInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, nil)
	r.put(over10).want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":11,"who":"a"}`).want(200)
	scraped := r.until("/metrics", `cepheus_rule_alerts_total{rule="over"}`).body
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (cepheus_\w+) `).FindAllSubmatch(scraped, -1) {
		if !bytes.Contains(text, append(append([]byte("`"), m[1]...), '`')) {
			t.Errorf("docs/operate.md does not know %s", m[1])
		}
	}
}
