package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// The tests of this file send a server that listens what nobody should. After each, the set in
// service is what it was, and does its work.

// unharmed wants the rule over, in a version, to take events still.
func (r *rig) unharmed(version uint64) {
	r.t.Helper()
	if now := r.rules.Current().Number; now != version {
		r.t.Errorf("version %d is in service, want %d", now, version)
	}
	before := r.alertsOf("over")
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":9,"n":11,"who":"after"}`).want(200)
	if after := r.alertsOf("over"); after != before+1 {
		r.t.Errorf("the rule in service has %d alerts, want %d", after, before+1)
	}
}

func (r *rig) alertsOf(rule string) int {
	r.t.Helper()
	var page alertPage
	r.ask("GET", "/v1/alerts?limit=1000&rule="+rule, "").want(200).into(&page)
	return len(page.Alerts)
}

// zeros is a body of so many bytes.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), z.left)
	clear(b[:n])
	z.left -= n
	return n, nil
}

// TestBodiesOf100MB end at the bound, whether they say how long they are or not.
func TestBodiesOf100MB(t *testing.T) {
	const size = 100 << 20
	r := start(t, nil)
	url := r.serve()
	r.put(over10).want(200)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, to := range [][2]string{{"POST", "/v1/events"}, {"PUT", "/v1/rules/big.cep"}, {"PUT", "/v1/rules"}, {"POST", "/v1/rules:check"}, {"POST", "/v1/rules:try"}} {
		for _, length := range []int64{size, -1} {
			q, err := http.NewRequestWithContext(t.Context(), to[0], url+to[1], &zeros{size})
			if err != nil {
				t.Fatal(err)
			}
			q.ContentLength = length
			q.Header.Set("Content-Type", mediaJSON)
			q.Header.Set("If-Match", "*")
			if to[1] == "/v1/rules/big.cep" {
				q.Header.Set("Content-Type", "text/plain")
			}
			a, err := client.Do(q)
			if err != nil {
				t.Fatal(to, err)
			}
			text, _ := io.ReadAll(a.Body)
			a.Body.Close()
			if a.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), `"mend":`) {
				t.Errorf("%s of %d bytes: %s %s", to, length, a.Status, text)
			}
		}
	}
	r.unharmed(2)
}

// TestAThousandIdleConnections keep nobody else from asking.
func TestAThousandIdleConnections(t *testing.T) {
	r := start(t, nil)
	url := r.serve()
	r.put(over10).want(200)
	for range 1100 {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Skip(err) // of the system's bounds
		}
		defer c.Close()
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 20 {
		a, err := client.Get(url + "/v1/rules")
		if err != nil {
			t.Fatal(err)
		}
		if a.Body.Close(); a.StatusCode != http.StatusOK {
			t.Errorf("status %s", a.Status)
		}
	}
	r.unharmed(2)
}

