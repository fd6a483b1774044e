package api

import (
	"encoding/json"
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
	file *os.File // nil: what would be in it is logged
	err  error    // the last
}

func openLedger(path string) (*ledger, error) {
	if path == "" {
		return &ledger{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the operator's path
	return &ledger{file: f}, err
}

func (l *ledger) add(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err = l.file.Write(append(text, '\n')); err == nil {
		err = l.file.Sync()
	}
	l.err = err
	return err
}

// trouble says why the log cannot be written.
func (l *ledger) trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
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
		c.s.o.Log.Info("audit", "who", e.Who, "from", e.From, "what", e.What, "on", e.On, "status", e.Status, "before", e.Before, "after", e.After, "why", e.Why)
		return
	}
	if err := c.s.ledger.add(e); err != nil {
		c.s.o.Log.Error("the audit log cannot be written", "err", err)
	}
}
