package story

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// never is a time that does not come.
const never = math.MaxInt64

// mostShown is how many bytes of an event's text a line shows.
const mostShown = 160

// showEvent writes an event as a test would send it, without its type and time.
func (t *Teller) showEvent(number int32, record []byte) string {
	typ := &t.o.Types[number].Schema
	v := event.ParseJSON(record)
	var b strings.Builder
	b.WriteString(typ.Name + " {")
	for i, x := range v.Elems() {
		name := v.C.Names[i]
		if name == "type" || name == typ.TimeField {
			continue
		}
		b.WriteString(" " + name + ": " + plan.ReadableValue(x) + ",")
		if b.Len() > mostShown {
			return b.String() + " … }"
		}
	}
	return strings.TrimSuffix(b.String(), ",") + " }"
}

func (t *Teller) stepName(step int) string {
	if t.rule.Pattern == nil || step < 0 || step >= len(t.rule.Pattern.Steps) {
		return ""
	}
	return t.rule.Pattern.Steps[step].Name
}

// place names where a condition stands.
func (t *Teller) place(at int) string {
	switch at {
	case machine.AtWhere:
		return "where"
	case machine.AtHaving:
		return "having"
	case machine.AtUntil:
		return "until"
	}
	return t.stepName(at)
}

// failing writes the parts of a condition that did not hold.
func (t *Teller) failing(checks []machine.Check) string {
	var parts []string
	for i := range checks {
		if !checks[i].Holds {
			parts = append(parts, t.check(&checks[i]))
		}
	}
	return strings.Join(parts, "; ")
}

// verdict writes all parts of a condition.
func (t *Teller) verdict(checks []machine.Check) string {
	if len(checks) == 0 {
		return "any event"
	}
	var parts []string
	for i := range checks {
		parts = append(parts, t.check(&checks[i]))
	}
	return strings.Join(parts, "; ")
}

// check writes one part with the values that it looked at: "amount < 5 is false: 9 < 5".
func (t *Teller) check(c *machine.Check) string {
	text := t.rule.Readable(c.Expr) + " is false"
	if c.Holds {
		text = t.rule.Readable(c.Expr) + " holds"
	}
	if seen := t.seen(c); seen != "" {
		text += ": " + seen
	}
	return text
}

var comparisons = map[plan.Op]string{
	plan.OpEq: "==", plan.OpNe: "!=", plan.OpLt: "<", plan.OpLe: "<=", plan.OpGt: ">", plan.OpGe: ">=",
	plan.OpIn: "in", plan.OpContains: "contains", plan.OpStartsWith: "startsWith", plan.OpEndsWith: "endsWith", plan.OpMatch: "matches",
}

// seen writes what a condition looked at.
func (t *Teller) seen(c *machine.Check) string {
	if op, ok := comparisons[c.Expr.Op]; ok && len(c.Sides) == 2 {
		return plan.ReadableValue(c.Sides[0].Value) + " " + op + " " + plan.ReadableValue(c.Sides[1].Value)
	}
	var parts []string
	for _, s := range c.Sides {
		parts = append(parts, t.rule.Readable(s.Expr)+" = "+plan.ReadableValue(s.Value))
	}
	return strings.Join(parts, ", ")
}

func (t *Teller) checks(list []machine.Check) (out []Check) {
	for i := range list {
		c := Check{Text: t.rule.Readable(list[i].Expr), Holds: list[i].Holds}
		for _, s := range list[i].Sides {
			c.Sides = append(c.Sides, Side{t.rule.Readable(s.Expr), event.AppendJSON(nil, s.Value)})
		}
		out = append(out, c)
	}
	return out
}

func (t *Teller) keyName(i int) string {
	if i < len(t.rule.Keys) {
		return t.rule.Keys[i].Name
	}
	return strconv.Itoa(i)
}

// keyText writes a key for people: card "c1".
func (t *Teller) keyText(key []event.Value) string {
	var parts []string
	for i, v := range key {
		parts = append(parts, t.keyName(i)+" "+plan.ReadableValue(v))
	}
	return strings.Join(parts, ", ")
}

func (t *Teller) keyJSON(key []event.Value) json.RawMessage {
	if len(key) == 0 {
		return nil
	}
	return object(len(key), t.keyName, func(i int) event.Value { return key[i] })
}

// object writes names and values as a JSON object.
func object(n int, name func(int) string, value func(int) event.Value) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(event.AppendJSON(nil, event.OfString(name(i))))
		b.WriteByte(':')
		b.Write(event.AppendJSON(nil, value(i)))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// fields writes the fields of an alert, as data and in words.
func (t *Teller) fields(values []event.Value) (json.RawMessage, string) {
	names := t.rule.Emit
	if len(names) == 0 && len(t.rule.Inputs) > 0 {
		names = t.rule.Inputs[0].Emit
	}
	if len(values) == 0 || len(values) > len(names) {
		return nil, ""
	}
	var parts []string
	for i, v := range values {
		parts = append(parts, names[i].Name+": "+plan.ReadableValue(v))
	}
	data := object(len(values), func(i int) string { return names[i].Name }, func(i int) event.Value { return values[i] })
	return data, strings.Join(parts, ", ")
}

func (t *Teller) aggregates(values []event.Value) string {
	var parts []string
	for i, v := range values {
		parts = append(parts, t.rule.Aggregate(i)+" = "+plan.ReadableValue(v))
	}
	if len(parts) == 0 {
		return "no aggregate"
	}
	return strings.Join(parts, ", ")
}

func (t *Teller) aggregatesJSON(values []event.Value) json.RawMessage {
	if len(values) == 0 {
		return nil
	}
	return object(len(values), t.rule.Aggregate, func(i int) event.Value { return values[i] })
}

func (t *Teller) span(s *machine.Sight) string {
	if s.WindowEnd == 0 && s.WindowStart == 0 || s.WindowEnd == never {
		return ""
	}
	return " from " + t.o.Time(s.WindowStart) + " to " + t.o.Time(s.WindowEnd)
}

// why says why a run has ended.
func (t *Teller) why(s *machine.Sight) string {
	switch s.Why {
	case machine.WhyMatched:
		return "it has matched"
	case machine.WhyHaving:
		return "it was complete, and having does not hold"
	case machine.WhyTime:
		return t.whyTime(s)
	case machine.WhyForbidden:
		return t.stepName(s.Step) + " has come, which must not"
	case machine.WhyBetween:
		return "an event came where none may lie between"
	case machine.WhyUntil:
		return "an until event has come"
	case machine.WhyConsumed:
		return "another run has matched with events as late as its first one (match " + selections[t.rule.Pattern.Select] + ")"
	}
	return "the bound of open runs of one key is reached, and it was the oldest"
}

func (t *Teller) whyTime(s *machine.Sight) string {
	if within := t.rule.Pattern.Within; within > 0 && s.Until == s.Start+within {
		return "its time had passed at " + t.o.Time(s.Until) + " (within " + string(event.AppendDuration(nil, within)) + ")"
	}
	return "the time to go on had passed at " + t.o.Time(s.Until)
}

var selections = map[plan.Select]string{plan.SelectFirst: "first", plan.SelectLast: "last", plan.SelectEvery: "every", plan.SelectAll: "all"}