// TestOneOfFiveHundredIsBroken: none of the others changes either, and the answer names the one
// and nothing else.
func TestOneOfFiveHundredIsBroken(t *testing.T) {
	r := start(t, nil)
	set := func(above int, broken string) string {
		files := map[string]string{"e.cep": declared + over10}
		for n := range 500 {
			files[fmt.Sprintf("r%03d.cep", n)] = fmt.Sprintf("rule r%03d { from e where n > %d  emit { n: n } }\n", n, above)
		}
		if broken != "" {
			files["r250.cep"] = broken
		}
		body, err := json.Marshal(map[string]any{"files": files})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	r.ask("PUT", "/v1/rules", set(990, ""), "If-Match", "*").want(200)
	for _, broken := range []string{"rule r250 { from e where nn > 500  emit { n: n } }", "rule r250 {", "\x00", "rule r251 { from e  emit { n: n } }"} {
		var p problem
		r.ask("PUT", "/v1/rules", set(500, broken), "If-Match", "*").want(422).into(&p)
		if len(p.Errors) == 0 || slices.ContainsFunc(p.Errors, func(m source.Message) bool { return m.File != "r250.cep" && m.File != "r251.cep" }) {
			t.Errorf("%q: the errors are %+v", broken, p.Errors)
		}
		var c checked
		r.ask("POST", "/v1/rules:check", set(500, broken)).want(200).into(&c)
		if c.OK || len(c.Rules) > 0 {
			t.Errorf("%q checks", broken)
		}
	}
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":1,"n":700,"who":"a"}`).want(200)
	if n := r.alertsOf("r250") + r.alertsOf("r001"); n > 0 {
		t.Errorf("%d alerts of rules that were refused", n)
	}
	r.ask("POST", "/v1/events?wait=commit", `{"type":"e","at":2,"n":991,"who":"a"}`).want(200)
	if n := r.alertsOf("r250"); n != 1 {
		t.Errorf("%d alerts of the rule that was to be broken, want 1", n)
	}
	r.unharmed(2)
}

// TestAThresholdThatChangesIsTheOneThatRuns: 990, then 500; what the answer says is so, for
// the next event, and for a run that began under the old one.
func TestAThresholdThatChangesIsTheOneThatRuns(t *testing.T) {
	r := start(t, nil)
	rules := func(above int) string {
		return fmt.Sprintf("%srule high { from e where n > %d  emit { n: n } }\nrule later { by who  match a: e[n == 1] -> b: e[n > %d]  within 1h  emit { n: b.n } }\n", over10, above, above)
	}
	r.put(rules(990)).want(200)
	r.ask("POST", "/v1/events?wait=commit", `[{"type":"e","at":1,"n":1,"who":"a"},{"type":"e","at":2,"n":700,"who":"b"}]`).want(200)
	if n := r.alertsOf("high"); n != 0 {
		t.Fatalf("%d alerts above 990", n)
	}
	var c change
	r.put(rules(500)).want(200).into(&c)
	fates := map[string]string{}
	for _, rule := range c.Rules {
		fates[rule.Rule] = rule.Fate
	}
	if fates["high"] != "changed, state kept" || !strings.HasPrefix(fates["later"], "changed, state kept") || fates["over"] != "unchanged" {
		t.Errorf("the answer says %v", fates)
	}
	r.ask("POST", "/v1/events?wait=commit", `[{"type":"e","at":3,"n":600,"who":"a"},{"type":"e","at":4,"n":400,"who":"a"}]`).want(200)
	for _, rule := range []string{"high", "later"} {
		if n := r.alertsOf(rule); n != 1 {
			t.Errorf("rule %s has %d alerts, want 1", rule, n)
		}
	}
	r.unharmed(3)
}

// TestTwoWritersAtOnce: of those that have seen the same version one is heard.
func TestTwoWritersAtOnce(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	const writers = 8
	var all sync.WaitGroup
	statuses := make([]int, writers)
	for n := range writers {
		all.Go(func() {
			text := fmt.Sprintf("rule mine { from e where n > %d  emit { n: n } }\n", 100+n)
			statuses[n] = r.ask("PUT", "/v1/rules/mine.cep", text, "Content-Type", "text/plain", "If-Match", `"2"`).status
		})
	}
	all.Wait()
	slices.Sort(statuses)
	want := append([]int{200}, slices.Repeat([]int{412}, writers-1)...)
	if !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, want %v", statuses, want)
	}
	r.unharmed(3)
}

// TestRulesThatWouldTakeAll: without bound in memory they are refused, and in time a trial of
// them ends.
func TestRulesThatWouldTakeAll(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.Request = 500 * time.Millisecond })
	r.put(over10).want(200)
	put := func(rule string) *says {
		return r.ask("PUT", "/v1/rules/x.cep", rule, "Content-Type", "text/plain", "If-Match", "*")
	}
	put("rule x { from e  by who  window hopping 3650d every 1ms  emit { n: count() } }").want(422, "R308")
	put("rule x { from e  where n > " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }").want(422)
	put("rule x { match " + strings.Repeat("a: e -> ", 10_000) + "b: e  within 1h }").want(422)
	many := `{"files":{"x.cep":"rule x { match all a: e{1,} -> b: e{1,} -> c: e[n < 0]  within 1000d }"},"events":[` +
		strings.TrimSuffix(strings.Repeat(`{"type":"e","at":1,"n":1,"who":"a"},`, 50_000), ",") + `]}`
	began := time.Now()
	if a := r.ask("POST", "/v1/rules:try", many); a.status != http.StatusUnprocessableEntity && a.status != http.StatusOK {
		t.Errorf("status %d: %s", a.status, a.body)
	} else if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the trial took %s: %d", took, a.status)
	}
	r.unharmed(2)
}

