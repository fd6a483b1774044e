package ruletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
)

// A JSON value is nil, bool, json.Number, string, []any or object. Unlike a map, an
// object keeps the order of its members, which is part of what an alert promises, and
// members that stand twice, which a record may well have.
type object []member

type member struct {
	name  string
	value any
}

// get returns the first member of a name.
func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// parseObject reads one JSON object and nothing after it.
func parseObject(text string) (object, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("not an object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something stands after the object")
	}
	return o, nil
}

func parseValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return parseMembers(d)
	case json.Delim('['):
		return parseElements(d)
	}
	return t, nil
}

func parseMembers(d *json.Decoder) (any, error) {
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		o = append(o, member{name.(string), v})
	}
	_, err := d.Token()
	return o, err
}

func parseElements(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// appendValue writes a value without white space.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		for i, m := range v {
			b = appendComma(b, i)
			b = append(appendText(b, m.name), ':')
			b = appendValue(b, m.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			b = appendValue(appendComma(b, i), e)
		}
		return append(b, ']')
	case string:
		return appendText(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	}
	return append(b, "null"...)
}

func appendComma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ',')
}

// appendText writes a JSON string; <, > and & stay as they are.
func appendText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

func text(v any) string { return string(appendValue(nil, v)) }

// same compares an expected value with one of an alert. Members must stand in the
// expected order; numbers may differ by 1e-9 of their size; a text "@D" is the time
// at that offset from zero.
func same(want, got any, zero int64) bool {
	switch want := want.(type) {
	case object:
		got, ok := got.(object)
		ok = ok && len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = want[i].name == got[i].name && same(want[i].value, got[i].value, zero)
		}
		return ok
	case []any:
		got, ok := got.([]any)
		ok = ok && len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = same(want[i], got[i], zero)
		}
		return ok
	case json.Number:
		got, ok := got.(json.Number)
		return ok && near(want, got)
	case string:
		return want == got || atOffset(want, zero) == got
	}
	return want == got
}

// tolerance of numbers, relative.
const tolerance = 1e-9

func near(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	switch {
	case a == b:
		return true
	case errX != nil || errY != nil || wholeNumber(a) && wholeNumber(b):
		return false
	}
	return math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
}

func wholeNumber(n json.Number) bool {
	_, err := n.Int64()
	return err == nil
}

// atOffset turns a text "@D" into the time at that offset from zero, and leaves others.
func atOffset(s string, zero int64) string {
	if d, ok := strings.CutPrefix(s, "@"); ok {
		if ns, err := event.ParseDuration(d); err == nil {
			return string(event.AppendTime(nil, zero+ns))
		}
	}
	return s
}
