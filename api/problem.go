package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	"github.com/cepheus-cep/cepheus/sinks/route"
)

// problem is an RFC 9457 document, and the error that becomes one.
type problem struct {
	Type    string           `json:"type"`
	Title   string           `json:"title"`
	Status  int              `json:"status"`
	Detail  string           `json:"detail"`
	Mend    string           `json:"mend,omitempty"`    // what would help
	Version uint64           `json:"version,omitempty"` // of the rule set in service
	Errors  []source.Message `json:"errors,omitempty"`  // what is wrong with rule files

	retryAfter time.Duration
	header     http.Header
	cause      error // for the log alone
}

const problemMedia = "application/problem+json"

// Error is its detail.
func (p *problem) Error() string { return p.Detail }

// problemType is before the kind of each problem.
const problemType = "urn:cepheus:problem:"

// wrong makes a problem. The kind is the stable name of what is wrong.
func wrong(status int, kind, mend, detail string, args ...any) *problem {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &problem{Type: problemType + kind, Title: http.StatusText(status), Status: status, Detail: detail, Mend: mend}
}

// is reports whether it is of a kind.
func (p *problem) is(kind string) bool { return p.Type == problemType+kind }

// asProblem says what an error means to who asked.
func asProblem(err error) *problem {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p
	}
	if p := ofBody(err); p != nil {
		return p
	}
	if p := ofRules(err); p != nil {
		return p
	}
	if p := ofKeys(err); p != nil {
		return p
	}
	if p := ofQueue(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, deadletter.ErrNotFound), errors.Is(err, route.ErrNoSilence):
		return wrong(http.StatusNotFound, "not-found", "list what there is", err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return wrong(http.StatusServiceUnavailable, "timeout", "ask again; where it was a change, look first whether it was made", "it took too long")
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrEnded):
		return wrong(http.StatusServiceUnavailable, "ending", "ask again when the process has started anew", "the run is ending")
	}
	p := wrong(http.StatusInternalServerError, "internal", "look into the log of the process", "something went wrong that is not the request's fault")
	p.cause = err
	return p
}

// ofBody is about the reading of a body.
func ofBody(err error) *problem {
	large := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &large):
		return wrong(http.StatusRequestEntityTooLarge, "too-large", "send less at once", "the body is larger than %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p := wrong(http.StatusRequestTimeout, "slow-body", "send the body faster, or less at once", "the body did not come in time")
		p.header = http.Header{"Connection": {"close"}}
		return p
	}
	return nil
}

// ofKeys is about a look at a key.
func ofKeys(err error) *problem {
	key := (*engine.KeyError)(nil)
	switch {
	case errors.As(err, &key):
		return wrong(http.StatusBadRequest, "key", "give each part of the key as alerts write it, in order, or as NAME=VALUE", key.Text)
	case errors.Is(err, engine.ErrNoRule):
		return wrong(http.StatusNotFound, "not-found", "see GET /v1/rules for those there are", "no rule or table of that name runs")
	}
	return nil
}

// ofRules is about a change of the rule set.
func ofRules(err error) *problem {
	var (
		invalid  *service.InvalidError
		conflict *service.ConflictError
		name     *service.NameError
		limit    *service.LimitError
	)
	switch {
	case errors.As(err, &invalid):
		return broken(invalid.Messages)
	case errors.As(err, &conflict):
		p := wrong(http.StatusPreconditionFailed, "conflict", "read the rules again, and send If-Match with the ETag of that answer", conflict.Error())
		p.Version = conflict.Current
		return p
	case errors.As(err, &name):
		return wrong(http.StatusBadRequest, "file-name", "name it as in fraud/cards.cep", name.Error())
	case errors.As(err, &limit):
		return wrong(http.StatusRequestEntityTooLarge, "too-large", "make the set smaller", limit.Error())
	case ofPast(err) != nil:
		return ofPast(err)
	case errors.Is(err, service.ErrNoFile), errors.Is(err, service.ErrNoVersion):
		return wrong(http.StatusNotFound, "not-found", "see GET /v1/rules and GET /v1/rules/versions", err.Error())
	}
	return nil
}

func broken(messages source.Errors) *problem {
	p := wrong(http.StatusUnprocessableEntity, "broken-rules", "mend what errors lists; what ran goes on as it was", "the rule set does not check, and nothing was changed")
	p.Errors = messages.Messages()
	return p
}

// ofQueue is about events that are not taken.
func ofQueue(err error) *problem {
	var full interface {
		error
		RetryAfter() time.Duration
	}
	if !errors.As(err, &full) {
		return nil
	}
	p := wrong(http.StatusTooManyRequests, "full", "send the same again after Retry-After", full.Error())
	p.retryAfter = full.RetryAfter()
	return p
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(p.retryAfter))
	}
	var text bytes.Buffer
	if err := newEncoder(&text).Encode(p); err != nil { // strings and numbers alone
		panic(err)
	}
	w.Header().Set("Content-Type", problemMedia)
	w.WriteHeader(p.Status)
	_, _ = w.Write(text.Bytes()) // who asked is gone
}

// seconds rounds up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
