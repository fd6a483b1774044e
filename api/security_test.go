package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

func TestNewTokens(t *testing.T) {
	token, hash := NewToken()
	if same, err := matches(hash, token); err != nil || !same {
		t.Errorf("the hash is not that of the token: %v", err)
	}
	if same, _ := matches(hash, token+"x"); same {
		t.Error("the hash is that of another too")
	}
	if other, otherHash := NewToken(); other == token || otherHash == hash {
		t.Error("two tokens are the same")
	}
}

// lines are those of the audit log with a text in them.
func (r *rig) lines(text string) (n int) {
	r.t.Helper()
	log, err := os.ReadFile(r.audit)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		if strings.Contains(string(line), text) {
			n++
		}
	}
	return n
}

// TestAFloodDoesNotFillTheAuditLog: who has no token can send requests for nothing.
func TestAFloodDoesNotFillTheAuditLog(t *testing.T) {
	r := start(t, func(o *Options) { o.Tokens = []Token{{"writer", hashed(t, "w"), []string{scopeAdmin}}} })
	for range 200 {
		r.ask("GET", "/v1/rules", "")
	}
	if n := r.lines(`"status":401`); n < failuresAtOnce || n > failuresAtOnce+5 {
		t.Errorf("%d lines of requests without a token, want about %d", n, failuresAtOnce)
	}
	if n := r.lines(`"status":429`); n != 1 {
		t.Errorf("%d lines of what came beyond the rate, want 1", n)
	}
	if log, _ := os.ReadFile(r.audit); !bytes.Contains(log, []byte(`"from":"`)) {
		t.Errorf("the log does not say from where:\n%s", log)
	}
}

// TestABodyIsNotHeldByItsRecords: what waits in the queue is bounded by the records' bytes.
func TestABodyIsNotHeldByItsRecords(t *testing.T) {
	for _, media := range []string{mediaJSON, mediaLines} {
		body := `{"a":1}` + strings.Repeat(" ", 1<<20)
		released()
		g, _ := gin.CreateTestContext(httptest.NewRecorder())
		g.Request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", strings.NewReader(body))
		g.Request.Header.Set("Content-Type", media)
		s := &Server{o: Options{Limits: Limits{Body: 2 << 20, Events: 10}}}
		records, err := (&call{Context: g, s: s}).records()
		if err != nil || len(records) != 1 || cap(records[0]) > 1000 {
			t.Errorf("%s: %d records, the first holds %d bytes: %v", media, len(records), cap(records[0]), err)
		}
	}
}

// TestTheAuditLogHasNoKeys: that of a table stands in the path, and is people's data.
func TestTheAuditLogHasNoKeys(t *testing.T) {
	r := start(t, func(o *Options) { o.Tokens = []Token{{"writer", hashed(t, "w"), []string{scopeEventsWrite}}} })
	r.ask("GET", "/v1/tables/usual/4111-1111", "").want(401)
	if log, _ := os.ReadFile(r.audit); bytes.Contains(log, []byte("4111")) || r.lines(`"on":"/v1/tables/usual/{key}"`) != 1 {
		t.Errorf("the log is\n%s", log)
	}
}

// full is a file on a disk that has no room for a while, and then a little.
type full struct {
	*os.File
	room int // bytes; negative: enough
}

