package event

import (
	"bytes"
	"strconv"
)

// Alert is what a rule reports. Its JSON form is one line; see [Alert.AppendJSON].
// Times are nanoseconds since the Unix epoch.
type Alert struct {
	ID, Rule, Version string
	Severity          string
	Title             string
	Tags              []string
	Labels            []Label
	Runbook           string
	Key               []Named // parts of the key, in their order
	Time              int64
	Start, End        int64   // of the first and last event
	Window            *Window // nil: no window of its own
	Final             bool    // decided only by the end of the input
	Approximate       bool    // fields rest on sketches
	Saturated         bool    // the number of matches is at its greatest
	Fields            []Named
	Suppressed        uint64 // alerts of this key not sent since the last one that was
	EventsTotal       uint64
	Events            []Evidence
}

// Label is a name and a text carried on alerts.
type Label struct{ Name, Text string }

// Named is a value with its name.
type Named struct {
	Name  string
	Value Value
}

// Window is the span of an alert's window, its end not included.
type Window struct{ Start, End int64 }

// Evidence is one event that an alert rests on. Step is empty in windows and
// filters. JSON is the record, valid JSON.
type Evidence struct {
	Step string
	Time int64
	JSON []byte
}

// AppendJSON appends the alert as one JSON object without a line end. These members
// are always there, in this order: id, rule, version, severity, title, tags, key,
// time, start, end, fields, suppressed, events_total, events. Those that say
// something special are there only when they do, so that their presence can be
// tested: labels and runbook after tags; window, final, approximate, saturated
// after end. Of an event, step is left out where it is empty.
func (a *Alert) AppendJSON(b []byte) []byte {
	w := alertWriter{b: b}
	w.text(`{"id":`, a.ID)
	w.text(`,"rule":`, a.Rule)
	w.text(`,"version":`, a.Version)
	w.text(`,"severity":`, a.Severity)
	w.text(`,"title":`, a.Title)
	w.b = appendTags(append(w.b, `,"tags":`...), a.Tags)
	w.b = a.appendAbout(w.b)
	w.b = appendNamed(append(w.b, `,"key":`...), a.Key)
	w.time(`,"time":"`, a.Time)
	w.time(`,"start":"`, a.Start)
	w.time(`,"end":"`, a.End)
	a.writeSpecial(&w)
	w.b = appendNamed(append(w.b, `,"fields":`...), a.Fields)
	w.b = strconv.AppendUint(append(w.b, `,"suppressed":`...), a.Suppressed, 10)
	w.b = strconv.AppendUint(append(w.b, `,"events_total":`...), a.EventsTotal, 10)
	w.b = append(w.b, `,"events":[`...)
	for i := range a.Events {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		a.Events[i].write(&w)
	}
	return append(w.b, "]}"...)
}

// alertWriter appends to b. The times of an alert are often the same ones, or of the same
// day: it remembers where the last two that differ stand.
type alertWriter struct {
	b    []byte
	seen [2]seenTime
}

// seenTime is a time that stands at from in what is written; the zero one stands nowhere.
type seenTime struct {
	ns         int64
	from, size int
}

func (w *alertWriter) text(name, text string) { w.b = appendString(append(w.b, name...), text) }

// time appends a name with the opening quote of the time, the time, and the closing one.
func (w *alertWriter) time(name string, ns int64) {
	w.b = append(w.b, name...)
	for _, t := range &w.seen {
		if t.ns == ns && t.size > 0 {
			w.b = append(append(w.b, w.b[t.from:t.from+t.size]...), '"')
			return
		}
	}
	from := len(w.b)
	w.b = w.appendTime(ns)
	w.seen[0], w.seen[1] = seenTime{ns, from, len(w.b) - from}, w.seen[0]
	w.b = append(w.b, '"')
}

// appendTime copies the date where it is that of the time before.
func (w *alertWriter) appendTime(ns int64) []byte {
	const day = secondsPerDay * nanoseconds
	last := &w.seen[0]
	if last.size == 0 || ns < 0 || last.ns < 0 || ns/day != last.ns/day {
		return AppendTime(w.b, ns)
	}
	b := append(w.b, w.b[last.from:last.from+len("2006-01-02")]...)
	return appendTimeOfDay(b, ns/nanoseconds%secondsPerDay, ns%nanoseconds)
}

func appendMember(b []byte, name, text string) []byte {
	return appendString(appendName(b, name), text)
}

func appendTags(b []byte, tags []string) []byte {
	b = append(b, '[')
	for i, t := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, t)
	}
	return append(b, ']')
}

func (a *Alert) appendAbout(b []byte) []byte {
	if len(a.Labels) > 0 {
		b = append(appendName(b, "labels"), '{')
		for _, l := range a.Labels {
			b = appendMember(b, l.Name, l.Text)
		}
		b = append(b, '}')
	}
	if a.Runbook != "" {
		b = appendMember(b, "runbook", a.Runbook)
	}
	return b
}

func (a *Alert) writeSpecial(w *alertWriter) {
	if a.Window != nil {
		w.time(`,"window":{"start":"`, a.Window.Start)
		w.time(`,"end":"`, a.Window.End)
		w.b = append(w.b, '}')
	}
	if a.Final {
		w.b = append(w.b, `,"final":true`...)
	}
	if a.Approximate {
		w.b = append(w.b, `,"approximate":true`...)
	}
	if a.Saturated {
		w.b = append(w.b, `,"saturated":true`...)
	}
}

func appendNamed(b []byte, values []Named) []byte {
	b = append(b, '{')
	for _, n := range values {
		b = AppendJSON(appendName(b, n.Name), n.Value)
	}
	return append(b, '}')
}

func (e *Evidence) write(w *alertWriter) {
	if e.Step == "" {
		w.time(`{"time":"`, e.Time)
	} else {
		w.text(`{"step":`, e.Step)
		w.time(`,"time":"`, e.Time)
	}
	w.b = append(appendLine(append(w.b, `,"event":`...), e.JSON), '}')
}

// appendLine appends JSON text as one line: line ends, which stand between tokens
// only, become spaces.
func appendLine(b, text []byte) []byte {
	text = bytes.TrimSpace(text)
	at := len(b)
	b = append(b, text...)
	for _, end := range [...]byte{'\n', '\r'} {
		for i := at; ; {
			n := bytes.IndexByte(b[i:], end)
			if n < 0 {
				break
			}
			i += n
			b[i] = ' '
		}
	}
	return b
}
