package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type eventsVerbs struct {
	Push eventsPushVerb `cmd:"" help:"Send events to a running engine."`
}

type eventsPushVerb struct {
	serverFlags
	File string `arg:"" type:"given" help:"Events, JSON objects one a line; - is standard input."`
	Wait bool   `name:"wait" help:"Wait after each batch until what follows from it is committed. Without it events are in memory when they are taken."`
}

// How much a request carries at most.
const (
	pushLines = 1000
	pushBytes = 4 << 20
)

// maxEventLine bounds an event, in bytes.
const maxEventLine = 16 << 20

// Run sends the events in order. Where there is no room for them it comes again.
func (v eventsPushVerb) Run(w *world) (err error) {
	r, err := v.connect()
	if err != nil {
		return err
	}
	from, err := v.open(w)
	if err != nil {
		return usage(err)
	}
	defer from.Close()
	p := &pushing{r: r, path: "/v1/events"}
	if v.Wait {
		p.path += "?wait=commit"
	}
	err = p.all(w.ctx, from)
	fmt.Fprintf(w.stderr, "%d events sent\n", p.sent)
	return err
}

func (v eventsPushVerb) open(w *world) (io.ReadCloser, error) {
	if v.File == "-" {
		return w.stdin, nil
	}
	return os.Open(v.File)
}

// pushing sends lines in batches.
type pushing struct {
	r     *remote
	path  string
	batch []byte
	lines int
	sent  int
}

func (p *pushing) all(ctx context.Context, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if p.lines == pushLines || len(p.batch)+len(line) > pushBytes {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		p.batch = append(append(p.batch, line...), '\n')
		p.lines++
	}
	return errors.Join(p.flush(ctx), lines.Err())
}

// flush sends the batch until it is taken, or refused for good.
func (p *pushing) flush(ctx context.Context) error {
	for p.lines > 0 {
		answer, err := p.r.ask(ctx, request{method: http.MethodPost, path: p.path, media: "application/x-ndjson", body: p.batch})
		if err == nil {
			answer.Body.Close()
			p.sent += p.lines
			p.batch, p.lines = p.batch[:0], 0
			return nil
		}
		after, again := comeAgain(err)
		if !again {
			return fmt.Errorf("after %d events: %w", p.sent, err)
		}
		if err := pause(ctx, after); err != nil {
			return err
		}
	}
	return nil
}

// comeAgain reports whether there was no room for a request, and for how long.
func comeAgain(err error) (after time.Duration, again bool) {
	var p *problem
	if !errors.As(err, &p) || p.Status != http.StatusTooManyRequests {
		return 0, false
	}
	return max(p.after, 100*time.Millisecond), true
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
