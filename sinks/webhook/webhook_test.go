package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func alerts(from, to int) (rows []sinks.Row) {
	for i := from; i <= to; i++ {
		rows = append(rows, sinks.Row{Number: uint64(i), Alert: fmt.Appendf(nil, `{"id":"%04x","rule":"r","n":%d}`, i, i)})
	}
	return rows
}

func texts(rows []sinks.Row) (all []string) {
	for _, r := range rows {
		all = append(all, string(r.Alert))
	}
	return all
}

// receiver keeps the first of each id, in order. Before it takes a request it asks fault,
// which may answer itself, and then says so.
type receiver struct {
	mu          sync.Mutex
	fault       func(n int, w http.ResponseWriter, r *http.Request, body string) bool
	requests    int
	bodies      []string // of those taken
	kept        []string
	known       map[string]bool
	connections map[string]bool
	headers     []http.Header
}

func (k *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	k.mu.Lock()
	k.requests++
	n := k.requests
	k.mu.Unlock()
	if k.fault != nil && k.fault(n, w, r, string(body)) {
		return
	}
	k.take(r, string(body))
	w.WriteHeader(http.StatusAccepted)
}

func (k *receiver) take(r *http.Request, body string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known, k.connections = map[string]bool{}, map[string]bool{}
	}
	k.connections[r.RemoteAddr] = true
	k.headers, k.bodies = append(k.headers, r.Header.Clone()), append(k.bodies, body)
	for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		if id, err := id([]byte(line)); err != nil || k.known[id] {
			continue
		}
		id, _ := id([]byte(line))
		k.known[id] = true
		k.kept = append(k.kept, line)
	}
}

// serve starts a receiver, and a sink for it.
func serve(t *testing.T, k *receiver, o Options) *Sink {
	t.Helper()
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	return open(t, server.URL+"/hook", o)
}

func open(t *testing.T, target string, o Options) *Sink {
	t.Helper()
	s, err := New(target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// deliver has a dispatcher deliver all.
func deliver(t *testing.T, s *Sink, rows []sinks.Row) sinktest.Result {
	t.Helper()
	return sinktest.Deliver(t, s, sinks.Delivery{Timeout: 30 * time.Millisecond, StopOnFault: true}, texts(rows))
}

func TestAlertsArriveOneByOneOnOneConnection(t *testing.T) {
	k := &receiver{}
	s := serve(t, k, Options{Header: http.Header{"X-Team": {"fraud"}}})
	rows := alerts(1, 50)
	if err := deliver(t, s, rows).Err; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(rows), k.bodies); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
	if len(k.connections) != 1 {
		t.Errorf("%d connections for 50 alerts", len(k.connections))
	}
	for i, h := range k.headers {
		if h.Get("Idempotency-Key") != fmt.Sprintf("%04x", i+1) || h.Get("Content-Type") != "application/json" || h.Get("X-Team") != "fraud" {
			t.Fatalf("headers of alert %d: %v", i+1, h)
		}
	}
}

func TestBatchesAreJSONLines(t *testing.T) {
	k := &receiver{}
	s := serve(t, k, Options{Batch: 4})
	rows := alerts(1, 9)
	if err := deliver(t, s, rows).Err; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(rows), k.kept); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
	if k.requests != 3 || k.headers[0].Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d requests, of %s", k.requests, k.headers[0].Get("Content-Type"))
	}
	if a, b := k.headers[0].Get("Idempotency-Key"), k.headers[1].Get("Idempotency-Key"); len(a) != 32 || a == b {
		t.Errorf("keys of two batches: %q, %q", a, b)
	}
	if last := k.headers[2].Get("Idempotency-Key"); last != "0009" {
		t.Errorf("key of a batch of one: %q", last)
	}
}

// TestReceiverThatFailsAndComesBack: each fault once in a while, at first and in between.
func TestReceiverThatFailsAndComesBack(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, "not now")
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request){
		"429": status(429), "500": status(500), "503": status(503), "408": status(408), "409": status(409),
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.(interface{ SetLinger(int) error }).SetLinger(0)
				c.Close()
			}
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "220 mail.example ESMTP\r\n")
				c.Close()
			}
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			k := &receiver{fault: func(n int, w http.ResponseWriter, r *http.Request, _ string) bool {
				bad := n <= 3 || n%5 == 0
				if bad {
					fault(w, r)
				}
				return bad
			}}
			s := serve(t, k, Options{})
			rows := alerts(1, 20)
			if err := deliver(t, s, rows).Err; err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(texts(rows), k.kept); diff != "" {
				t.Errorf("(-sent +kept):\n%s", diff)
			}
		})
	}
}