func (f *full) Write(b []byte) (n int, err error) {
	if f.room < 0 {
		return f.File.Write(b)
	}
	n, err = f.File.Write(b[:min(len(b), f.room)])
	f.room -= n
	if n < len(b) && err == nil {
		err = &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return n, err
}

// TestNothingChangesWithoutItsLine: while the audit log cannot be written changes are refused,
// nobody is told where it is, and the log of the process has what is missing in it.
func TestNothingChangesWithoutItsLine(t *testing.T) {
	var said bytes.Buffer
	r := start(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	f := &full{File: r.s.ledger.file.(*os.File), room: 10}
	r.s.ledger.file = f
	r.put(over10).want(200) // that there is no room shows when it is made
	if text := said.String(); !strings.Contains(text, "the audit log cannot be written") || !strings.Contains(text, "what=putRuleFile") || !strings.Contains(text, "after=2") || !strings.Contains(text, r.audit) {
		t.Errorf("the log of the process has\n%s", text)
	}
	for _, a := range []*says{
		r.put(strings.Replace(over10, "10", "20", 1)), r.ask("DELETE", "/v1/rules/r.cep", "", "If-Match", "*"), r.ask("GET", "/readyz", ""),
		r.ask("POST", "/v1/silences", `{"for":"1h","match":{"rules":["over"]}}`),
	} {
		a.want(503, "the audit log cannot be written: no space left on device")
		if strings.Contains(string(a.body), filepath.Dir(r.audit)) {
			t.Errorf("the answer says where it is: %s", a.body)
		}
	}
	r.ask("GET", "/v1/rules/r.cep", "").want(200, "n > 10")
	r.ask("GET", "/v1/status", "").want(200, `"ready":false`)

	f.room = -1
	r.put(strings.Replace(over10, "10", "20", 1)).want(200)
	r.ask("GET", "/readyz", "").want(200)
	text, err := os.ReadFile(r.audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || len(lines[0]) != 10 || !strings.Contains(lines[1], "lines before this one could not be written") || !strings.Contains(lines[2], `"before":2,"after":3`) {
		t.Errorf("the audit log is\n%s", text)
	}
}

func TestTheAuditLogHasVersions(t *testing.T) {
	r := start(t, func(*Options) {})
	r.put(over10).want(200)
	r.put("rule broken {").want(422)
	if r.lines(`"what":"putRuleFile"`) != 2 || r.lines(`"before":1,"after":2`) != 1 || r.lines(`"status":422`) != 1 {
		log, _ := os.ReadFile(r.audit)
		t.Errorf("the audit log is\n%s", log)
	}
}

// TestPagesOfOtherOrigins: without tokens a page in a browser of this machine can send
// requests as anybody here; it must change nothing.
func TestPagesOfOtherOrigins(t *testing.T) {
	r := start(t, func(o *Options) { o.Tokens = nil })
	for name, c := range map[string]struct {
		method string
		header http.Header
		host   string
		want   int
	}{
		"a page of another origin":           {"POST", http.Header{"Origin": {"https://evil.example"}}, "localhost:8080", 403},
		"as browsers say it now":             {"POST", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "localhost:8080", 403},
		"of another origin of this machine":  {"POST", http.Header{"Sec-Fetch-Site": {"same-site"}}, "localhost:8080", 403},
		"no page":                            {"POST", nil, "localhost:8080", 404},
		"a page that looks":                  {"GET", http.Header{"Origin": {"https://evil.example"}}, "localhost:8080", 405},
		"a name that leads here":             {"POST", nil, "evil.example", 421},
		"a name that leads here, to look by": {"GET", nil, "evil.example:8080", 421},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+c.host+"/v1/config:reload", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header, req.RemoteAddr = c.header, "127.0.0.1:5"
		if req.Header == nil {
			req.Header = http.Header{}
		}
		got := httptest.NewRecorder()
		r.s.ServeHTTP(got, req)
		if got.Code != c.want {
			t.Errorf("%s: status %d, want %d: %s", name, got.Code, c.want, got.Body)
		}
		if h := got.Header().Get("Access-Control-Allow-Origin"); h != "" {
			t.Errorf("%s: CORS gives %q", name, h)
		}
	}
}

// TestTheCertificatesOfClientsAreReadAgain: one that another authority signed is known when that
// is, and the former is no more.
func TestTheCertificatesOfClientsAreReadAgain(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	ca.issue("server")
	ca.issue("client")
	other.issue("client")
	clock := time.Now()
	r := start(t, func(o *Options) {
		o.TLS = &TLS{Cert: ca.path("server.pem"), Key: ca.path("server.key"), ClientCA: ca.path("ca.pem")}
	})
	r.s.certs.clock = func() time.Time { clock = clock.Add(time.Minute); return clock }
	url := strings.Replace(r.serve(), "http:", "https:", 1)
	answers := func(of *authority) bool {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(of.path("client.pem"), of.path("client.key"))
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{pair}}}}
		a, err := client.Get(url + "/v1/status")
		if err == nil {
			_ = a.Body.Close()
		}
		return err == nil && a.StatusCode == 200
	}
	if !answers(ca) || answers(other) {
		t.Error("at first, not the one and the other alone is answered")
	}
	text, err := os.ReadFile(other.path("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca.path("ca.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if answers(ca) || !answers(other) {
		t.Error("after the change, not the other alone is answered")
	}
}

// TestTheSchemeIsInAnyLetters, as RFC 9110 has it; what is no Bearer is no token.
func TestTheSchemeIsInAnyLetters(t *testing.T) {
	for header, want := range map[string]string{"Bearer x": "x", "bearer x": "x", "BEARER  x ": "x", "x": "x", "Bearer": "Bearer", "Bearer ": "Bearer", "": "", "Basic x": "Basic x"} {
		if got := bearer(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// TestAddressesOfOneNetwork have one rate together: of IPv6 anybody has more of them than could be
// remembered.
func TestAddressesOfOneNetwork(t *testing.T) {
	for from, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "@": "@"} {
		if got := network(from); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
	g, err := newGate(&Options{Tokens: []Token{{"writer", hashed(t, "w"), nil}}})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := range 100 {
		_, err := g.byToken(t.Context(), fmt.Sprintf("2001:db8::%x", n+1), "")
		if p := (*problem)(nil); errors.As(err, &p) && p.is(kindRate) {
			refused++
		}
	}
	if refused < 80 {
		t.Errorf("%d of 100 requests from one network are refused for their rate", refused)
	}
}
