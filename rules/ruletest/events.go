package ruletest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/enginetest"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// tick is the event type of lines that only move time on, and tickRules its
// declaration, added to the rule set of a scenario that has such lines.
const (
	tick      = "tick"
	tickRules = "event tick (time: t) { t time }\n"
)

// hasTicks reports whether a line has t alone.
func (s *Scenario) hasTicks() bool {
	return slices.ContainsFunc(s.partitions, func(p partition) bool {
		return slices.ContainsFunc(p.lines, func(line string) bool {
			o, err := parseObject(line)
			return err == nil && isTick(o)
		})
	})
}

func isTick(o object) bool { return len(o) == 1 && o[0].name == "t" }

// streams are the records of the scenario as a source gives them.
func (s *Scenario) streams(set *plan.Set) ([]enginetest.Stream, error) {
	var out []enginetest.Stream
	for _, p := range s.partitions {
		stream := enginetest.Stream{Name: p.name, Times: []int64{}}
		arrived := s.Options.Zero
		for i, line := range p.lines {
			r, err := s.record(set, line, arrived)
			if err != nil {
				return nil, fmt.Errorf("record %d of %s: %w", i, p.name, err)
			}
			arrived = max(arrived, r.at)
			stream.Records = append(stream.Records, r.text)
			stream.Times = append(stream.Times, r.at)
			stream.Stamped = stream.Stamped || r.stamped
		}
		out = append(out, stream)
	}
	return out, nil
}

// record is what a line stands for.
type record struct {
	text    string
	at      int64 // the record's own time: that of "arrives", else of t, else of the record before
	stamped bool  // it has an "arrives"
}

// record translates a line. One that is no JSON object is a record as it is.
func (s *Scenario) record(set *plan.Set, line string, arrived int64) (record, error) {
	o, err := parseObject(line)
	if err != nil {
		return record{text: line, at: arrived}, nil
	}
	if isTick(o) {
		o = append(o, member{s.typeField(), tick})
	}
	r := record{at: arrived}
	if v, own := o.get("t"); own {
		if ns, isOffset := offset(v); isOffset {
			r.at = s.Options.Zero + ns
		}
	}
	if v, own := o.get("arrives"); own {
		ns, isOffset := offset(v)
		if !isOffset {
			return r, fmt.Errorf("arrives: want an offset such as \"10s\", got %s", text(v))
		}
		r.at, r.stamped = s.Options.Zero+ns, true
	}
	r.text = text(s.members(s.schemaOf(set, o), o))
	return r, nil
}

// members are those of the record that a line stands for.
func (s *Scenario) members(schema *event.Schema, o object) object {
	out := object{}
	for _, m := range o {
		ns, isOffset := offset(m.value)
		switch {
		case m.name == "arrives":
		case m.name == "t" && isOffset:
			if name, v := timeMember(schema, s.Options.Zero+ns); name != "" {
				out = append(out, member{name, v})
			}
		default:
			out = append(out, member{m.name, resolve(m.value, s.Options.Zero)})
		}
	}
	return out
}

func offset(v any) (int64, bool) {
	d, ok := v.(string)
	if !ok {
		return 0, false
	}
	ns, err := event.ParseDuration(d)
	return ns, err == nil
}

// timeMember is the member that holds the event time of a type, no name where the time
// is that of arrival. A record of unknown type keeps the name t.
func timeMember(schema *event.Schema, ns int64) (string, any) {
	switch {
	case schema == nil:
		return "t", string(event.AppendTime(nil, ns))
	case schema.TimeUnit == event.UnitNone:
		return schema.TimeField, string(event.AppendTime(nil, ns))
	}
	return schema.TimeField, json.Number(decimal(ns, int64(schema.TimeUnit)))
}

// decimal writes n/unit exactly; unit is a power of ten.
func decimal(n, unit int64) string {
	text := new(big.Rat).SetFrac64(n, unit).FloatString(len(strconv.FormatInt(unit, 10)) - 1)
	if unit == 1 {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func (s *Scenario) typeField() string {
	if f := s.Options.Decode.TypeField; f != "" {
		return f
	}
	return "type"
}

// schemaOf returns the declared type of a record, nil where there is none.
func (s *Scenario) schemaOf(set *plan.Set, o object) *event.Schema {
	name := s.Options.Decode.Type
	if name == "" {
		v, _ := o.get(s.typeField())
		name, _ = v.(string)
	}
	for _, t := range set.Types {
		if t.Schema.Name == name {
			return &t.Schema
		}
	}
	return nil
}

// resolve turns every text "@D" of a value into a time.
func resolve(v any, zero int64) any {
	switch v := v.(type) {
	case string:
		return atOffset(v, zero)
	case []any:
		for i := range v {
			v[i] = resolve(v[i], zero)
		}
	case object:
		for i := range v {
			v[i].value = resolve(v[i].value, zero)
		}
	}
	return v
}
