package event

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// ParseJSON parses one JSON value into a Value; numbers without fraction and
// exponent that fit are Int, others Float. Of two members of one name the last
// counts. Strings without escapes share the memory of text. What is not valid JSON,
// nested too deep or beyond the floats is nil.
func ParseJSON(text []byte) Value { return ParseAs(text, &Type{Kind: Any}) }

// ParseAs parses one JSON value as a value of the declared type: within lists and
// records too, a number in the place of a float is a Float, times, durations and
// addresses are what their text says, and what is of the wrong type is nil. A record
// keeps fields that its type does not declare, as ParseJSON has them.
func ParseAs(text []byte, typ *Type) Value {
	p := valueParser{d: Decoder{scan: scanner{text: text}}}
	s := &p.d.scan
	var m member
	end := s.value(s.space(0), 0, &m)
	if end < 0 || s.space(end) != len(text) {
		return Value{}
	}
	return p.value(&m, typ)
}

// valueParser makes Values of a scanned text, with the conversions of a Decoder.
type valueParser struct{ d Decoder }

var anyType = Type{Kind: Any}

func (p *valueParser) value(m *member, typ *Type) Value {
	switch k := typ.Kind; k {
	case Any:
		return p.any(m)
	case List:
		return p.list(m, typ.Elem)
	case Record:
		return p.record(m, typ)
	case String:
		return p.text(m)
	case IP:
		return p.address(m)
	default:
		n, ok := p.d.slotOf(&field{typ: Type{Kind: k}}, m)
		if !ok {
			return Value{}
		}
		return Value{Kind: k, N: n}
	}
}

// any makes the Value that the text itself suggests.
func (p *valueParser) any(m *member) Value {
	switch m.shape {
	case isString:
		return p.text(m)
	case isNumber:
		return p.number(p.d.scan.text[m.val:m.end])
	case isTrue, isFalse:
		return OfBool(m.shape == isTrue)
	case isArray:
		return p.list(m, &anyType)
	case isObject:
		return p.record(m, &anyType)
	}
	return Value{}
}

func (p *valueParser) number(text []byte) Value {
	for _, c := range text {
		if c == '.' || c|0x20 == 'e' {
			return p.float(text)
		}
	}
	if n, ok := parseInt(text); ok {
		return OfInt(n)
	}
	return p.float(text)
}

func (p *valueParser) float(text []byte) Value {
	f, ok := parseFloat(text)
	if !ok {
		return Value{}
	}
	return OfFloat(f)
}

func (p *valueParser) text(m *member) Value {
	if m.shape != isString {
		return Value{}
	}
	text := p.d.scan.text[m.val:m.end]
	if m.esc {
		text = appendUnescaped(nil, text)
	}
	return OfString(view(text))
}

func (p *valueParser) address(m *member) Value {
	if m.shape != isString {
		return Value{}
	}
	ref, ok := p.d.address(m, p.d.textOf(m))
	if !ok {
		return Value{}
	}
	s := string(joined(p.d.scan.text, p.d.tail, Ref(ref)))
	p.d.tail = p.d.tail[:0]
	return Value{Kind: IP, S: s}
}

// joined returns what a reference into text and the tail after it points to.
func joined(text, tail []byte, r Ref) []byte {
	if off := int(r >> 32); off >= len(text) {
		return MakeRef(off-len(text), int(uint32(r))).Bytes(tail)
	}
	return r.Bytes(text)
}

func (p *valueParser) list(m *member, elem *Type) Value {
	if m.shape != isArray {
		return Value{}
	}
	v := Value{Kind: List, C: &Compound{}}
	s := &p.d.scan
	for i := s.space(int(m.val) + 1); s.text[i] != ']'; {
		var e member
		i = s.space(s.value(i, 0, &e))
		v.C.Elems = append(v.C.Elems, p.value(&e, elem))
		if s.text[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return v
}

func (p *valueParser) record(m *member, typ *Type) Value {
	if m.shape != isObject {
		return Value{}
	}
	mark := len(p.d.scan.tape)
	p.d.scan.object(int(m.val), 0, nil)
	members := p.d.scan.tape[mark:]
	v := Value{Kind: Record, C: &Compound{}}
	set := setter{c: v.C}
	for i := range members {
		e := &members[i]
		name := string(p.d.key(e))
		t := &anyType
		if f := typ.Field(name); f != nil {
			t = &f.Type
		}
		set.set(name, p.value(e, t))
	}
	p.d.scan.tape = p.d.scan.tape[:mark]
	return v
}

// setter sets the values of a record by name. It looks through the names of a small
// one, and keeps an index of a large one, so that no record takes long.
type setter struct {
	c  *Compound
	at map[string]int // nil while the record is small
}

const smallRecord = 16

// set sets the value of that name, in the place of an earlier one.
func (s *setter) set(name string, v Value) {
	if i := s.find(name); i >= 0 {
		s.c.Elems[i] = v
		return
	}
	if s.at != nil {
		s.at[name] = len(s.c.Names)
	}
	s.c.Names, s.c.Elems = append(s.c.Names, name), append(s.c.Elems, v)
}

// find returns the place of the name, -1 where it is new.
func (s *setter) find(name string) int {
	if s.at == nil && len(s.c.Names) < smallRecord {
		return slices.Index(s.c.Names, name)
	}
	if s.at == nil {
		s.at = map[string]int{}
		for i, n := range s.c.Names {
			s.at[n] = i
		}
	}
	if i, ok := s.at[name]; ok {
		return i
	}
	return -1
}

// AppendJSON appends a value as JSON: floats in their shortest form, times as RFC
// 3339 text in UTC, durations as rule files write them, nil as null. Strings hold no
// escape that JSON does not ask for; bytes that are no UTF-8 become U+FFFD.
func AppendJSON(b []byte, v Value) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(b, v.Bool())
	case Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float:
		return appendFloat(b, v.Float())
	case String, IP:
		return appendString(b, v.S)
	case Time:
		return append(AppendTime(append(b, '"'), v.Int()), '"')
	case Duration:
		return append(AppendDuration(append(b, '"'), v.Int()), '"')
	case List:
		return appendList(b, v.C)
	case Record:
		return appendRecord(b, v.C)
	}
	return append(b, "null"...)
}

// appendFloat appends the shortest text that reads back as f, with an exponent where
// the number is below 1e-6 or from 1e21 on. Zero has no sign; NaN and the infinities,
// which no value of the language is, are null.
func appendFloat(b []byte, f float64) []byte {
	abs := math.Abs(f)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if abs == 0 {
		return append(b, '0')
	}
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'e', -1, 64)
}

func appendList(b []byte, c *Compound) []byte {
	b = append(b, '[')
	if c != nil {
		for i, e := range c.Elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, e)
		}
	}
	return append(b, ']')
}

func appendRecord(b []byte, c *Compound) []byte {
	b = append(b, '{')
	if c != nil {
		for i, e := range c.Elems {
			b = AppendJSON(appendName(b, c.Names[i]), e)
		}
	}
	return append(b, '}')
}

// appendName appends the name of a member and its colon, and before it a comma but
// after the brace that opens the object.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(appendString(b, name), ':')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		n := plain(stringBytes(s), 0)
		b, s = append(b, s[:n]...), s[n:]
		if s == "" {
			break
		}
		if c := s[0]; c < utf8.RuneSelf {
			b, s = appendEscape(b, c), s[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		b, s = utf8.AppendRune(b, r), s[n:]
	}
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
