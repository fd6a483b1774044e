package ruletest

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// parseAlerts reads expected alerts, never nil.
func parseAlerts(text string) ([]object, error) {
	out := []object{}
	for _, line := range lines(text) {
		o, err := parseObject(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// compareAlerts lists what differs, one line each.
func compareAlerts(want []object, got []string, zero int64) []string {
	var diffs []string
	for i, w := range want {
		if i >= len(got) {
			diffs = append(diffs, fmt.Sprintf("alert %d did not come: %s", i+1, text(w)))
			continue
		}
		a, err := readAlert(got[i], zero)
		if err != nil {
			diffs = append(diffs, fmt.Sprintf("alert %d: %v: %s", i+1, err, got[i]))
			continue
		}
		for _, d := range compareAlert(w, a, zero) {
			diffs = append(diffs, fmt.Sprintf("alert %d: %s", i+1, d))
		}
	}
	for i := len(want); i < len(got); i++ {
		diffs = append(diffs, fmt.Sprintf("alert %d is not expected: %s", i+1, summary(got[i], zero)))
	}
	return diffs
}

func compareAlert(want, got object, zero int64) []string {
	var diffs []string
	for _, m := range want {
		v, there := got.get(m.name)
		switch {
		case !there && m.value == nil: // null says that a member that is not always there is not
		case !there:
			diffs = append(diffs, fmt.Sprintf("%s: want %s, and there is none", m.name, text(m.value)))
		case !sameMember(m.name, m.value, v, zero):
			diffs = append(diffs, fmt.Sprintf("%s: want %s, got %s", m.name, text(m.value), text(v)))
		}
	}
	return diffs
}

func sameMember(name string, want, got any, zero int64) bool {
	switch name {
	case "key":
		return same(want, got, zero) || same(want, onlyPart(got), zero)
	case "t", "start", "end":
		return sameOffset(want, got)
	case "events":
		return sameEvidence(want, got, zero)
	}
	return same(want, got, zero)
}

// sameOffset compares offsets, however they are written.
func sameOffset(want, got any) bool {
	w, isOffset := offset(want)
	g, _ := offset(got)
	return isOffset && w == g
}

// onlyPart returns the value of a key of one part, else the key.
func onlyPart(key any) any {
	if o, ok := key.(object); ok && len(o) == 1 {
		return o[0].value
	}
	return key
}

// sameEvidence compares evidence: expected is "STEP@OFFSET", or an object whose
// members are compared.
func sameEvidence(want, got any, zero int64) bool {
	w, wok := want.([]any)
	g, gok := got.([]any)
	if !wok || !gok || len(w) != len(g) {
		return false
	}
	for i := range w {
		o, _ := g[i].(object)
		switch want := w[i].(type) {
		case string:
			if want != evidence(o) {
				return false
			}
		case object:
			for _, m := range want {
				if v, there := o.get(m.name); !there || !same(m.value, v, zero) {
					return false
				}
			}
		}
	}
	return true
}

// evidence writes an event of an alert that readAlert has read as "STEP@OFFSET".
func evidence(o object) string {
	step, _ := o.get("step")
	at, _ := o.get("t")
	name, _ := step.(string)
	return name + "@" + fmt.Sprint(at)
}

// readAlert reads an alert as the engine wrote it. Its own times become offsets: time
// is t, start, end and window keep their names; so do the times of its events.
func readAlert(line string, zero int64) (object, error) {
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	for i := range o {
		m := &o[i]
		switch m.name {
		case "time", "start", "end":
			toOffset(m, zero)
		case "window":
			toOffsets(m.value, zero)
		case "events":
			list, _ := m.value.([]any)
			for _, e := range list {
				toOffsets(e, zero)
			}
		}
	}
	return o, nil
}

func toOffsets(v any, zero int64) {
	o, _ := v.(object)
	for i := range o {
		switch o[i].name {
		case "time", "start", "end":
			toOffset(&o[i], zero)
		}
	}
}

func toOffset(m *member, zero int64) {
	s, _ := m.value.(string)
	ns, err := event.ParseTime(s)
	if err != nil {
		return
	}
	m.value = string(event.AppendDuration(nil, ns-zero))
	if m.name == "time" {
		m.name = "t"
	}
}

// summary writes an alert in the short form of expectations: rule, t, key, fields.
func summary(alert string, zero int64, more ...string) string {
	o, err := readAlert(alert, zero)
	if err != nil {
		return alert
	}
	short := object{}
	for _, name := range append([]string{"rule", "t", "key", "fields"}, more...) {
		v, there := o.get(name)
		empty, isObject := v.(object)
		if !there || isObject && len(empty) == 0 {
			continue
		}
		if name == "key" {
			v = onlyPart(v)
		}
		if name == "events" {
			v = shortEvents(v)
		}
		short = append(short, member{name, v})
	}
	return text(short)
}

func shortEvents(v any) any {
	list, _ := v.([]any)
	out := []any{}
	for _, e := range list {
		o, _ := e.(object)
		out = append(out, evidence(o))
	}
	return out
}

// rewriteAlerts writes alerts as expectations. A line names what it named before, and
// rule, t, key and fields.
func rewriteAlerts(want []object, got []string, zero int64) string {
	var b strings.Builder
	for i, alert := range got {
		var more []string
		if i < len(want) {
			for _, m := range want[i] {
				if !strings.Contains(" rule t key fields ", " "+m.name+" ") {
					more = append(more, m.name)
				}
			}
		}
		b.WriteString(summary(alert, zero, more...) + "\n")
	}
	return b.String()
}