// TestAnswerThatIsLostIsAskedForAgain: the receiver has taken the alert, and then resets.
func TestAnswerThatIsLostIsAskedForAgain(t *testing.T) {
	k := &receiver{}
	k.fault = func(n int, _ http.ResponseWriter, r *http.Request, body string) bool {
		if n%3 == 0 {
			k.take(r, body)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	s := serve(t, k, Options{})
	rows := alerts(1, 20)
	if err := deliver(t, s, rows).Err; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(rows), k.kept); diff != "" || len(k.bodies) == len(rows) {
		t.Errorf("%d taken (-sent +kept):\n%s", len(k.bodies), diff)
	}
}

// TestRefusedAlertIsToldAlone: of a batch too, and what comes before it is taken.
func TestRefusedAlertIsToldAlone(t *testing.T) {
	for _, code := range []int{400, 413, 422} {
		for _, batch := range []int{1, 7} {
			t.Run(fmt.Sprint(code, "batch=", batch), func(t *testing.T) {
				k := &receiver{fault: func(_ int, w http.ResponseWriter, _ *http.Request, body string) bool {
					if strings.Contains(body, `"n":5}`) {
						w.WriteHeader(code)
						io.WriteString(w, "n must not be 5")
						return true
					}
					return false
				}}
				s := serve(t, k, Options{Batch: batch})
				rows := alerts(1, 12)
				got := deliver(t, s, rows)
				if why := got.Dead[5]; got.Err != nil || len(got.Dead) != 1 || !strings.Contains(why, fmt.Sprint("answered ", code)) || !strings.Contains(why, "n must not be 5") {
					t.Errorf("%v, dead letters: %v", got.Err, got.Dead)
				}
				if diff := cmp.Diff(texts(slices.Delete(rows, 4, 5)), k.kept); diff != "" {
					t.Errorf("(-sent +kept):\n%s", diff)
				}
			})
		}
	}
}

// TestAnyRefusalsLeaveAllOthers compares with what the receiver would take one by one.
func TestAnyRefusalsLeaveAllOthers(t *testing.T) {
	bad := map[string]bool{}
	k := &receiver{fault: func(_ int, w http.ResponseWriter, _ *http.Request, body string) bool {
		for line := range strings.Lines(body) {
			if bad[strings.TrimSpace(line)] {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return true
			}
		}
		return false
	}}
	server := httptest.NewServer(k)
	defer server.Close()
	rapid.Check(t, func(r *rapid.T) {
		clear(bad)
		k.known, k.kept = nil, nil
		s, err := New(server.URL, Options{Batch: rapid.IntRange(1, 6).Draw(r, "batch")})
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		var want []string
		rows := alerts(1, rapid.IntRange(1, 12).Draw(r, "alerts"))
		for _, text := range texts(rows) {
			if rapid.IntRange(0, 3).Draw(r, "bad") == 0 {
				bad[text] = true
				continue
			}
			want = append(want, text)
		}
		got := deliver(t, s, rows)
		if diff := cmp.Diff(want, k.kept); diff != "" || got.Err != nil {
			r.Errorf("%v (-want +kept):\n%s", got.Err, diff)
		}
		for row := range got.Dead {
			if !bad[string(rows[row-1].Alert)] {
				r.Errorf("%s is a dead letter", rows[row-1].Alert)
			}
		}
		if len(got.Dead) != len(bad) {
			r.Errorf("%d dead letters of %d", len(got.Dead), len(bad))
		}
	})
}

func TestWrongReceiverIsNoFaultOfTheAlert(t *testing.T) {
	for code, mend := range map[int]string{301: "redirects are not followed", 307: "redirects", 401: "credentials", 403: "credentials", 404: "path", 405: "path", 415: "Unsupported"} {
		followed := 0
		k := &receiver{fault: func(n int, w http.ResponseWriter, _ *http.Request, _ string) bool {
			followed = n
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			return true
		}}
		s := serve(t, k, Options{})
		n, err := s.Deliver(t.Context(), alerts(1, 3))
		var fault *sinks.FaultError
		var status *StatusError
		if n != 0 || !errors.As(err, &fault) || !errors.As(err, &status) || status.Status != code || !strings.Contains(err.Error(), mend) || followed != 1 {
			t.Errorf("%d: %d taken, %d requests, %v", code, n, followed, err)
		}
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	secrets := []string{"s3cretpath", "s3cretquery", "s3cretuser", "s3cretpass", "s3crettoken", "s3crethmac"}
	answer := http.StatusForbidden
	k := &receiver{fault: func(_ int, w http.ResponseWriter, r *http.Request, _ string) bool {
		user, pass, _ := r.BasicAuth()
		w.WriteHeader(answer)
		fmt.Fprintln(w, r.URL, user, pass, r.Header.Get("X-Token"))
		return true
	}}
	server := httptest.NewServer(k)
	target := strings.Replace(server.URL, "http://", "http://s3cretuser:s3cretpass@", 1) + "/services/s3cretpath?key=s3cretquery"
	o := Options{Header: http.Header{"X-Token": {"Bearer s3crettoken"}}, Secret: "s3crethmac"}
	s := open(t, target, o)
	_, err := s.Deliver(t.Context(), alerts(1, 1))
	server.Close()
	gone := open(t, target, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, lost := gone.Deliver(ctx, alerts(1, 1))
	if err == nil || lost == nil {
		t.Fatal(err, lost)
	}
	said := err.Error() + lost.Error() + Name(s.url)
	for _, secret := range secrets {
		if strings.Contains(said, secret) {
			t.Errorf("%s is told: %s", secret, said)
		}
	}
	if !strings.Contains(said, strings.TrimPrefix(server.URL, "http://")) {
		t.Errorf("the host is not told: %s", said)
	}
}

func TestURLsThatCannotBe(t *testing.T) {
	for target, part := range map[string]string{
		"http://user:pa ss#w@host/": "cannot be read", "http://h:1x/": "cannot be read",
		"ftp://h/": `"ftp"`, "http:///x": "no host", "http://h/#x": "after #", "alerts": "scheme",
	} {
		if _, err := New(target, Options{}); err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "pa ss") {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := New("http://h/", Options{Batch: -1}); err == nil {
		t.Error("a negative batch was accepted")
	}
}

func TestNameIsThatOfTheReceiver(t *testing.T) {
	name := func(target string) string {
		u, err := Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		return Name(u)
	}
	a := name("https://h:8443/a?k=1")
	if !strings.HasPrefix(a, "https://h:8443#") || a != name("https://u:p@h:8443/a?k=1") || a == name("https://h:8443/a?k=2") {
		t.Errorf("names: %s, %s, %s", a, name("https://u:p@h:8443/a?k=1"), name("https://h:8443/a?k=2"))
	}
}

func TestAlertWithoutAnIDIsRefused(t *testing.T) {
	s := serve(t, &receiver{}, Options{})
	for _, text := range []string{`{"rule":"r"}`, `{"id":"a b"}`, `{"id":"é"}`, `no JSON`} {
		var rejected *sinks.RejectedError
		if _, err := s.Deliver(t.Context(), []sinks.Row{{Number: 1, Alert: []byte(text)}}); !errors.As(err, &rejected) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAnswersAreReadInBounds: 202 and 403 with a body that does not end.
func TestAnswersAreReadInBounds(t *testing.T) {
	for code, ok := range map[int]bool{202: true, 403: false} {
		k := &receiver{fault: func(_ int, w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.WriteHeader(code)
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
					return true
				}
			}
		}}
		s := serve(t, k, Options{})
		n, err := s.Deliver(t.Context(), alerts(1, 1))
		if (err == nil) != ok || (n == 1) != ok || err != nil && len(err.Error()) > 500 {
			t.Errorf("%d: %d taken, %v", code, n, err)
		}
	}
}

func TestRequestsAreSigned(t *testing.T) {
	k := &receiver{}
	now := time.Unix(1_700_000_000, 0)
	s := serve(t, k, Options{Secret: "shh", Method: http.MethodPut, Now: func() time.Time { return now }})
	if err := deliver(t, s, alerts(1, 1)).Err; err != nil {
		t.Fatal(err)
	}
	signature, body := k.headers[0].Get(SignatureHeader), []byte(k.bodies[0])
	if err := Verify("shh", signature, now.Add(time.Minute), 5*time.Minute, body); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another secret": Verify("other", signature, now, time.Minute, body),
		"another body":   Verify("shh", signature, now, time.Minute, body[1:]),
		"later":          Verify("shh", signature, now.Add(time.Hour), time.Minute, body),
		"another time":   Verify("shh", strings.Replace(signature, "t=17", "t=16", 1), now.Add(-1e8*time.Second), time.Minute, body),
		"none":           Verify("shh", "", now, time.Minute, body),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
