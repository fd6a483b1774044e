package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type alertsVerbs struct {
	Tail alertsTailVerb `cmd:"" help:"Print alerts of a running engine as they come."`
}

type alertsTailVerb struct {
	serverFlags
	Rule  string `name:"rule" type:"given" placeholder:"NAME" help:"Of this rule alone."`
	After string `name:"after" type:"given" placeholder:"ROW" help:"Begin after this row of the outbox; 0: with the oldest that is kept. Without it, with what comes from now on."`
	Max   int    `name:"max" placeholder:"N" help:"End after so many."`
}

// Run prints alerts, one a line, until a signal, or until there were as many as asked for. A
// connection that ends is made again, and goes on after the last alert.
func (v alertsTailVerb) Run(w *world) error {
	r, err := v.connect()
	if err != nil {
		return err
	}
	t := &tail{verb: v, w: w, last: v.After}
	for {
		err := t.once(r)
		var p *problem
		switch {
		case w.ctx.Err() != nil || errors.Is(err, errEnough):
			return nil
		case !t.began, errors.As(err, &p) && p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable, errors.Is(err, errNoOutput):
			return err
		}
		fmt.Fprintln(w.stderr, "the connection has ended; trying again:", err)
		if pause(w.ctx, tailAgain) != nil {
			return nil
		}
	}
}

// tailAgain is how long a tail waits before it connects again.
const tailAgain = time.Second

var (
	errEnough   = errors.New("as many as asked for")
	errNoOutput = errors.New("standard output takes no more")
)

// tail reads the stream of alerts.
type tail struct {
	verb  alertsTailVerb
	w     *world
	last  string // row of the last alert
	began bool   // a stream has begun
	seen  int
}

// once reads one connection to its end.
func (t *tail) once(r *remote) error {
	ctx, cancel := context.WithCancel(t.w.ctx)
	defer cancel()
	q := request{method: http.MethodGet, path: "/v1/alerts/stream", header: map[string]string{"Accept": "text/event-stream"}}
	if t.verb.Rule != "" {
		q.path += "?rule=" + url.QueryEscape(t.verb.Rule)
	}
	if t.last != "" {
		q.header["Last-Event-ID"] = t.last
	}
	answer, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	t.began = true
	return t.read(answer.Body)
}

// maxAlert bounds a line of the stream, in bytes.
const maxAlert = 32 << 20

// read prints what comes. An event is lines up to an empty one.
func (t *tail) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxAlert)
	id, kind, data := "", "", []byte(nil)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = append(append(data, value...), '\n')
		case "":
			if err := t.event(id, kind, data); err != nil {
				return err
			}
			id, kind, data = "", "", data[:0]
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// event takes one event of the stream; a comment is none.
func (t *tail) event(id, kind string, data []byte) error {
	switch {
	case kind == "gap":
		fmt.Fprintf(t.w.stderr, "alerts are missing here that are kept no more: %s\n", bytes.TrimSpace(data))
	case kind == "alert":
		if _, err := t.w.stdout.Write(data); err != nil {
			return fmt.Errorf("%w: %w", errNoOutput, err)
		}
		t.last = id
		if t.seen++; t.seen == t.verb.Max {
			return errEnough
		}
	}
	return nil
}
