package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Options of a sink. The zero value is good.
type Options struct {
	// Method of the requests. Default POST.
	Method string

	// Batch is how many alerts a request carries at most; 0 and 1: one. Alerts of a group
	// are always sent together.
	Batch int

	// Header is added to each request.
	Header http.Header

	// Format is how alerts are written. Default: one as JSON; with Batch, or of a group, as
	// JSON lines.
	Format Format

	// Secret signs each request, see [Sign]. Empty: none is signed.
	Secret string

	// Transport makes the connections; nil: one of the sink's own.
	Transport http.RoundTripper

	// Now is the wall clock. Default time.Now.
	Now func() time.Time
}

// Format is how alerts are written for a receiver.
type Format interface {
	// Body writes alerts of one group, or that came together, at least one, as one request.
	Body(alerts []*sinks.Alert, group string) ([]byte, error)

	// Most is how many alerts a request carries at most, whatever the options say.
	Most() int
}

// keyed is a format whose messages hold a secret.
type keyed interface{ secret() string }

// secretsOf are what a format's messages hold that is never shown.
func secretsOf(f Format) []string {
	if k, ok := f.(keyed); ok {
		return []string{k.secret()}
	}
	return nil
}

func (o *Options) validate() error {
	if o.Batch < 0 {
		return errors.New("webhook: a batch is negative")
	}
	o.Batch = max(o.Batch, 1)
	if o.Method == "" {
		o.Method = http.MethodPost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Sink posts to one URL.
type Sink struct {
	o       Options
	url     *url.URL
	client  *http.Client
	own     *http.Transport // nil: the caller's
	secrets *strings.Replacer
}

var _ sinks.Sink = (*Sink)(nil)

// batchBytes bounds the body of a request of several alerts.
const batchBytes = 1 << 20

// New returns a sink for an http or https URL; a user and password in it are sent as basic
// authentication. Nothing is sent yet.
func New(target string, o Options) (*Sink, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	u, err := Parse(target)
	if err != nil {
		return nil, err
	}
	s := &Sink{o: o, url: u, secrets: hide(u, o.Header, append(secretsOf(o.Format), o.Secret)...)}
	if o.Transport == nil {
		s.own = transport()
		s.o.Transport = s.own
	}
	s.client = &http.Client{Transport: s.o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s, nil
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true // an answer is read for a few bytes
	return t
}

// Parse reads the URL of a receiver. Its error repeats nothing of a URL that cannot be
// read, for what stands where is not known.
func Parse(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be read; it is http://HOST[:PORT]/PATH, with other characters than letters, digits and -._~ of a user, password or path escaped (%40 for @)")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("no receiver is known for URLs of the scheme %q; there are http and https", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("the URL has no host; it is %s://HOST[:PORT]/PATH", u.Scheme)
	case u.Fragment != "":
		return nil, errors.New("the URL has a part after #, which is never sent; leave it away, or write %23")
	}
	return u, nil
}

// Name is what the receiver of a URL is called: scheme and host, and a hash of path and
// query, which may be secret. It does not depend on user and password, which may change.
func Name(u *url.URL) string {
	sum := sha256.Sum256([]byte(u.Scheme + "://" + u.Host + u.RequestURI()))
	return u.Scheme + "://" + u.Host + "#" + hex.EncodeToString(sum[:4])
}

// Concurrent says that several requests may be under way: they do not know of each other.
func (s *Sink) Concurrent() bool { return true }

// Deliver sends the first rows in one request.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	_, taken, err = s.Ask(ctx, rows)
	return taken, err
}

// batch is how many rows the next request carries.
func (s *Sink) batch(rows []sinks.Row) int {
	most, size := s.o.Batch, 0
	if rows[0].Group != "" {
		most = len(rows)
	}
	if s.o.Format != nil {
		most = min(most, s.o.Format.Most())
	}
	for i, r := range rows {
		size += len(r.Alert) + 1
		if i == most || i > 0 && size > batchBytes {
			return i
		}
	}
	return len(rows)
}

// message is what is sent in one request.
type message struct {
	body, contentType, key string
}

func (s *Sink) message(rows []sinks.Row) (m message, err error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		if ids[i], err = id(r.Alert); err != nil {
			return m, err
		}
	}
	switch {
	case s.o.Format != nil:
		text, err := s.written(rows)
		return message{text, "application/json", keyOf(ids)}, err
	case s.o.Batch == 1 && rows[0].Group == "":
		return message{string(rows[0].Alert), "application/json", ids[0]}, nil
	}
	var body bytes.Buffer
	for _, r := range rows {
		body.Write(r.Alert)
		body.WriteByte('\n')
	}
	return message{body.String(), "application/x-ndjson", keyOf(ids)}, nil
}

// written is what the format makes of rows. What it cannot write is refused, of several
// each alone.
func (s *Sink) written(rows []sinks.Row) (string, error) {
	var alerts []*sinks.Alert
	for _, r := range rows {
		a, err := sinks.ParseAlert(r.Alert)
		if err != nil {
			return "", err
		}
		alerts = append(alerts, a)
	}
	text, err := s.o.Format.Body(alerts, rows[0].Group)
	if err != nil {
		return "", &sinks.RejectedError{Err: fmt.Errorf("write the alert for the receiver: %w", err)}
	}
	return string(text), nil
}

// keyOf is the key of a batch: the id of the only alert, or a hash of all ids.
func keyOf(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:16])
}

// id returns the id of an alert, which a header must be able to hold.
func id(alert []byte) (string, error) {
	var a struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(alert, &a); err != nil {
		return "", &sinks.RejectedError{Err: fmt.Errorf("read the id of an alert: %w", err)}
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if a.ID == "" || strings.ContainsFunc(a.ID, odd) {
		return "", &sinks.RejectedError{Err: fmt.Errorf("an alert with the id %q, which no header can hold", a.ID)}
	}
	return a.ID, nil
}

// Flush has nothing to do: what was taken was accepted.
func (s *Sink) Flush(context.Context) error { return nil }

// Close closes the connections that are kept for reuse.
func (s *Sink) Close() error {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
	return nil
}
