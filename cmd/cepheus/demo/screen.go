package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// screen is where alerts are shown, one a line, with a live line below them where there is a
// terminal. It is a sink.
type screen struct {
	o     *Options
	clock func(event time.Time) time.Time // when an event of that time was written

	mu    sync.Mutex
	live  string // the line below
	tally *tally
	waits []time.Duration // from an event to its alert, of the last ones
	n     int
}

const keptWaits = 10_000

// Deliver shows the rows.
func (s *screen) Deliver(_ context.Context, rows []sinks.Row) (taken int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	defer s.draw()
	for i, r := range rows {
		var a alert
		if err := json.Unmarshal(r.Alert, &a); err != nil {
			return i, err
		}
		s.tally.add(&a)
		s.wait(s.o.Now().Sub(s.clock(a.Time)))
		if _, err := fmt.Fprintln(s.o.Out, s.text(&a)); err != nil {
			return i, fmt.Errorf("show alerts: %w", err)
		}
	}
	return len(rows), nil
}

// Flush has nothing to do.
func (s *screen) Flush(context.Context) error { return nil }

// Close has nothing to do.
func (s *screen) Close() error { return nil }

func (s *screen) wait(d time.Duration) {
	if s.n++; len(s.waits) < keptWaits {
		s.waits = append(s.waits, d)
	} else {
		s.waits[s.n%keptWaits] = d
	}
}

// Colours by severity.
const (
	reset = "\x1b[0m"
	faint = "\x1b[2m"
)

func colourOf(severity string) string {
	switch severity {
	case "critical":
		return "\x1b[1;97;41m"
	case "high":
		return "\x1b[1;31m"
	case "medium":
		return "\x1b[33m"
	}
	return "\x1b[36m"
}

// text is an alert's line: when, how bad, which rule, and what it says.
func (s *screen) text(a *alert) string {
	at, severity := a.Time.UTC().Format("15:04:05"), fmt.Sprintf("%-8s", strings.ToUpper(a.Severity))
	if s.o.Colour {
		at, severity = faint+at+reset, colourOf(a.Severity)+severity+reset
	}
	return fmt.Sprintf("%s  %s  %-13s  %-12s  %s", at, severity, a.Rule, a.Key.Card, says(a))
}

// says is what an alert says of itself, or its title and fields.
func says(a *alert) string {
	if text, ok := a.Fields["text"].(string); ok {
		return text
	}
	b := []byte(a.Title)
	names := make([]string, 0, len(a.Fields))
	for name := range a.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		b = append(b, [...]string{": ", ", "}[min(i, 1)]...)
		b = appendField(append(append(b, name...), ' '), a.Fields[name])
	}
	return string(b)
}

// appendField appends a value; amounts have two digits behind the point.
func appendField(b []byte, v any) []byte {
	if x, ok := v.(float64); ok && x != math.Trunc(x) {
		return strconv.AppendFloat(b, x, 'f', 2, 64)
	}
	if v == nil {
		return append(b, "none"...)
	}
	return fmt.Append(b, v)
}

// show replaces the live line.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.live = line
	s.draw()
}

func (s *screen) clear() {
	if s.live != "" {
		io.WriteString(s.o.Live, "\r\x1b[K") //nolint:errcheck // a live line that cannot be drawn is no loss
	}
}

func (s *screen) draw() {
	if s.live != "" {
		io.WriteString(s.o.Live, s.live) //nolint:errcheck // as above
	}
}

// quantile of the waits so far; sorted is false where there are none.
func (s *screen) quantiles() (p50, p99 time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := slices.Clone(s.waits)
	if len(w) == 0 {
		return 0, 0, false
	}
	slices.Sort(w)
	return w[len(w)/2], w[len(w)*99/100], true
}
