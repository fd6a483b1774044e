package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Options of a sink. The zero value is good.
type Options struct {
	// Batch is how many alerts a request carries at most; 0 and 1: one, as JSON.
	Batch int

	// Header is added to each request.
	Header http.Header

	// Timeout bounds one attempt, from the connection to the end of the answer. Default 10 s.
	Timeout time.Duration

	// Backoff is the bound of the first wait, which doubles up to MaxBackoff; each wait is
	// drawn below its bound. Defaults 200 ms and 30 s.
	Backoff, MaxBackoff time.Duration

	// MaxRetryAfter bounds what a receiver may ask for. Default 5 min.
	MaxRetryAfter time.Duration

	// Transport makes the connections; nil: one of the sink's own.
	Transport http.RoundTripper

	// Random draws from [0, 1). Default: the process's own.
	Random func() float64

	// Now is the wall clock. Default time.Now.
	Now func() time.Time

	// Log says that a receiver does not answer, and that it does again. Nil discards it.
	Log *slog.Logger
}

func (o *Options) validate() error {
	if o.Batch < 0 || o.Timeout < 0 || o.Backoff < 0 || o.MaxBackoff < 0 || o.MaxRetryAfter < 0 {
		return errors.New("webhook: an option is negative")
	}
	o.Batch = max(o.Batch, 1)
	fill(&o.Timeout, 10*time.Second)
	fill(&o.Backoff, 200*time.Millisecond)
	fill(&o.MaxBackoff, 30*time.Second)
	fill(&o.MaxRetryAfter, 5*time.Minute)
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func fill(d *time.Duration, other time.Duration) {
	if *d == 0 {
		*d = other
	}
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

const (
	// batchBytes bounds the body of a request of several alerts.
	batchBytes = 1 << 20

	// turn is how long Deliver goes on before it reports what it has delivered, so that a
	// crash repeats little where the receiver is slow.
	turn = 100 * time.Millisecond
)

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
	s := &Sink{o: o, url: u, secrets: hide(u, o.Header)}
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
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // it is one
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

// Deliver posts rows in order and returns when they have been accepted, or after a while
// with those that were.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	until := s.o.Now().Add(turn)
	for taken < len(rows) && (taken == 0 || s.o.Now().Before(until)) {
		n, err := s.send(ctx, rows[taken:taken+s.batch(rows[taken:])])
		taken += n
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// batch is how many rows the next request carries.
func (s *Sink) batch(rows []sinks.Row) int {
	size := 0
	for i, r := range rows {
		size += len(r.Alert) + 1
		if i == s.o.Batch || i > 0 && size > batchBytes {
			return i
		}
	}
	return len(rows)
}

// send posts rows in one request, or, where they are refused together, in smaller ones.
func (s *Sink) send(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	m, err := s.message(rows)
	if err == nil {
		err = s.post(ctx, m)
	}
	var rejected *sinks.RejectedError
	switch {
	case err == nil:
		return len(rows), nil
	case len(rows) == 1 || !errors.As(err, &rejected):
		return 0, err
	}
	half := len(rows) / 2
	if taken, err = s.send(ctx, rows[:half]); err != nil {
		return taken, err
	}
	taken, err = s.send(ctx, rows[half:])
	return half + taken, err
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
	if s.o.Batch == 1 {
		return message{string(rows[0].Alert), "application/json", ids[0]}, nil
	}
	var body bytes.Buffer
	for _, r := range rows {
		body.Write(r.Alert)
		body.WriteByte('\n')
	}
	return message{body.String(), "application/x-ndjson", keyOf(ids)}, nil
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
