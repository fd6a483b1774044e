package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
	"github.com/cepheus-cep/cepheus/state"
)

// sighting is an alert's time and when it was there.
type sighting struct {
	time int64
	seen time.Time
}

// taker is an outbox that takes alerts as they are and counts them.
type taker struct {
	*state.Outbox
	counted   bool // the first field is the number of matches
	alerts    int
	matches   int
	nameless  int // alerts without an id, or without evidence
	watching  bool
	sightings []sighting
}

// AppendAlert implements engine.AlertOutbox.
func (t *taker) AppendAlert(a *event.Alert) {
	t.alerts++
	if a.ID == "" {
		t.nameless++
	}
	if t.counted {
		t.matches += int(a.Fields[0].Value.Int())
	}
	if t.watching {
		t.sightings = append(t.sightings, sighting{a.Time, time.Now()})
	}
}

// writer is a sink that writes alerts to a file, and, where it is watching, keeps them.
type writer struct {
	sinks.Sink
	file      *os.File
	watching  bool
	pending   []byte // alerts handed over and not yet written out, a line each
	lines     [][]byte
	sightings []sighting
}

func newWriter(watching bool) (*writer, error) {
	f, err := os.CreateTemp("", "cepheus-bench-alerts-*.jsonl")
	if err != nil {
		return nil, err
	}
	return &writer{Sink: stdout.New(f), file: f, watching: watching}, nil
}

// Deliver implements sinks.Sink.
func (w *writer) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	if w.watching {
		for _, r := range rows {
			w.pending = append(append(w.pending, r.Alert...), '\n')
		}
	}
	return w.Sink.Deliver(ctx, rows)
}

// Flush implements sinks.Sink: an alert counts as seen when it is in the file.
func (w *writer) Flush(ctx context.Context) error {
	err := w.Sink.Flush(ctx)
	if w.watching && len(w.pending) > 0 {
		w.lines = append(w.lines, w.pending)
		w.sightings = append(w.sightings, sighting{seen: time.Now()})
		w.pending = nil
	}
	return err
}

// seen returns the alerts with their times, which are read from their text only now.
func (w *writer) seen() (all []sighting, err error) {
	for i, lines := range w.lines {
		for line := range bytes.Lines(lines) {
			t, err := time.Parse(time.RFC3339, string(member(line, `"time":"`, '"')))
			if err != nil {
				return nil, fmt.Errorf("time of an alert: %w", err)
			}
			all = append(all, sighting{t.UnixNano(), w.sightings[i].seen})
		}
	}
	return all, nil
}

// member is what follows the first place of a name in an alert's text, up to an end.
func member(line []byte, name string, end byte) []byte {
	_, rest, _ := bytes.Cut(line, []byte(name))
	if i := bytes.IndexByte(rest, end); i >= 0 {
		return rest[:i]
	}
	return nil
}

// count reads the file back: alerts, and the sum of the field n where matches are counted
// by it. The file is removed.
func (w *writer) count(counted bool) (alerts, matches int, err error) {
	defer func() { err = errors.Join(err, w.file.Close(), os.Remove(w.file.Name())) }()
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	return countAlerts(w.file, counted)
}

// countAlerts reads alerts as lines: how many there are, and for how many matches they
// stand.
func countAlerts(r io.Reader, counted bool) (alerts, matches int, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		alerts++
		if !counted {
			continue
		}
		n, err := strconv.Atoi(string(member(line, `"fields":{"n":`, '}')))
		if err != nil {
			return 0, 0, fmt.Errorf("matches of an alert: %w", err)
		}
		matches += n
	}
	if !counted {
		matches = alerts
	}
	return alerts, matches, nil
}
