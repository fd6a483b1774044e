package engine

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// pieces is a record's JSON taken apart: its shape, and what stands in the shape's holes.
type pieces struct {
	text   []byte // of the shape
	values [][]byte
}

// take takes JSON apart. It need not be well-formed: put together, the pieces give the same
// bytes, whatever they are; ok is false where they hold the byte that stands for a hole.
// typ, where it is a whole value, stays in the shape.
func (p *pieces) take(json []byte, typ string) (ok bool) {
	p.text, p.values = p.text[:0], p.values[:0]
	for i := 0; i < len(json); {
		switch c := json[i]; {
		case c == hole:
			return false
		case c == '"':
			i = p.quoted(json, i+1, typ)
		case isBetween(c):
			p.text = append(p.text, c)
			i++
		default:
			end := i + 1
			for end < len(json) && !isBetween(json[end]) && json[end] != '"' && json[end] != hole {
				end++
			}
			p.value(json[i:end])
			i = end
		}
	}
	return true
}

// isBetween reports whether a byte stands between values.
func isBetween(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ',', ':', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// quoted takes the string that begins at a place, behind its quote, and returns the place
// behind it. The name of a field stays in the shape.
func (p *pieces) quoted(json []byte, from int, typ string) int {
	end := from
	for end < len(json) && json[end] != '"' {
		if json[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(json))
	p.text = append(p.text, '"')
	if s := json[from:end]; (isName(json, end) || string(s) == typ) && bytes.IndexByte(s, hole) < 0 {
		p.text = append(p.text, s...)
	} else {
		p.value(s)
	}
	if end < len(json) {
		p.text = append(p.text, '"')
		end++
	}
	return end
}

// isName reports whether a colon follows the quote at a place.
func isName(json []byte, quote int) bool {
	i := quote + 1
	for i < len(json) && json[i] == ' ' {
		i++
	}
	return i < len(json) && json[i] == ':'
}

func (p *pieces) value(v []byte) {
	p.text = append(p.text, hole)
	p.values = append(p.values, v)
}

// How a value is written: a head, whose two lowest bits say which of these follows.
const (
	plainValue  = iota // bytes, as many as the rest of the head says
	numberValue        // a number with so many digits after the point: its digits less those before, zigzag
	sameValue          // the value before; the head is nothing but this
)

// longSame is how long a value may be that is written as that of the event before: so a few
// bytes are never read as very many.
const longSame = 64

// appendValue appends a value, given the one of the event before, nil where there is none.
func appendValue(b, v, before []byte) []byte {
	if before != nil && len(v) <= longSame && bytes.Equal(v, before) {
		return append(b, sameValue)
	}
	if n, point, ok := digits(v); ok {
		if was, at, ok := digits(before); ok && at == point {
			n -= was
		}
		if size := 1 + (bits.Len64(uint64(n<<1)^uint64(n>>63))+6)/7; size <= len(v) {
			return binary.AppendVarint(append(b, byte(point<<2|numberValue)), n)
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(v))<<2), v...) // plainValue is 0
}

// longNumber is how many digits a number may have that is written as one.
const longNumber = 18

// digits reads a number that its digits, and how many of them stand after the point, say
// all about: appendDigits writes it as it was.
func digits(v []byte) (n int64, point int, ok bool) {
	rest := v
	if len(v) > 0 && v[0] == '-' {
		rest = v[1:]
	}
	dot := bytes.IndexByte(rest, '.')
	whole := len(rest)
	if dot >= 0 {
		whole, point = dot, len(rest)-dot-1
	}
	if whole == 0 || dot >= 0 && point == 0 || whole+point > longNumber || rest[0] == '0' && whole > 1 {
		return 0, 0, false
	}
	for i, c := range rest {
		if i == dot {
			continue
		}
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if len(rest) < len(v) {
		n = -n
	}
	return n, point, n != 0 || len(rest) == len(v)
}

// appendDigits appends a number with so many digits after the point.
func appendDigits(b []byte, n int64, point int) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	var buf [20]byte
	text := strconv.AppendInt(buf[:0], n, 10)
	whole := len(text) - point
	if whole <= 0 {
		b = append(b, "0."...)
		for range -whole {
			b = append(b, '0')
		}
		return append(b, text...)
	}
	b = append(b, text[:whole]...)
	if point > 0 {
		b = append(append(b, '.'), text[whole:]...)
	}
	return b
}

// cutValue reads what appendValue wrote at the start of b: it appends the value to text and
// returns what is left of b, nil and false where it makes no sense.
func cutValue(text, b, before []byte) (longer, rest []byte, ok bool) {
	head, used := binary.Uvarint(b)
	if used <= 0 {
		return nil, nil, false
	}
	b = b[used:]
	switch n := head >> 2; {
	case head&3 == plainValue && n <= uint64(len(b)):
		return append(text, b[:n]...), b[n:], true
	case head&3 == numberValue && n < longNumber:
		return cutNumber(text, b, before, int(n))
	case head == sameValue && before != nil && len(before) <= longSame:
		return append(text, before...), b, true
	}
	return nil, nil, false
}

// cutNumber reads the digits of a number.
func cutNumber(text, b, before []byte, point int) (longer, rest []byte, ok bool) {
	n, used := binary.Varint(b)
	if used <= 0 {
		return nil, nil, false
	}
	if was, at, ok := digits(before); ok && at == point {
		n += was
	}
	const most = 1_000_000_000_000_000_000 // of longNumber digits, and one more
	if n <= -most || n >= most {
		return nil, nil, false
	}
	return appendDigits(text, n, point), b[used:], true
}

// fill puts values that appendValue wrote, all of b, into the holes of a shape.
func (sh *shape) fill(text, b []byte, before [][]byte) (filled []byte, ok bool) {
	text = append(text, sh.parts[0]...)
	for i, part := range sh.parts[1:] {
		var was []byte
		if i < len(before) {
			was = before[i]
		}
		if text, b, ok = cutValue(text, b, was); !ok {
			return nil, false
		}
		text = append(text, part...)
	}
	return text, len(b) == 0
}
