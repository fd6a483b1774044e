package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sinks"
)

type sinkVerbs struct {
	Preview sinkPreviewVerb `cmd:"" help:"Show what a sink would send of alerts, as the receiver gets it, without secrets. Nothing is sent."`
	Test    sinkTestVerb    `cmd:"" help:"Send a test alert, marked as one, and tell what the receiver said; the exit code is 1 where it did not take it."`
}

// namedSink is a sink of a configuration.
type namedSink struct {
	Name   string `arg:"" type:"given" help:"The sink's name in the configuration."`
	Config string `name:"config" short:"c" type:"given" required:"" placeholder:"FILE" help:"The configuration."`
}

func (n namedSink) open() (*config.Sink, error) {
	file, err := config.Load(n.Config, config.Options{NoRules: true, NoSources: true})
	if err != nil {
		return nil, usage(err)
	}
	sink, ok := file.Sinks[n.Name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(file.Sinks)), ", ")
		return nil, usage(fmt.Errorf("%s has no sink %s; it has: %s", n.Config, n.Name, known))
	}
	return sink, nil
}

type sinkPreviewVerb struct {
	namedSink
	Alerts string `arg:"" name:"alert" type:"given" help:"A file of alerts, one a line, as a run writes them; - is standard input."`
	Group  string `type:"given" placeholder:"NAME" help:"As one notification of a group of this name."`
}

// previewed bounds the alerts that are shown at once: as many as are delivered at once.
const previewed = 1000

// Run shows the messages, with an empty line between two. An alert that would be refused is
// said so, and makes the exit code 1.
func (v sinkPreviewVerb) Run(w *world) error {
	sink, err := v.open()
	if err != nil {
		return err
	}
	p := &preview{verb: v, world: w, sink: sink}
	err = w.eachAlert(v.Alerts, func(line []byte, _ *sinks.Alert) error {
		p.rows = append(p.rows, sinks.Row{Number: uint64(len(p.rows) + 1), Alert: bytes.Clone(line), Group: v.Group})
		if len(p.rows) < previewed {
			return nil
		}
		return p.show()
	})
	switch {
	case err != nil:
		return err
	case p.show() != nil:
		return p.err
	case p.refused:
		return errNotWell
	}
	return nil
}

// preview is what a call has shown so far.
type preview struct {
	verb    sinkPreviewVerb
	world   *world
	sink    *config.Sink
	rows    []sinks.Row
	shown   bool
	refused bool
	err     error
}

func (p *preview) show() error {
	rows := p.rows
	p.rows = nil
	p.err = p.sink.Preview(p.world.ctx, p.world.kinds(), p.verb.Name, rows, p.print)
	return p.err
}

func (p *preview) print(text string, row sinks.Row, refused error) error {
	if refused != nil {
		p.refused = true
		_, err := fmt.Fprintf(p.world.stderr, "cepheus: sink %s: alert %s would be a dead letter: %v\n", p.verb.Name, idOf(row), refused)
		return err
	}
	if p.shown {
		text = "\n" + text
	}
	p.shown = true
	_, err := fmt.Fprint(p.world.stdout, text)
	return err
}

func idOf(row sinks.Row) string {
	if a, err := sinks.ParseAlert(row.Alert); err == nil {
		return a.ID
	}
	return ""
}

type sinkTestVerb struct{ namedSink }

// Run makes one attempt, whatever the sink's routes and silences.
func (v sinkTestVerb) Run(w *world) error {
	sink, err := v.open()
	if err != nil {
		return err
	}
	id, err := testID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Duration(sink.Timeout))
	defer cancel()
	began := w.now()
	answer, err := sink.Ask(ctx, w.kinds(), v.Name, []sinks.Row{{Number: 1, Alert: testAlert(v.Name, id, began)}})
	took := w.now().Sub(began).Round(time.Millisecond)
	if err != nil {
		fmt.Fprintf(w.stdout, "sink %s: the test alert %s was not taken (%s)\n  %v\n  %s\n", v.Name, id, took, err, meaningOf(err))
		return errNotWell
	}
	_, err = fmt.Fprintf(w.stdout, "sink %s: the test alert %s was taken (%s)\n  %s\n", v.Name, id, took, answer)
	return err
}

// meaningOf says what a run would do.
func meaningOf(err error) string {
	var (
		rejected *sinks.RejectedError
		retry    *sinks.RetryError
	)
	switch {
	case errors.As(err, &rejected):
		return "in a run such an alert would be a dead letter, and the next would follow"
	case errors.As(err, &retry), errors.Is(err, context.DeadlineExceeded):
		return "in a run it would be tried again"
	}
	return "in a run this ends the run, or makes alerts wait, until it is mended (fault: stop, wait)"
}

// testID is new each time, for receivers that keep ids.
func testID() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	return "test-" + hex.EncodeToString(b[:]), nil
}

// testAlert says in all that a receiver might show that it is a test.
func testAlert(sink, id string, now time.Time) []byte {
	a := event.Alert{
		ID: id, Rule: "cepheus_test", Version: "test", Severity: "info",
		Title: "Test of the sink " + sink + ": nothing has happened", Tags: []string{"test"},
		Labels: []event.Label{{Name: "test", Text: "true"}},
		Time:   now.UnixNano(), Start: now.UnixNano(), End: now.UnixNano(),
	}
	return a.AppendJSON(nil)
}
