package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
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

// serve starts a receiver, and a sink for it that does not wait long.
func serve(t *testing.T, k *receiver, o Options) *Sink {
	t.Helper()
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	if o.Backoff == 0 {
		o.Backoff, o.MaxBackoff = time.Millisecond, 4*time.Millisecond
	}
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

// deliver hands all rows on, as the dispatcher does.
func deliver(ctx context.Context, s *Sink, rows []sinks.Row) error {
	for len(rows) > 0 {
		n, err := s.Deliver(ctx, rows)
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return s.Flush(ctx)
}

func TestAlertsArriveOneByOneOnOneConnection(t *testing.T) {
	k := &receiver{}
	s := serve(t, k, Options{Header: http.Header{"X-Team": {"fraud"}}})
	rows := alerts(1, 50)
	if err := deliver(t.Context(), s, rows); err != nil {
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
	if err := deliver(t.Context(), s, rows); err != nil {
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
			s := serve(t, k, Options{Timeout: 30 * time.Millisecond})
			rows := alerts(1, 20)
			if err := deliver(t.Context(), s, rows); err != nil {
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
	if err := deliver(t.Context(), s, rows); err != nil {
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
				n, err := 0, error(nil)
				for rows := alerts(1, 12); err == nil && n < 12; {
					var taken int
					taken, err = s.Deliver(t.Context(), rows[n:])
					n += taken
				}
				var rejected *sinks.RejectedError
				var status *StatusError
				if !errors.As(err, &rejected) || !errors.As(err, &status) || status.Status != code || n != 4 {
					t.Fatalf("%d taken, %v", n, err)
				}
				if !strings.Contains(err.Error(), "n must not be 5") {
					t.Errorf("the error does not say what was answered: %v", err)
				}
				if diff := cmp.Diff(texts(alerts(1, 4)), k.kept); diff != "" {
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
		var want, refused []string
		rows := alerts(1, rapid.IntRange(1, 12).Draw(r, "alerts"))
		for _, text := range texts(rows) {
			if rapid.IntRange(0, 3).Draw(r, "bad") == 0 {
				bad[text] = true
				continue
			}
			want = append(want, text)
		}
		for len(rows) > 0 {
			n, err := s.Deliver(context.Background(), rows)
			if err != nil {
				refused = append(refused, string(rows[n].Alert))
				n++
			}
			rows = rows[n:]
		}
		if diff := cmp.Diff(want, k.kept); diff != "" {
			r.Errorf("(-want +kept):\n%s", diff)
		}
		if len(refused) != len(bad) || slices.ContainsFunc(refused, func(text string) bool { return !bad[text] }) {
			r.Errorf("refused %v, want %v", refused, bad)
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
		var rejected *sinks.RejectedError
		var status *StatusError
		if n != 0 || errors.As(err, &rejected) || !errors.As(err, &status) || status.Status != code || !strings.Contains(err.Error(), mend) || followed != 1 {
			t.Errorf("%d: %d taken, %d requests, %v", code, n, followed, err)
		}
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	secrets := []string{"s3cretpath", "s3cretquery", "s3cretuser", "s3cretpass", "s3crettoken"}
	var log bytes.Buffer
	answer := http.StatusInternalServerError
	k := &receiver{fault: func(n int, w http.ResponseWriter, r *http.Request, _ string) bool {
		user, pass, _ := r.BasicAuth()
		if n > 2 {
			answer = http.StatusForbidden
		}
		w.WriteHeader(answer)
		fmt.Fprintln(w, r.URL, user, pass, r.Header.Get("X-Token"))
		return true
	}}
	server := httptest.NewServer(k)
	target := strings.Replace(server.URL, "http://", "http://s3cretuser:s3cretpass@", 1) + "/services/s3cretpath?key=s3cretquery"
	o := Options{Header: http.Header{"X-Token": {"Bearer s3crettoken"}}, Backoff: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}
	s := open(t, target, o)
	_, err := s.Deliver(t.Context(), alerts(1, 1))
	server.Close()
	gone := open(t, target, Options{Backoff: 1, Log: o.Log})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, lost := gone.Deliver(ctx, alerts(1, 1))
	if err == nil || lost == nil {
		t.Fatal(err, lost)
	}
	said := err.Error() + lost.Error() + log.String() + Name(s.url)
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
	if _, err := New("http://h/", Options{Timeout: -1}); err == nil {
		t.Error("a negative timeout was accepted")
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
		s := serve(t, k, Options{Timeout: 5 * time.Second})
		n, err := s.Deliver(t.Context(), alerts(1, 1))
		if (err == nil) != ok || (n == 1) != ok || err != nil && len(err.Error()) > 500 {
			t.Errorf("%d: %d taken, %v", code, n, err)
		}
	}
}

// answers is a transport in memory.
type answers func(n int) (*http.Response, error)

type scripted struct {
	answers
	n  int
	at []time.Duration // when each attempt came, since the first
	t0 time.Time
}

func (s *scripted) RoundTrip(*http.Request) (*http.Response, error) {
	if s.n++; s.n == 1 {
		s.t0 = time.Now()
	}
	s.at = append(s.at, time.Since(s.t0))
	return s.answers(s.n)
}

func answer(code int, after string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}}, Body: http.NoBody}
}

func TestWaitsDoubleUpToABoundAndAreDrawn(t *testing.T) {
	for draw, want := range map[float64][]time.Duration{
		1:   {0, 1, 3, 7, 15, 25, 35},
		0.5: {0, 0, 1, 3, 7, 12, 17}, // at 0, 0.5, 1.5, 3.5, 7.5, 12.5, 17.5
	} {
		synctest.Test(t, func(t *testing.T) {
			script := &scripted{answers: func(n int) (*http.Response, error) {
				switch {
				case n == 7:
					return answer(200, ""), nil
				case n%2 == 0:
					return nil, errors.New("connection refused")
				}
				return answer(503, ""), nil
			}}
			s := open(t, "http://h/", Options{Transport: script, Backoff: time.Second, MaxBackoff: 10 * time.Second, Random: func() float64 { return draw }})
			if _, err := s.Deliver(t.Context(), alerts(1, 1)); err != nil {
				t.Fatal(err)
			}
			var got []time.Duration
			for _, at := range script.at {
				got = append(got, at.Truncate(time.Second)/time.Second)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seconds of the attempts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryAfterIsHeededInBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &scripted{answers: func(n int) (*http.Response, error) {
			switch n {
			case 1:
				return answer(429, "7"), nil
			case 2:
				return answer(503, time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), nil
			case 3:
				return answer(429, "86400"), nil
			}
			return answer(204, ""), nil
		}}
		s := open(t, "http://h/", Options{Transport: script, MaxRetryAfter: time.Minute})
		if _, err := s.Deliver(t.Context(), alerts(1, 1)); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, 7 * time.Second, 27 * time.Second, 87 * time.Second}
		if diff := cmp.Diff(want, script.at); diff != "" {
			t.Errorf("attempts at (-want +got):\n%s", diff)
		}
	})
}

func TestContextEndsAWaitAndKeepsWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &scripted{answers: func(n int) (*http.Response, error) {
			if n <= 2 {
				return answer(200, ""), nil
			}
			return answer(503, "60"), nil
		}}
		s := open(t, "http://h/", Options{Transport: script})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, err := s.Deliver(ctx, alerts(1, 5))
		if n != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d taken, %v", n, err)
		}
	})
}

func TestSlowReceiverIsReportedInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &scripted{answers: func(int) (*http.Response, error) {
			time.Sleep(time.Second)
			return answer(200, ""), nil
		}}
		s := open(t, "http://h/", Options{Transport: script})
		if n, err := s.Deliver(t.Context(), alerts(1, 1000)); n != 1 || err != nil {
			t.Errorf("%d taken at one a second, %v", n, err)
		}
	})
}
