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
	b = appendMember(append(b, '{'), "id", a.ID)
	b = appendMember(b, "rule", a.Rule)
	b = appendMember(b, "version", a.Version)
	b = appendMember(b, "severity", a.Severity)
	b = appendMember(b, "title", a.Title)
	b = appendTags(appendName(b, "tags"), a.Tags)
	b = a.appendAbout(b)
	b = appendNamed(appendName(b, "key"), a.Key)
	b = appendTime(b, "time", a.Time)
	b = appendTime(b, "start", a.Start)
	b = appendTime(b, "end", a.End)
	b = a.appendSpecial(b)
	b = appendNamed(appendName(b, "fields"), a.Fields)
	b = strconv.AppendUint(appendName(b, "suppressed"), a.Suppressed, 10)
	b = strconv.AppendUint(appendName(b, "events_total"), a.EventsTotal, 10)
	b = appendName(b, "events")
	b = append(b, '[')
	for i := range a.Events {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Events[i].appendJSON(b)
	}
	return append(b, "]}"...)
}

func appendMember(b []byte, name, text string) []byte {
	return appendString(appendName(b, name), text)
}

func appendTime(b []byte, name string, ns int64) []byte {
	b = append(appendName(b, name), '"')
	return append(AppendTime(b, ns), '"')
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

func (a *Alert) appendSpecial(b []byte) []byte {
	if a.Window != nil {
		b = append(appendName(b, "window"), '{')
		b = appendTime(b, "start", a.Window.Start)
		b = append(appendTime(b, "end", a.Window.End), '}')
	}
	for _, f := range [...]struct {
		name string
		set  bool
	}{{"final", a.Final}, {"approximate", a.Approximate}, {"saturated", a.Saturated}} {
		if f.set {
			b = append(appendName(b, f.name), "true"...)
		}
	}
	return b
}

func appendNamed(b []byte, values []Named) []byte {
	b = append(b, '{')
	for _, n := range values {
		b = AppendJSON(appendName(b, n.Name), n.Value)
	}
	return append(b, '}')
}

func (e *Evidence) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if e.Step != "" {
		b = appendMember(b, "step", e.Step)
	}
	b = appendTime(b, "time", e.Time)
	b = appendLine(appendName(b, "event"), e.JSON)
	return append(b, '}')
}

// appendLine appends JSON text as one line: line ends, which stand between tokens
// only, become spaces.
func appendLine(b, text []byte) []byte {
	text = bytes.TrimSpace(text)
	at := len(b)
	b = append(b, text...)
	for i := at; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return b
}
