package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/redact"
)

// TestATrialOverRecentEvents: what a draft would have alerted of what the engine has read.
func TestATrialOverRecentEvents(t *testing.T) {
	kept := engine.NewRecent(1 << 20)
	r := startKeeping(t, kept, nil)
	r.put(over10).want(200)
	for i := range 5 {
		r.ask("POST", "/v1/events?wait=commit", fmt.Sprintf(`{"type":"e","at":%d,"n":%d,"who":"a"}`, i, i)).want(200)
	}
	try := func(rule, more string) *says {
		text, _ := json.Marshal(declared + rule)
		return r.ask("POST", "/v1/rules:try", `{"files":{"r.cep":`+string(text)+`}`+more+`}`)
	}
	try(strings.Replace(over10, "10", "2", 1), `,"recent":true`).want(200, `"alerts_by_rule":{"over":2}`, `"events":5`)
	try(over10, `,"recent":true`).want(200, `"alerts_by_rule":{}`, `"events":5`)
	try(over10, `,"recent":true,"events":[{"type":"e"}]`).want(400, "one of the two")
	r.ask("GET", "/v1/alerts", "").want(200, `"alerts":[]`)
	r.ask("GET", "/metrics", "").want(200, "cepheus_recent_records 5", "cepheus_recent_limit_bytes 1.048576e+06")
}

// TestATrialOverRecentEventsNeedsThem: a run that keeps none says so.
func TestATrialOverRecentEventsNeedsThem(t *testing.T) {
	r := start(t, nil)
	r.ask("POST", "/v1/rules:try", `{"recent":true}`).want(404, "api.recent")
}

// TestATrialRemembersSoMuchAtMost: a draft that hoards is refused, and what runs goes on.
func TestATrialRemembersSoMuchAtMost(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.TrialBytes = 1 << 10 })
	var events []string
	for i := range 3000 {
		events = append(events, fmt.Sprintf(`{"type":"e","at":1,"n":1,"who":"w%d"}`, i))
	}
	text, _ := json.Marshal(declared + "rule hoards {\n by who\n match a: e -> b: e[n == 2]\n within 1d\n}\n")
	r.ask("POST", "/v1/rules:try", `{"files":{"r.cep":`+string(text)+`},"events":[`+strings.Join(events, ",")+`]}`).want(422, "trial-memory")
	r.put(over10).want(200)
}

// TestWhatIsRememberedIsRedactedAsTheEngineHasIt: a table that is asked for as a rule too, and a
// rule set that runs and is not said to be in service yet.
func TestWhatIsRememberedIsRedactedAsTheEngineHasIt(t *testing.T) {
	var eng *engine.Engine
	r := start(t, func(o *Options) {
		eng = o.Keys.(*engine.Engine)
		o.Redact = redact.New(redact.Options{Mask: true, Fields: map[string][]string{"e": {"who"}}})
	})
	r.put(remembering).want(200)
	set, errs := lang.Compile([]*source.File{{Name: "r.cep", Text: declared + remembering + "rule fresh { from e by who as person window last 2 having count() > 1000 emit { n: count() } }\n"}})
	if errs.HasErrors() {
		t.Fatal(errs)
	}
	if _, err := eng.Swap(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":7,"who":"secret"}`).want(200)
	for _, path := range []string{"/v1/tables/seen/secret", "/v1/explain?rule=table%20seen&key=secret", "/v1/explain?rule=pair&key=secret", "/v1/explain?rule=fresh&key=secret"} {
		if out := r.ask("GET", path, "").want(200, `"known":true`); strings.Contains(string(out.body), "secret") {
			t.Errorf("%s: %s", path, out.body)
		}
	}
}
