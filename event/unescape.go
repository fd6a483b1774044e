package event

import (
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the text that a valid JSON string, without its quotes,
// stands for. Half of a surrogate pair alone becomes U+FFFD, as in encoding/json.
func appendUnescaped(b, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			b = append(b, unescaped(s[i+1]))
			i += 2
			continue
		}
		r := hex4(s, i+2)
		i += 6
		if utf16.IsSurrogate(r) {
			r, i = surrogate(s, i, r)
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// surrogate joins first with the second half at i, where there is one.
func surrogate(s []byte, i int, first rune) (rune, int) {
	if i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
		if r := utf16.DecodeRune(first, hex4(s, i+2)); r != utf8.RuneError {
			return r, i + 6
		}
	}
	return utf8.RuneError, i
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
