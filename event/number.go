package event

import (
	"math"
	"strconv"
	"unsafe"
)

// view returns b as a string that shares its memory.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// stringBytes returns the bytes of s, which nobody may change.
func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// parseInt reads a valid JSON number as an integer: 5, 5.0 and 5e0 are 5. It
// reports false where the number has a fraction or does not fit.
func parseInt(text []byte) (int64, bool) {
	if n, ok := shortInt(text); ok {
		return n, true
	}
	n, exact, ok := scaled(text, 0)
	return n, exact && ok
}

// shortInt reads up to 18 plain digits with a sign, which cannot overflow.
func shortInt(text []byte) (int64, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// scaled returns the valid JSON number times 10^shift, rounded down; exact says
// that nothing was lost, ok that it fits.
func scaled(text []byte, shift int) (n int64, exact, ok bool) {
	neg := text[0] == '-'
	if neg {
		text = text[1:]
	}
	mant, point := splitNumber(text)
	abs, exact, ok := magnitude(mant, point+int64(shift))
	if !neg {
		return int64(abs), exact, ok && abs <= math.MaxInt64
	}
	if !exact {
		abs++
	}
	return -int64(abs), exact, ok && abs <= 1<<63
}

// splitNumber splits an unsigned number into its digits (which may hold a dot) and
// the place of the decimal point, counted in digits from the left, exponent included.
func splitNumber(text []byte) (mant []byte, point int64) {
	i, dot := 0, -1
	for i < len(text) && text[i]|0x20 != 'e' {
		if text[i] == '.' {
			dot = i
		}
		i++
	}
	mant, point = text[:i], int64(i)
	if dot >= 0 {
		point = int64(dot)
	}
	if i < len(text) {
		point += exponentOf(text[i+1:])
	}
	return mant, point
}

// exponentOf reads an exponent; beyond 2^40, more than any record has digits, it
// is cut off.
func exponentOf(text []byte) int64 {
	var e int64
	for _, c := range text {
		if c-'0' <= 9 && e < 1<<40 {
			e = e*10 + int64(c-'0')
		}
	}
	if text[0] == '-' {
		return -e
	}
	return e
}

// magnitude returns the digits before the decimal point as a number.
func magnitude(mant []byte, point int64) (n uint64, exact, ok bool) {
	exact = true
	var at int64
	for _, c := range mant {
		if c == '.' {
			continue
		}
		if d := uint64(c - '0'); at >= point {
			exact = exact && d == 0
		} else if n, ok = push(n, d); !ok {
			return 0, true, false
		}
		at++
	}
	for ; at < point && n != 0; at++ {
		if n, ok = push(n, 0); !ok {
			return 0, true, false
		}
	}
	return n, exact, true
}

// push appends a decimal digit to n; false where that is more than 2^63.
func push(n, digit uint64) (uint64, bool) {
	if n > (1<<63)/10 {
		return 0, false
	}
	n = n*10 + digit
	return n, n <= 1<<63
}

// parseFloat reads a valid JSON number, correctly rounded; false where it is
// beyond the greatest float.
func parseFloat(text []byte) (float64, bool) {
	if f, ok := shortFloat(text); ok {
		return f, true
	}
	f, err := strconv.ParseFloat(view(text), 64)
	return f, err == nil
}

// shortFloat reads numbers whose digits fit 53 bits and whose power of ten is exact
// too, so that one division rounds once, and rightly (Clinger 1990, the fast path).
func shortFloat(text []byte) (float64, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 17 {
		return 0, false
	}
	var n uint64
	after := -1 // digits after the dot; -1: no dot yet
	for _, c := range digits {
		if c == '.' {
			after = 0
			continue
		}
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
		if after >= 0 {
			after++
		}
	}
	if n > 1<<53 {
		return 0, false
	}
	f := float64(n)
	if after > 0 {
		f /= pow10[after]
	}
	if len(digits) < len(text) {
		f = -f
	}
	return f, true
}

// pow10 holds the powers that a short number can need; all are exact.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17}
