package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/rules/trial"
)

// somePast has one file.
func somePast(_ context.Context, p service.Past, _ *plan.Set) (again, whole []engine.Input, closeAll func() error, err error) {
	if !slices.Equal(p.Files, []string{"past.jsonl"}) || !p.From.IsZero() {
		return nil, nil, nil, errors.New("there is no such past")
	}
	in := &trial.Records{Name: "past"}
	for _, r := range []string{`{"type":"e","at":-20,"n":1,"who":"a"}`, `{"type":"e","at":-10,"n":2,"who":"a"}`, `{"type":"e","at":5000000000,"n":3,"who":"a"}`} {
		in.Texts = append(in.Texts, []byte(r))
	}
	return nil, []engine.Input{{Source: in}}, func() error { return nil }, nil
}

const third = "rule third {\n  from e\n  by who\n  window last 3\n  having count() == 3\n  emit { n: sum(n) }\n}\n"

// TestARuleIsWarmedOverTheAPI: it is in service once it has been given the past, of which it
// sends nothing, and goes on with it.
func TestARuleIsWarmedOverTheAPI(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":5,"who":"a"}`).want(200)
	put := func(query string) *says {
		return r.ask("PUT", "/v1/rules/third.cep?"+query, third, "Content-Type", "text/plain", "If-Match", "*")
	}
	put("warm_file=past.jsonl&note=long").want(202, `"state":"warming"`, `"rules":["third"]`, `"missing":["http"]`, `"note":"long"`)
	r.until("/v1/warmings/1", `"state":"warm"`)
	r.ask("GET", "/v1/warmings/1", "").want(200, `"events":2`, `"keys":1`, `"alerts":0`, `"warm":true`, `"warm_keys":1`, `"fate":"added"`)
	r.ask("GET", "/v1/rules", "").want(200, `"third.cep"`)
	r.ask("GET", "/v1/alerts", "").want(200, `"alerts":[]`)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":2,"n":7,"who":"a"}`).want(200)
	r.ask("GET", "/v1/alerts", "").want(200, `"rule":"third"`, `"n":10`)
}

// TestAWarmingIsNoChangeUntilItIsDone: another change in between is seen where it was asked not
// to be, and one that has been ended makes none.
func TestAWarmingIsNoChangeUntilItIsDone(t *testing.T) {
	r := start(t, nil)
	was := r.put(over10).want(200).header.Get("ETag")
	r.ask("PUT", "/v1/rules/third.cep?warm_file=past.jsonl", third, "Content-Type", "text/plain", "If-Match", was).want(202)
	r.put(strings.Replace(over10, "10", "20", 1)).want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":5,"who":"a"}`).want(200)
	r.until("/v1/warmings/1", `"state":"failed"`)
	r.ask("GET", "/v1/warmings/1", "").want(200, "version 2 is expected")
	r.ask("GET", "/v1/rules", "").want(200, `"version":3`)
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	r.ask("PUT", "/v1/rules/third.cep?warm_file=past.jsonl&warm_until="+soon, third, "Content-Type", "text/plain", "If-Match", "*").want(202)
	r.until("/v1/warmings/2", `"waits_for":"until"`)
	r.ask("DELETE", "/v1/warmings/2", "").want(204)
	r.until("/v1/warmings/2", `"state":"failed"`)
	r.ask("GET", "/v1/warmings/2", "").want(200, "ended by request")
	r.ask("GET", "/v1/rules", "").want(200, `"version":3`)
}

// TestAChangeThatIsMadeWhileItsRulesAreWarmed did not give them the past: that is not told as if it
// had.
func TestAChangeThatIsMadeWhileItsRulesAreWarmed(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	put := func(query string) *says {
		return r.ask("PUT", "/v1/rules/third.cep"+query, third, "Content-Type", "text/plain", "If-Match", "*")
	}
	put("?warm_file=past.jsonl").want(202)
	put("").want(200)
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":5,"who":"a"}`).want(200)
	r.until("/v1/warmings/1", `"state":"failed"`)
	r.ask("GET", "/v1/warmings/1", "").want(200, "was made in the meantime")
	r.ask("PUT", "/v1/rules/fourth.cep?warm_file=past.jsonl", strings.Replace(third, "third", "fourth", 1), "Content-Type", "text/plain", "If-Match", "*").want(202)
	r.until("/v1/warmings/2", `"state":"warm"`)
}

// TestAWarmingSaysWhatItWaitsFor: where the engine has had no event, and where the past ends at a
// time to come; one that nobody could wait for is refused.
func TestAWarmingSaysWhatItWaitsFor(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	put := func(query string) *says {
		return r.ask("PUT", "/v1/rules/third.cep?"+query, third, "Content-Type", "text/plain", "If-Match", "*")
	}
	put("warm_file=past.jsonl&warm_until=2200-01-01T00:00:00Z").want(400, "more than a day ahead", "leave it out, or give a time up to")
	put("warm_until=2026-01-01T00:00:00Z").want(400, "warm_until is for files of the past")
	put("warm_file=other.jsonl").want(422, "there is no such past", "api.past")
	put("warm_file=past.jsonl").want(202)
	r.ask("GET", "/v1/warmings/1", "").want(200, `"state":"warming"`, `"waits_for":"event"`)
	put("warm_file=past.jsonl").want(409, "other rules are being warmed")
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":5,"who":"a"}`).want(200)
	if text := r.until("/v1/warmings/1", `"state":"warm"`).body; strings.Contains(string(text), "waits_for") {
		t.Errorf("it is warm, and says %s", text)
	}
	r.ask("GET", "/v1/warmings/7", "").want(404)
	r.ask("DELETE", "/v1/warmings/1", "").want(404)
}
