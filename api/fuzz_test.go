package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzEvents cuts bodies into events: each is a JSON object, and what is refused is a 4xx.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{`{}`, `[{},{"a":1}]`, "{}\n\n{}\n", `[{]`, `[{}] []`, "\xff", `[[]]`, "[", "{\n}"} {
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body string, inLines bool) {
		media := mediaJSON
		if inLines {
			media = mediaLines
		}
		records, err := split(media, []byte(body), 10)
		if err != nil {
			if p := asProblem(err); p.Status/100 != 4 || p.Mend == "" {
				t.Fatalf("%q is refused by %+v", body, p)
			}
			return
		}
		for _, r := range records {
			var object map[string]json.RawMessage
			if json.Unmarshal(r, &object) != nil || inLines && bytes.ContainsRune(r, '\n') {
				t.Fatalf("%q of %q is no event", r, body)
			}
		}
	})
}

// FuzzRequests sends bodies, names and queries to the routes that read them: no answer is a
// 5xx, and the rule set does not change but by a PUT that says so.
func FuzzRequests(f *testing.F) {
	f.Add("a.cep", "limit=1", `{"files":{"a.cep":"// x"}}`)
	f.Add("..%2Fa.cep", "cursor=b1", `{"version":1}`)
	f.Add("%2F", "from=2026-01-01T00:00:00Z", `{"events":[{}]}`)
	f.Add("%zz", "limit=%", `{"ids":["a"]}`)
	r := start(f, nil)
	f.Fuzz(func(t *testing.T, name, query, body string) {
		r.t = t
		for _, q := range [][2]string{
			{"GET", "/v1/rules/" + name},
			{"GET", "/v1/rules/" + name + "/status"},
			{"DELETE", "/v1/rules/" + name},
			{"GET", "/v1/tables/" + name + "/" + name},
			{"GET", "/v1/explain?rule=over&key=" + name},
			{"GET", "/v1/alerts?" + query},
			{"GET", "/v1/dead-letters?" + query},
			{"GET", "/v1/rules?" + query},
			{"POST", "/v1/rules:check"},
			{"POST", "/v1/rules:rollback"},
			{"POST", "/v1/rules:try"},
			{"POST", "/v1/dead-letters:replay"},
			{"PUT", "/v1/rules"},
		} {
			url := q[1]
			if _, err := http.NewRequest(q[0], "http://localhost"+url, nil); err != nil { //nolint:noctx // is it a URL
				continue
			}
			sent, send := body, []string{"Content-Type", "application/json", "If-Match", `"7777777"`}
			if q[0] == "GET" || q[0] == "DELETE" {
				sent = ""
			}
			if a := r.ask(q[0], url, sent, send...); a.status >= 500 {
				t.Fatalf("%s %s: %d %s", q[0], url, a.status, a.body)
			}
		}
		if now := r.rules.Current().Number; now != 1 {
			t.Fatalf("version %d is in service", now)
		}
	})
}
