package email

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

// server is an SMTP server in this process. Before it takes a message it asks fault.
type server struct {
	mu       sync.Mutex
	fault    func(n int, what string) error
	asked    int
	messages []string
	logins   []string
	only     string // the way to log in
	forget   bool   // keep no message
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

func (s *server) ask(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.fault == nil {
		return nil
	}
	return s.fault(s.asked, what)
}

type session struct{ s *server }

func (c *session) AuthMechanisms() []string { return []string{c.s.only} }

func (c *session) Auth(way string) (sasl.Server, error) {
	check := func(user, password string) error {
		c.s.mu.Lock()
		c.s.logins = append(c.s.logins, way+" "+user)
		c.s.mu.Unlock()
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}
	if way == sasl.Plain {
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	}
	return &oldLogin{check: check}, nil
}

// oldLogin asks for the user, then for the password.
type oldLogin struct {
	check func(user, password string) error
	user  *string
	asked bool
}

func (l *oldLogin) Next(answer []byte) (question []byte, done bool, err error) {
	switch {
	case !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(answer)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(answer))
}

func (c *session) Mail(string, *smtp.MailOptions) error      { return c.s.ask("mail") }
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error { return c.s.ask("rcpt " + to) }
func (c *session) Reset()                                    {}
func (c *session) Logout() error                             { return nil }

func (c *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := c.s.ask("data " + string(text)); err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.s.forget {
		c.s.messages = append(c.s.messages, string(text))
	}
	return nil
}

// certificate is one of its own for 127.0.0.1.
func certificate(t testing.TB, until time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serve starts a server, and a sink for it.
func serve(t testing.TB, s *server, how Encryption, change func(*Options)) *Sink {
	t.Helper()
	if s.only == "" {
		s.only = sasl.Plain
	}
	cert, roots := certificate(t, time.Now().Add(time.Hour))
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	back := smtp.NewServer(s)
	back.Domain, back.AllowInsecureAuth = "localhost", false
	back.ErrorLog = quiet{}
	switch how {
	case StartTLS:
		back.TLSConfig = config
	case TLS:
		l = tls.NewListener(l, config)
	}
	go back.Serve(l)
	t.Cleanup(func() { back.Close() })
	o := Options{Host: addr, From: "Cepheus <alerts@example.org>", To: []string{"Ann <ann@example.org>", "bob@example.org"}, Encryption: how, Roots: roots}
	if how != None {
		o.User, o.Password = "u", "right"
	}
	if change != nil {
		change(&o)
	}
	sink, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// read takes a message apart.
func read(t testing.TB, text string) (header mail.Header, parts map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts = map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts[p.Header.Get("Content-Type")] = string(content)
	}
}

func TestAlertsAreMessages(t *testing.T) {
	for _, how := range []Encryption{StartTLS, TLS, None} {
		t.Run(string(how), func(t *testing.T) {
			s := &server{}
			got := sinktest.Deliver(t, serve(t, s, how, nil), sinks.Delivery{}, sinktest.Alerts(3))
			if got.Err != nil || len(s.messages) != 3 {
				t.Fatalf("%d messages, %+v", len(s.messages), got)
			}
			header, parts := read(t, s.messages[1])
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			if err != nil || subject != "[high] Card 2 is <tested>" || header.Get("To") != `"Ann" <ann@example.org>, <bob@example.org>` {
				t.Errorf("%v, %v", subject, header)
			}
			text, page := parts["text/plain; charset=utf-8"], parts["text/html; charset=utf-8"]
			if !strings.Contains(text, "card: c2\r\n") || !strings.Contains(text, "Runbook: https://wiki.example/card") || !strings.Contains(text, `"amount":900`) {
				t.Errorf("text:\n%s", text)
			}
			if !strings.Contains(page, "Card 2 is &lt;tested&gt;") || !strings.Contains(page, `href="https://wiki.example/card"`) {
				t.Errorf("page:\n%s", page)
			}
		})
	}
}

type oneGroup struct{}

func (oneGroup) Route(sinks.Row) sinks.Decision {
	return sinks.Decision{Group: "rule=\"x\"", Wait: time.Hour}
}

func TestGroupIsOneMessage(t *testing.T) {
	s := &server{}
	got := sinktest.DeliverRouted(t, sinks.Target{Name: "mail", Sink: serve(t, s, StartTLS, nil), Router: oneGroup{}}, sinktest.Alerts(150))
	if got.Err != nil || len(s.messages) != 2 {
		t.Fatalf("%d messages, %+v", len(s.messages), got)
	}
	header, parts := read(t, s.messages[0])
	if n := strings.Count(parts["text/plain; charset=utf-8"], "Runbook"); n != 100 || header.Get("Subject") != `100 alerts: rule="x"` {
		t.Errorf("%d alerts under %s", n, header.Get("Subject"))
	}
}

func answer(code int) error { return &smtp.SMTPError{Code: code, Message: "not so"} }

func TestAnswersAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		fault         func(n int, what string) error
		retries, dead bool
		ends          string
	}{
		"busy":       {fault: func(n int, _ string) error { return map[bool]error{true: answer(451)}[n < 4] }, retries: true},
		"greylisted": {fault: func(n int, what string) error { return map[bool]error{true: answer(450)}[n < 4 && what != "mail"] }, retries: true},
		"spam": {fault: func(_ int, what string) error {
			return map[bool]error{true: answer(554)}[strings.Contains(what, "Card 2")]
		}, dead: true},
		"no such person": {fault: func(_ int, what string) error {
			return map[bool]error{true: answer(550)}[what == "rcpt bob@example.org"]
		}, ends: "recipient bob@example.org"},
		"not for us": {fault: func(_ int, what string) error { return map[bool]error{true: answer(553)}[what == "mail"] }, ends: "sender alerts@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{fault: c.fault}
			got := sinktest.Deliver(t, serve(t, s, StartTLS, nil), sinks.Delivery{StopOnFault: true}, sinktest.Alerts(3))
			if c.ends != "" {
				if fault := (*sinks.FaultError)(nil); !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), c.ends) {
					t.Errorf("%v", got.Err)
				}
				return
			}
			want := 3
			if c.dead {
				want = 2
			}
			if got.Err != nil || (got.Stats.Retries > 0) != c.retries || (got.Dead[2] != "") != c.dead || len(s.messages) != want {
				t.Errorf("%d messages, %+v", len(s.messages), got)
			}
		})
	}
}

