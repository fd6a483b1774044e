package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
)

// meaning is what an error says of the rows that were sent.
func (s *Sink) meaning(err error, rows int) error {
	var (
		status   *StatusError
		rejected *sinks.RejectedError
	)
	switch {
	case errors.As(err, &rejected):
		return &sinks.RejectedError{Err: rejected.Err, Batch: rows > 1}
	case !errors.As(err, &status):
		return sinks.Unreached(s.host(), err)
	case status.aboutTheAlert():
		return &sinks.RejectedError{Err: fmt.Errorf("%s %w", s.host(), err), Batch: rows > 1}
	case status.passing():
		return &sinks.RetryError{Err: fmt.Errorf("%s %w", s.host(), err), After: status.after}
	}
	return &sinks.FaultError{Err: fmt.Errorf("%s %w", s.host(), err)}
}

// attempt sends a message once, and returns an answer that accepts it. Its error is a
// *StatusError where there was another.
func (s *Sink) attempt(ctx context.Context, m message) (accepted string, err error) {
	req, err := s.request(ctx, m)
	if err != nil {
		return "", s.clean(err)
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return "", s.clean(err)
	}
	defer answer.Body.Close()
	said := s.read(answer)
	if answer.StatusCode/100 != 2 {
		return "", said
	}
	return said.Error(), nil
}

func (s *Sink) request(ctx context.Context, m message) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, s.o.Method, s.url.String(), strings.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	for name, values := range s.o.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", m.contentType)
	req.Header.Set("Idempotency-Key", m.key)
	req.Header.Set("User-Agent", "cepheus")
	if trace := sinks.Trace(ctx); trace != "" { // of several alerts that of the first
		req.Header.Set("Traceparent", trace)
	}
	if s.o.Secret != "" {
		req.Header.Set(SignatureHeader, Sign(s.o.Secret, s.o.Now(), []byte(m.body)))
	}
	return req, nil
}

const (
	shownBytes = 200      // of an answer, in an error
	drainBytes = 64 << 10 // of an answer, read so that its connection can be used again
)

// read reads an answer, in bounds. What was said with a 2xx counts though its body never ends.
func (s *Sink) read(answer *http.Response) *StatusError {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 8*shownBytes)) // the status is what counts
	io.Copy(io.Discard, io.LimitReader(answer.Body, drainBytes))     //nolint:errcheck // as above
	shown := s.secrets.Replace(string(text))                         // before it is cut, which could leave half of one
	return &StatusError{
		Status: answer.StatusCode,
		Answer: strings.ToValidUTF8(shown[:min(len(shown), shownBytes)], ""),
		after:  retryAfter(answer.Header.Get("Retry-After"), s.o.Now()),
	}
}

// clean takes the URL and what else is secret out of an error of the client.
func (s *Sink) clean(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return &cleaned{s.secrets.Replace(err.Error()), err}
}

// cleaned shows an error without secrets; what kind it is can still be told.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }
func (e *cleaned) Unwrap() error { return e.err }

// host is what is shown of the URL.
func (s *Sink) host() string { return s.url.Scheme + "://" + s.url.Host }
