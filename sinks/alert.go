package sinks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Alert is an alert read from a row, for sinks that write it in other words. It is the
// JSON form of event.Alert; numbers are json.Number.
type Alert struct {
	ID          string            `json:"id"`
	Rule        string            `json:"rule"`
	Version     string            `json:"version"`
	Severity    string            `json:"severity"`
	Title       string            `json:"title"`
	Tags        []string          `json:"tags"`
	Labels      map[string]string `json:"labels"`
	Runbook     string            `json:"runbook"`
	Key         map[string]any    `json:"key"`
	Time        time.Time         `json:"time"`
	Start       time.Time         `json:"start"`
	End         time.Time         `json:"end"`
	Fields      map[string]any    `json:"fields"`
	Suppressed  uint64            `json:"suppressed"`
	EventsTotal uint64            `json:"events_total"`
	Events      []Evidence        `json:"events"`
}

// Evidence is one event that an alert rests on.
type Evidence struct {
	Step  string          `json:"step"`
	Time  time.Time       `json:"time"`
	Event json.RawMessage `json:"event"`
}

// ParseAlert reads a row. What cannot be read is refused for good.
func ParseAlert(row []byte) (*Alert, error) {
	a := new(Alert)
	d := json.NewDecoder(bytes.NewReader(row))
	d.UseNumber()
	if err := d.Decode(a); err != nil {
		return nil, &RejectedError{Err: fmt.Errorf("read an alert: %w", err)}
	}
	return a, nil
}

// ParseAlerts reads rows, up to the first that cannot be read.
func ParseAlerts(rows []Row) (alerts []*Alert, err error) {
	for _, r := range rows {
		a, err := ParseAlert(r.Alert)
		if err != nil {
			return alerts, err
		}
		alerts = append(alerts, a)
	}
	return alerts, nil
}

// Refusal is what a *RejectedError was met with, and any other error itself.
func Refusal(err error) error {
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		return rejected.Err
	}
	return err
}
