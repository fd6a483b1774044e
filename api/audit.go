package api

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// entry is one line of the audit log.
type entry struct {
	Time   time.Time `json:"time"`
	Who    string    `json:"who"`
	From   string    `json:"from"` // address
	What   string    `json:"what"` // id of the route
	On     string    `json:"on"`   // path
	Status int       `json:"status"`
	Before uint64    `json:"before,omitempty"` // version of the rule set
	After  uint64    `json:"after,omitempty"`
	Note   string    `json:"note,omitempty"`
	Why    string    `json:"why,omitempty"` // it was refused
}

// ledger is the audit log. Lines are appended, and durable when it returns.
type ledger struct {
	mu   sync.Mutex
	file io.WriteCloser // nil: what would be in it is logged
	err  error          // the last
	torn bool           // the last line is there in part
}

func openLedger(path string) (*ledger, error) {
	if path == "" {
		return &ledger{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &ledger{file: f}, nil
}

func (l *ledger) add(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = l.write(e)
	return l.err
}

func (l *ledger) write(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if l.torn {
		text = append([]byte{'\n'}, text...)
	}
	n, err := l.file.Write(append(text, '\n'))
	if n > 0 {
		l.torn = n <= len(text)
	}
	if f, ok := l.file.(interface{ Sync() error }); ok && err == nil {
		err = f.Sync()
	}
	return err
}

// mend tries a log that could not be written again, for a change must not go by without its
// line. That there is a gap is told in it.
func (l *ledger) mend(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.err = l.write(&entry{Time: now.UTC(), Who: "cepheus", What: "audit", Note: "lines before this one could not be written; they are in the log of the process"})
	}
	return l.err
}

// trouble says why the log cannot be written; empty: it can. Anybody may be shown it: it does not say
// where the log is.
func (l *ledger) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return ""
	}
	return "the audit log cannot be written: " + pathless(l.err)
}

// pathless is an error without the name of a file.
func pathless(err error) string {
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		return of.Err.Error()
	}
	return err.Error()
}

func (l *ledger) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// denial says how a request was refused for who asked, or from where.
type denial int

const (
	notRefused denial = iota
	refused
	refusedAtOnce // without a look at who asks
)

func (c *call) denial(status int) denial {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden && c.who != nil:
		return refused
	case c.who == nil && (status == http.StatusTooManyRequests || status == http.StatusMisdirectedRequest || status == http.StatusForbidden):
		return refusedAtOnce
	}
	return notRefused
}

// path is that of the request, without the key of a row: that is people's data.
func (c *call) path() string {
	if of, keyed := strings.CutSuffix(c.route.path, "{key}"); keyed {
		return strings.Replace(of, "{name}", c.Param("name"), 1) + "{key}"
	}
	return c.Request.URL.Path
}

// audit notes what was changed, or refused for who asked.
func (c *call) audit(status int, why string) {
	switch refused := c.denial(status); {
	case refused == refusedAtOnce && !c.s.gate.noted(address(c.Request)):
		return
	case refused == notRefused && !c.route.audited:
		return
	}
	e := &c.note
	e.Time, e.From, e.What, e.On, e.Status, e.Why = c.s.o.Now().UTC(), address(c.Request), c.route.id, clip(c.path()), status, why
	e.Who = "unknown"
	if c.who != nil {
		e.Who = c.who.name
	}
	if c.s.ledger.file == nil {
		c.s.o.Log.Info("audit", e.fields()...)
		return
	}
	if err := c.s.ledger.add(e); err != nil {
		c.s.o.Log.Error("the audit log cannot be written", append(e.fields(), "err", err)...)
	}
}

func (e *entry) fields() []any {
	return []any{"who", e.Who, "from", e.From, "what", e.What, "on", e.On, "status", e.Status, "before", e.Before, "after", e.After, "note", e.Note, "why", e.Why}
}

// auditable refuses a change that could not be noted.
func (c *call) auditable() error {
	if !c.route.audited || c.s.ledger.mend(c.s.o.Now()) == nil {
		return nil
	}
	p := wrong(http.StatusServiceUnavailable, "audit", "make room on its disk, or mend its permissions", "nothing was changed, for %s", c.s.ledger.trouble())
	p.retryAfter = time.Second
	return p
}
