package event

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects may nest in a record: far beyond any
// honest record, far below what would hurt the stack.
const maxDepth = 512

// shape is the syntactic kind of a JSON value.
type shape uint8

const (
	isString shape = iota
	isNumber
	isObject
	isArray
	isTrue
	isFalse
	isNull
)

// member is one member of an object, as places in the scanned text. Keys and
// strings are without their quotes; keyEsc and esc say that they hold escapes.
type member struct {
	key, keyEnd uint32
	val, end    uint32
	shape       shape
	keyEsc, esc bool
	known       bool // its key is the one that the order of its object has at its place
}

// scanner validates one JSON text (RFC 8259, UTF-8) and notes the members of its
// outermost object on a tape, so that the type may stand anywhere in a record and
// only the values that are wanted are ever converted. Its methods return the place
// after what they scanned, or -1 with at and fault set.
type scanner struct {
	text []byte
	tape []member
	orders
	at    int    // where the fault is
	fault string // what it is
}

func (s *scanner) fail(at int, what string) int {
	s.at, s.fault = at, what
	return -1
}

// record scans a whole text that must be one object and nothing else.
func (s *scanner) record(text []byte) int {
	s.text, s.tape = text, s.tape[:0]
	i := s.space(0)
	if i == len(text) {
		return s.fail(i, "no value")
	}
	if text[i] != '{' {
		return s.fail(i, "not an object")
	}
	s.order = &s.first
	if i = s.object(i, 1, s.order); i < 0 {
		return i
	}
	if i = s.space(i); i != len(text) {
		return s.fail(i, "text after the object")
	}
	return i
}

