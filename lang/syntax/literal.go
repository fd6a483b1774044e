package syntax

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// fraction reports whether the dot at hand begins a number, as in .5; a dot after a
// dot does not.
func (s *scanner) fraction() bool {
	if s.at+1 >= len(s.text) || !isDigit(s.text[s.at+1]) {
		return false
	}
	return s.at == 0 || s.text[s.at-1] != '.'
}

// number moves past a number or a duration: digits, perhaps with a fraction and an
// exponent, or digits and units. Letters and digits that follow at once belong to it
// and are wrong.
func (s *scanner) number() lexer.TokenType {
	start := s.at
	kind := s.digits()
	rest := tailLen(s.text[s.at:])
	s.at += rest
	text := s.text[start:s.at]
	switch {
	case kind == intToken && rest > 0 && !based(text):
		if _, err := ParseDuration(text); err != nil {
			s.fail(codeDuration, start, s.at, err.Error(), durationMend)
		}
		return durationToken
	case !wellFormed(text, kind):
		s.fail(codeNumber, start, s.at, fmt.Sprintf("malformed number %s", show(text)), numberMend(text))
	}
	return kind
}

// numberMend tells who wrote 1.5h how durations are written.
func numberMend(text string) string {
	if unitOf(strings.TrimLeft(text, "0123456789._")) >= 0 {
		return durationMend
	}
	return ""
}

// digits moves past digits, fraction and exponent.
func (s *scanner) digits() lexer.TokenType {
	kind := intToken
	s.decimals()
	if s.at+1 < len(s.text) && s.text[s.at] == '.' && isDigit(s.text[s.at+1]) {
		kind = floatToken
		s.at++
		s.decimals()
	}
	if n := exponentLen(s.text[s.at:]); n > 0 {
		kind = floatToken
		s.at += n
	}
	return kind
}

func (s *scanner) decimals() {
	for s.at < len(s.text) && (isDigit(s.text[s.at]) || s.text[s.at] == '_') {
		s.at++
	}
}

// exponentLen returns the length of the exponent that the text begins with, or 0.
func exponentLen(text string) int {
	if text == "" || text[0] != 'e' && text[0] != 'E' {
		return 0
	}
	at := 1
	if at < len(text) && (text[at] == '+' || text[at] == '-') {
		at++
	}
	first := at
	for at < len(text) && isDigit(text[at]) {
		at++
	}
	if at == first {
		return 0
	}
	return at
}

// based reports numbers such as 0xFF, 0b01 and 0o17.
func based(text string) bool {
	return len(text) > 1 && text[0] == '0' && strings.IndexByte("xXbBoO", text[1]) >= 0
}

func wellFormed(text string, kind lexer.TokenType) bool {
	if kind == intToken {
		_, err := parseInt(text)
		return err == nil
	}
	plain, ok := ungroup(text)
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(plain, 64)
	return err == nil && !math.IsInf(f, 0)
}

// parseInt reads a whole number, decimal unless it says its base. A leading zero does
// not make it octal.
func parseInt(text string) (int64, error) {
	if based(text) {
		return strconv.ParseInt(text, 0, 64)
	}
	plain, ok := ungroup(text)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(plain, 10, 64)
}

// ungroup takes out the _ between digits, and reports false where one stands
// elsewhere.
func ungroup(text string) (string, bool) {
	for i := range len(text) {
		if text[i] == '_' && (i == 0 || i == len(text)-1 || !isDigit(text[i-1]) || !isDigit(text[i+1])) {
			return "", false
		}
	}
	return strings.ReplaceAll(text, "_", ""), true
}

// units of a duration, greatest first, in nanoseconds.
var units = [...]struct {
	name  string
	nanos uint64
}{
	{"w", 7 * 24 * 3600e9}, {"d", 24 * 3600e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6},
}

// ParseDuration reads a duration such as 250ms or 1h30m and returns its nanoseconds.
// Units stand in falling order, each at most once. The error is a message to the
// author of a rule.
func ParseDuration(text string) (int64, error) {
	var total uint64
	last := -1
	for rest := text; rest != ""; {
		count, unit, after := splitDuration(rest)
		at := unitOf(unit)
		if at < 0 {
			return 0, fmt.Errorf("unknown unit %s in %s", show(unit), show(text))
		}
		if at <= last {
			return 0, fmt.Errorf("the units of %s are not in falling order", show(text))
		}
		n, err := parseInt(count)
		hi, lo := bits.Mul64(uint64(n), units[at].nanos)
		sum, carry := bits.Add64(total, lo, 0)
		if err != nil || hi != 0 || carry != 0 || sum > math.MaxInt64 {
			return 0, fmt.Errorf("the duration %s is too long or malformed", show(text))
		}
		total, last, rest = sum, at, after
	}
	if last < 0 {
		return 0, fmt.Errorf("%s is not a duration", show(text))
	}
	return int64(total), nil
}

// splitDuration cuts the first number and its unit off.
func splitDuration(text string) (count, unit, rest string) {
	n := 0
	for n < len(text) && (isDigit(text[n]) || text[n] == '_') {
		n++
	}
	m := n
	for m < len(text) && !isDigit(text[m]) {
		m++
	}
	return text[:n], text[n:m], text[m:]
}

func unitOf(name string) int {
	for i, u := range units {
		if u.name == name {
			return i
		}
	}
	return -1
}

const durationMend = "a duration is written as 250ms, 10s, 5m, 1h30m, 7d or 2w"

// Unquote returns the text that a string literal without interpolation stands for. A
// raw '…' one has no escapes. The error's offset counts bytes from the literal's
// start.
func Unquote(literal string) (string, *EscapeError) {
	body := literal[1 : len(literal)-1]
	if literal[0] == '\'' || !strings.Contains(body, `\`) {
		return body, nil
	}
	var b strings.Builder
	for at := 0; at < len(body); {
		if body[at] != '\\' {
			b.WriteByte(body[at])
			at++
			continue
		}
		r, size := escape(body[at:])
		if size == 0 {
			return "", &EscapeError{Offset: at + 1, Len: escapeLen(body[at:])}
		}
		b.WriteRune(r)
		at += size
	}
	return b.String(), nil
}

// EscapeError is the place of an escape that means nothing, in bytes from the start
// of its literal.
type EscapeError struct {
	Offset, Len int
}

// escape reads the escape that the text begins with; size 0 says that there is none.
func escape(text string) (r rune, size int) {
	if len(text) < 2 {
		return 0, 0
	}
	const plain = "abfnrtv\\\"'$0"
	const means = "\a\b\f\n\r\t\v\\\"'$\x00"
	if i := strings.IndexByte(plain, text[1]); i >= 0 {
		return rune(means[i]), 2
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	if digits == 0 || len(text) < 2+digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(text[2:2+digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return 0, 0
	}
	return rune(n), 2 + digits
}

// escapeLen is how much of the text to point at: the backslash and the rune after it.
func escapeLen(text string) int {
	_, size := utf8.DecodeRuneInString(text[1:])
	return 1 + size
}