func TestConnectionsThatMustNotBe(t *testing.T) {
	_, strangers := certificate(t, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		serve  Encryption
		change func(*Options)
		want   string
	}{
		"wrong password": {StartTLS, func(o *Options) { o.Password = "s3cretwrong" }, "the login"},
		"another's":      {StartTLS, func(o *Options) { o.Roots = strangers }, "not trusted"},
		"another's, TLS": {TLS, func(o *Options) { o.Roots = strangers }, "not trusted"},
		"another name":   {TLS, func(o *Options) { o.Host = strings.Replace(o.Host, "127.0.0.1", "localhost", 1) }, "not trusted"},
		"no STARTTLS":    {None, func(o *Options) { o.Encryption, o.User = StartTLS, "u" }, "does not offer STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			sink := serve(t, s, c.serve, c.change)
			if err := sink.Probe(t.Context()); err == nil {
				t.Error("the probe finds nothing")
			}
			got := sinktest.Deliver(t, sink, sinks.Delivery{StopOnFault: true}, sinktest.Alerts(1))
			fault := (*sinks.FaultError)(nil)
			if !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), c.want) || strings.Contains(got.Err.Error(), "s3cret") || len(s.messages) != 0 {
				t.Errorf("%v", got.Err)
			}
		})
	}
}

func TestOldServersAreLoggedInTo(t *testing.T) {
	s := &server{only: sasl.Login}
	sink := serve(t, s, StartTLS, nil)
	if err := sink.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	s.logins = nil
	got := sinktest.Deliver(t, sink, sinks.Delivery{}, sinktest.Alerts(1))
	if diff := cmp.Diff([]string{"LOGIN u"}, s.logins); diff != "" || got.Err != nil || len(s.messages) != 1 {
		t.Errorf("%+v %s", got, diff)
	}
}

// TestServerThatNeverAnswersIsLeft, and one that nobody has started.
func TestServerThatNeverAnswersIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, addr := range []string{l.Addr().String(), "127.0.0.1:1"} {
		for _, how := range []Encryption{StartTLS, TLS} {
			s, err := New(Options{Host: addr, From: "a@b", To: []string{"c@d"}, Encryption: how})
			if err != nil {
				t.Fatal(err)
			}
			got := sinktest.Deliver(t, s, sinks.Delivery{Timeout: 30 * time.Millisecond, MaxElapsed: 10 * time.Millisecond}, sinktest.Alerts(1))
			if got.Err != nil || got.Stats.Retries == 0 || got.Dead[1] == "" {
				t.Errorf("%s %s: %+v", addr, how, got)
			}
		}
	}
}

// TestAnyAlertIsAMessage: its header has the lines it should have and no others.
func TestAnyAlertIsAMessage(t *testing.T) {
	s, err := New(Options{Host: "h:1", From: "a@b", To: []string{"c@d"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"x\r\nBcc: evil@example.org", "<script>", strings.Repeat("é", 3000)}))
		a := &sinks.Alert{ID: word.Draw(r, "id"), Title: word.Draw(r, "title"), Rule: word.Draw(r, "rule"), Runbook: word.Draw(r, "runbook"), Fields: map[string]any{word.Draw(r, "name"): word.Draw(r, "value")}}
		text, err := s.message([]*sinks.Alert{a}, "")
		if err != nil {
			r.Fatal(err)
		}
		header, parts := read(t, string(text))
		if len(header) != 8 || len(parts) != 2 || strings.Contains(parts["text/html; charset=utf-8"], "<script>") {
			r.Errorf("%v\n%s", header, text)
		}
	})
}

func TestWrongOptions(t *testing.T) {
	good := Options{Host: "h:25", From: "a@b", To: []string{"c@d"}}
	for name, change := range map[string]func(*Options){
		"no port": func(o *Options) { o.Host = "h" }, "no sender": func(o *Options) { o.From = "" }, "no recipient": func(o *Options) { o.To = nil },
		"no address": func(o *Options) { o.To = []string{"ann"} }, "no such encryption": func(o *Options) { o.Encryption = "ssl" },
		"a password in the clear": func(o *Options) { o.Encryption, o.User = None, "u" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