// TestPathsThatAreTricks name no file outside of the set, and no route.
func TestPathsThatAreTricks(t *testing.T) {
	r := start(t, nil)
	r.put(over10).want(200)
	for _, name := range []string{
		"..%2Fx.cep", "%2e%2e%2fx.cep", "a%2F..%2F..%2Fx.cep", "%2Fetc%2Fx.cep", "..%5Cx.cep", "C:%5Cx.cep", "a%2F%2Fx.cep", "x.cep%00", ".%2Fx.cep", "a%0A.cep",
		"x.cep%2F", "%252e%252e%252fx", "x.cep%2F..", "%2F", "~%2Fx",
	} {
		a := r.ask("PUT", "/v1/rules/"+name, declared, "Content-Type", "text/plain", "If-Match", "*")
		a.want(400, `"mend":`)
		if a := r.ask("GET", "/v1/rules/"+name, ""); a.status != 404 {
			t.Errorf("GET of %s: status %d", name, a.status)
		}
	}
	for _, path := range []string{"/v1/rules/../../etc/passwd", "/v1//rules", "/V1/rules", "/v1/rules/", "/debug/pprof/..%2f..%2fx", "/debug/pprof/cmdline"} {
		if a := r.ask("GET", path, ""); a.status != 404 {
			t.Errorf("GET %s: status %d: %s", path, a.status, a.body)
		}
	}
	r.unharmed(2)
}

// sends opens a connection and sends a text; what comes back is read from it.
func sends(t *testing.T, url, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWhoIsUnknownHoldsNoConnection with a body that does not come: the answer does not wait for it.
func TestWhoIsUnknownHoldsNoConnection(t *testing.T) {
	r := start(t, func(o *Options) {
		o.Limits.Request = 10 * time.Minute
		o.Tokens = []Token{{"writer", hashed(t, "w"), []string{scopeRulesWrite}}}
	})
	url := r.serve()
	for request, want := range map[string]string{
		"POST /v1/events": "401", "PUT /v1/rules/x.cep": "401", "GET /healthz": "200", "POST /nothing": "404", "POST /readyz": "405", "GET /v1/alerts/stream": "401",
	} {
		for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			c := sends(t, url, request+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+length+"\r\n\r\n")
			text, err := io.ReadAll(c) // to the end: the connection is let go
			if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 "+want) {
				t.Errorf("%s, %s: %v, %.60q, want %s", request, length, err, text, want)
			}
		}
	}
}

// TestARefusalIsHeard by who sends all of a body before it reads the answer.
func TestARefusalIsHeard(t *testing.T) {
	const sent = 32 << 20
	r := start(t, func(o *Options) {
		o.Limits.Body = sent / 4
		o.Tokens = []Token{{"writer", hashed(t, "w"), []string{scopeRulesWrite}}}
	})
	url := r.serve()
	for route, want := range map[string]string{
		"POST /v1/events": "403", "PUT /v1/rules": "415", "PUT /v1/rules/x.cep": "413",
	} {
		head := route + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer w\r\nContent-Type: text/plain\r\nIf-Match: *\r\nContent-Length: " + fmt.Sprint(sent) + "\r\n\r\n"
		c := sends(t, url, head+strings.Repeat(" ", sent))
		answer := make([]byte, 12)
		if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 "+want {
			t.Errorf("%s: %q, %v, want %s", route, answer, err, want)
		}
	}
}

// TestBodiesTogetherAreBounded: many that come slowly do not fill the memory.
func TestBodiesTogetherAreBounded(t *testing.T) {
	r := start(t, func(o *Options) {
		o.Limits.Request = 10 * time.Minute
		o.Limits.Body, o.Limits.Bodies = 1<<20, 2<<20
	})
	url := r.serve()
	r.put(over10).want(200)
	var slow []net.Conn
	for range 2 {
		slow = append(slow, sends(t, url, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat(" ", 900_000)))
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for range 6000 {
			if is() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("it never came that " + what)
	}
	until("the bodies are read", func() bool { return r.s.bodies.Load() == 1_800_000 })
	r.ask("POST", "/v1/events", `{"type":"e","at":1,"n":1,"who":"`+strings.Repeat("x", 500_000)+`"}`).want(429, "urn:cepheus:problem:bodies", "larger than 2097152 bytes together")
	r.ask("POST", "/v1/events", `{"type":"e","at":1,"n":1,"who":"a"}`).want(202)
	for _, c := range slow {
		_ = c.Close()
	}
	until("they are forgotten", func() bool { return r.s.bodies.Load() == 0 })
	r.unharmed(2)
}