// space skips white space from i on.
func (s *scanner) space(i int) int {
	for i < len(s.text) {
		switch s.text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// object scans the object that opens at i and appends its members, in order of
// writing, to the tape. Where an order is given, its keys are tried first.
func (s *scanner) object(i, depth int, o *order) int {
	text := s.text
	if i++; i < len(text) && text[i] <= ' ' {
		i = s.space(i)
	}
	if i < len(text) && text[i] == '}' {
		return i + 1
	}
	for k := 0; ; k++ {
		at := len(s.tape)
		s.tape = append(s.tape, member{})
		m := &s.tape[at] // filled in place: a copy of what was just written bytewise stalls
		if i = s.name(i, k, o, m); i < 0 {
			return i
		}
		if i = s.value(i, depth, m); i < 0 {
			return i
		}
		if &s.tape[at] != m {
			s.tape[at] = *m // the tape grew within the value
		}
		if k == 0 && o == &s.first {
			o = s.pick(m)
		}
		if i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
		if i == len(text) {
			return s.fail(i, "object is not closed")
		}
		if text[i] == '}' {
			return i + 1
		}
		if text[i] != ',' {
			return s.fail(i, "want , or } after a value")
		}
		if i++; i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
	}
}

// name scans the name of an object's k-th member and its colon, up to the start of
// the value.
func (s *scanner) name(i, k int, o *order, m *member) int {
	text := s.text
	if o != nil && k < len(o.keys) {
		if want := o.keys[k].text; len(text)-i >= len(want) && string(text[i:i+len(want)]) == string(want) {
			m.key, m.keyEnd, m.known = uint32(i+1), uint32(i+len(want)-2), true
			if i += len(want); i < len(text) && text[i] <= ' ' {
				i = s.space(i)
			}
			return i
		}
	}
	if i = s.newName(i, m); i >= 0 && o != nil && !m.keyEsc {
		m.known = s.learn(o, k, text[m.key:m.keyEnd])
	}
	return i
}

// newName scans a name that is not the expected one.
func (s *scanner) newName(i int, m *member) int {
	text := s.text
	if i >= len(text) || text[i] != '"' {
		return s.fail(i, "want a field name in quotes")
	}
	end, esc := s.str(i + 1)
	if end < 0 {
		return end
	}
	m.key, m.keyEnd, m.keyEsc = uint32(i+1), uint32(end), esc
	if i = s.space(end + 1); i == len(text) || text[i] != ':' {
		return s.fail(i, "want : after a field name")
	}
	return s.space(i + 1)
}

// value scans the value at i and notes its place and shape in m.
func (s *scanner) value(i, depth int, m *member) int {
	if i >= len(s.text) {
		return s.fail(i, "want a value")
	}
	m.val = uint32(i)
	var end int
	switch s.text[i] {
	case '"':
		m.shape, m.val = isString, uint32(i+1)
		if end = plain(s.text, i+1); end == len(s.text) || s.text[end] != '"' {
			if end, m.esc = s.str(end); end < 0 {
				return end
			}
		}
		m.end = uint32(end)
		return end + 1
	case '{', '[':
		return s.nest(i, depth+1, m)
	case 't':
		m.shape, end = isTrue, s.literal(i, "true")
	case 'f':
		m.shape, end = isFalse, s.literal(i, "false")
	case 'n':
		m.shape, end = isNull, s.literal(i, "null")
	default:
		m.shape, end = isNumber, s.number(i)
	}
	m.end = uint32(end)
	return end
}

// nest scans an object or array inside a record; its members leave no trace.
func (s *scanner) nest(i, depth int, m *member) int {
	if depth > maxDepth {
		return s.fail(i, "nested more than 512 levels deep")
	}
	end := 0
	if s.text[i] == '[' {
		m.shape, end = isArray, s.array(i, depth)
	} else {
		mark := len(s.tape)
		m.shape, end = isObject, s.object(i, depth, nil)
		s.tape = s.tape[:mark]
	}
	m.end = uint32(end)
	return end
}

// array scans the array that opens at i.
func (s *scanner) array(i, depth int) int {
	i = s.space(i + 1)
	if i < len(s.text) && s.text[i] == ']' {
		return i + 1
	}
	for {
		var m member
		if i = s.value(i, depth, &m); i < 0 {
			return i
		}
		i = s.space(i)
		if i == len(s.text) {
			return s.fail(i, "array is not closed")
		}
		if s.text[i] == ']' {
			return i + 1
		}
		if s.text[i] != ',' {
			return s.fail(i, "want , or ] after a value")
		}
		i = s.space(i + 1)
	}
}

func (s *scanner) literal(i int, word string) int {
	end := i + len(word)
	if end > len(s.text) || string(s.text[i:end]) != word {
		return s.fail(i, "want a value")
	}
	return end
}

// number scans a number by RFC 8259's grammar.
func (s *scanner) number(i int) int {
	text := s.text
	start := i
	if text[i] == '-' {
		i++
	}
	if i >= len(text) || text[i]-'0' > 9 {
		if i == start {
			return s.fail(i, "want a value")
		}
		return s.fail(i, "want a digit")
	}
	if text[i] == '0' {
		i++
	} else {
		i = digits(text, i)
	}
	if i < len(text) && text[i] == '.' {
		if i++; i >= len(text) || text[i]-'0' > 9 {
			return s.fail(i, "want a digit")
		}
		i = digits(text, i)
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		return s.exponent(i + 1)
	}
	return i
}

func (s *scanner) exponent(i int) int {
	if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
		i++
	}
	if i >= len(s.text) || s.text[i]-'0' > 9 {
		return s.fail(i, "want a digit")
	}
	return digits(s.text, i)
}

// digits skips digits from i on.
func digits(text []byte, i int) int {
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return i
}

// str scans a string from i, its first byte after the quote. It returns the place
// of the closing quote and whether the string holds escapes.
func (s *scanner) str(i int) (int, bool) {
	esc := false
	for {
		if i = plain(s.text, i); i == len(s.text) {
			return s.fail(i, "string is not closed"), false
		}
		switch c := s.text[i]; {
		case c == '"':
			return i, esc
		case c == '\\':
			esc = true
			i = s.escape(i + 1)
		case c < ' ':
			i = s.fail(i, "control character in a string")
		default:
			i = s.rune(i)
		}
		if i < 0 {
			return -1, false
		}
	}
}

// plain returns the place of the first byte from i on that a string does not hold
// as it is: a quote, a backslash, a control character, or anything beyond ASCII.
func plain(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		if hit := special(binary.LittleEndian.Uint64(text[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	if rest := len(text) - i; rest > 0 && len(text) >= 8 { // the last eight again: zeros take the place of what was seen
		hit := special(binary.LittleEndian.Uint64(text[len(text)-8:]) >> (64 - 8*rest))
		return i + bits.TrailingZeros64(hit)>>3
	}
	for ; i < len(text); i++ {
		if c := text[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}

// escape scans what follows a backslash.
func (s *scanner) escape(i int) int {
	if i >= len(s.text) {
		return s.fail(i, "string is not closed")
	}
	switch s.text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if hex4(s.text, i+1) < 0 {
			return s.fail(i, "want four hexadecimal digits after \\u")
		}
		return i + 5
	}
	return s.fail(i, "unknown escape in a string")
}

// rune scans one character beyond ASCII.
func (s *scanner) rune(i int) int {
	r, n := utf8.DecodeRune(s.text[i:])
	if r == utf8.RuneError && n == 1 {
		return s.fail(i, "invalid UTF-8")
	}
	return i + n
}

// hex4 reads four hexadecimal digits at i; -1 where they are not there.
func hex4(text []byte, i int) rune {
	if i+4 > len(text) {
		return -1
	}
	var r rune
	for _, c := range text[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
