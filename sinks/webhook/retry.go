package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// post sends a message until it is accepted or refused for good, or ctx ends.
func (s *Sink) post(ctx context.Context, m message) error {
	began := s.o.Now()
	for tries := 1; ; tries++ {
		err := s.attempt(ctx, m)
		status, answered := err.(*StatusError) //nolint:errorlint // attempt makes it
		switch {
		case err == nil:
			s.tellAgain(tries, began)
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("post to %s: %w", s.host(), ctx.Err())
		case answered && status.aboutTheAlert():
			return &sinks.RejectedError{Err: fmt.Errorf("%s %w", s.host(), err)}
		case answered && !status.passing():
			return fmt.Errorf("%s %w", s.host(), err)
		}
		wait := s.wait(tries, status)
		s.tellTrouble(tries, wait, err)
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("post to %s: %w", s.host(), err)
		}
	}
}

// attempt sends a message once. Its error is a *StatusError where there was an answer.
func (s *Sink) attempt(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), strings.NewReader(m.body))
	if err != nil {
		return s.clean(err)
	}
	for name, values := range s.o.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", m.contentType)
	req.Header.Set("Idempotency-Key", m.key)
	req.Header.Set("User-Agent", "cepheus")
	answer, err := s.client.Do(req)
	if err != nil {
		return s.clean(err)
	}
	defer answer.Body.Close()
	return s.judge(answer)
}

const (
	shownBytes = 200      // of an answer, in an error
	drainBytes = 64 << 10 // of an answer, read so that its connection can be used again
)

// judge reads an answer, in bounds. What was said with a 2xx counts though its body never ends.
func (s *Sink) judge(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 8*shownBytes)) //nolint:errcheck // the status is what counts
	io.Copy(io.Discard, io.LimitReader(answer.Body, drainBytes))     //nolint:errcheck // as above
	if answer.StatusCode/100 == 2 {
		return nil
	}
	shown := s.secrets.Replace(string(text)) // before it is cut, which could leave half of one
	return &StatusError{
		Status: answer.StatusCode,
		Answer: strings.ToValidUTF8(shown[:min(len(shown), shownBytes)], ""),
		after:  retryAfter(answer.Header.Get("Retry-After"), s.o.Now()),
	}
}

// clean takes the URL out of an error of the client.
func (s *Sink) clean(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", s.o.Timeout)
	}
	return errors.New(s.secrets.Replace(err.Error()))
}

// wait is how long to wait after so many tries: what the receiver has asked for, or a part
// drawn of a time that doubles.
func (s *Sink) wait(tries int, status *StatusError) time.Duration {
	if status != nil && status.after > 0 {
		return min(status.after, s.o.MaxRetryAfter)
	}
	bound := s.o.MaxBackoff
	if doubled := s.o.Backoff << min(tries-1, 30); doubled > 0 && doubled < bound && doubled>>min(tries-1, 30) == s.o.Backoff {
		bound = doubled
	}
	return time.Duration(s.o.Random() * float64(bound))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tellTrouble tells of the first try that came to nothing, the second, the fourth, and so on.
func (s *Sink) tellTrouble(tries int, wait time.Duration, err error) {
	if bits.OnesCount(uint(tries)) == 1 {
		s.o.Log.Warn("alerts wait: the receiver does not take them", "receiver", s.host(), "tries", tries, "next_in", wait.Round(time.Millisecond), "err", err)
	}
}

func (s *Sink) tellAgain(tries int, began time.Time) {
	if tries > 1 {
		s.o.Log.Info("the receiver takes alerts again", "receiver", s.host(), "tries", tries, "after", s.o.Now().Sub(began).Round(time.Millisecond))
	}
}

// host is what is shown of the URL.
func (s *Sink) host() string { return s.url.Scheme + "://" + s.url.Host }
