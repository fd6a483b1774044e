package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// render makes the alert of an effect, valid until the next is made. No alert is made elsewhere:
// what is redacted here is redacted wherever alerts go.
func (e *Engine) render(c *effect, suppressed uint64) *event.Alert {
	rule := e.rules[c.rule].rule
	a := &e.alert
	e.id = appendAlertID(e.id[:0], rule, c)
	*a = event.Alert{
		ID: unsafe.String(unsafe.SliceData(e.id), len(e.id)), Rule: rule.Name, Version: rule.Version, Severity: rule.Severity.String(), Title: rule.Title,
		Tags: rule.Tags, Runbook: rule.Runbook,
		Time: c.Time, Start: c.Start, End: c.End,
		Saturated: c.Saturated, Suppressed: suppressed, EventsTotal: uint64(c.Total),
		Labels: a.Labels[:0], Key: a.Key[:0], Fields: a.Fields[:0], Events: a.Events[:0],
	}
	a.Final = c.AtDeadline && c.Deadline > e.epoch.known
	for _, l := range rule.Labels {
		a.Labels = append(a.Labels, event.Label(l))
	}
	e.keyValues, _ = event.ParseKey(e.keyValues[:0], c.key)
	for i, v := range e.keyValues {
		a.Key = append(a.Key, event.Named{Name: rule.Keys[i].Name, Value: v})
	}
	for i, v := range c.Fields {
		a.Fields = append(a.Fields, event.Named{Name: fieldName(rule, i), Value: v})
	}
	if c.Window {
		a.Window = &event.Window{Start: c.WindowStart, End: c.WindowEnd}
	}
	for i := range c.evidence {
		ev := &c.evidence[i]
		a.Events = append(a.Events, event.Evidence{Step: stepName(rule, ev.step), Time: ev.time, JSON: ev.json})
	}
	if e.o.Redact != nil {
		e.o.Redact(e.o.Set, rule, a)
	}
	return a
}

// fieldName is the name of an alert's field: the same for every input of a rule.
func fieldName(rule *plan.Rule, i int) string {
	if len(rule.Emit) > 0 {
		return rule.Emit[i].Name
	}
	return rule.Inputs[0].Emit[i].Name
}

func stepName(rule *plan.Rule, step int) string {
	if step < 0 {
		return ""
	}
	return rule.Pattern.Steps[step].Name
}

// appendAlertID names an alert: half of a SHA-256 over the rule's name, the key, and what
// the alert rests on. For a window that is evaluated at its end that is its start and
// whether the alert came early, whatever its events; a batch is known by its last
// event. Else it is the fold of the matched events' identities, and the deadline if
// there is one. No clock, process, batch of records or version is in it.
func appendAlertID(to []byte, rule *plan.Rule, c *effect) []byte {
	var room [128]byte
	b := room[:0]
	b = binary.AppendUvarint(b, uint64(len(rule.Name)))
	b = append(b, rule.Name...)
	b = binary.AppendUvarint(b, uint64(len(c.key)))
	b = append(b, c.key...)
	if c.Window && rule.Windows[0].Spec.Kind != windows.Batch {
		b = appendWindow(b, c)
	} else {
		b = appendMatch(b, c)
	}
	sum := sha256.Sum256(b)
	return hex.AppendEncode(to, sum[:16])
}

func appendWindow(b []byte, c *effect) []byte {
	when := byte('e') // early
	if c.AtDeadline {
		when = 'w'
	}
	return binary.BigEndian.AppendUint64(append(b, when), uint64(c.WindowStart))
}

func appendMatch(b []byte, c *effect) []byte {
	b = binary.BigEndian.AppendUint64(b, c.ID[0])
	b = binary.BigEndian.AppendUint64(b, c.ID[1])
	if c.AtDeadline {
		b = binary.BigEndian.AppendUint64(append(b, 'd'), uint64(c.Deadline))
	}
	return b
}
