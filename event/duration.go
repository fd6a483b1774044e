package event

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
)

// ErrDuration is the error of [ParseDuration].
var ErrDuration = errors.New(`not a duration: want something like "1h30m", "250ms" or "7d"`)

// durationUnits are the units of durations, greatest first.
var durationUnits = [...]struct {
	name string
	ns   uint64
}{
	{"w", 7 * 86400e9},
	{"d", 86400e9},
	{"h", 3600e9},
	{"m", 60e9},
	{"s", 1e9},
	{"ms", 1e6},
	{"us", 1e3},
	{"ns", 1},
}

// ParseDuration reads a duration as rule files write it ("1h30m", "7d", "2w") or as
// Go does ("-1.5h", "300us", "300µs"), exactly, and returns nanoseconds; what is
// smaller is cut off. The error is ErrDuration; nothing is allocated.
func ParseDuration(s string) (int64, error) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, ErrDuration
	}
	var sum uint64
	for s != "" {
		n, rest, ok := durationPart(s)
		if !ok || n > 1<<63 || sum > 1<<63-n {
			return 0, ErrDuration
		}
		sum, s = sum+n, rest
	}
	if neg {
		return -int64(sum), nil
	}
	if sum > math.MaxInt64 {
		return 0, ErrDuration
	}
	return int64(sum), nil
}

// durationPart reads one number and its unit from the start of s.
func durationPart(s string) (n uint64, rest string, ok bool) {
	i, dot := 0, -1
	for i < len(s) && (s[i]-'0' <= 9 || s[i] == '.' && dot < 0) {
		if s[i] == '.' {
			dot = i
		}
		i++
	}
	whole, frac := s[:i], ""
	if dot >= 0 {
		whole, frac = s[:dot], s[dot+1:i]
	}
	if whole == "" && frac == "" {
		return 0, s, false
	}
	unit, rest := durationUnit(s[i:])
	for _, c := range []byte(whole) {
		if n, ok = push(n, uint64(c-'0')); !ok {
			return 0, s, false
		}
	}
	if unit == 0 || n > (1<<63)/unit {
		return 0, s, false
	}
	return n*unit + fractionOf(frac, unit), rest, true
}

// durationUnit reads a unit name and returns its nanoseconds, 0 where there is none.
func durationUnit(s string) (ns uint64, rest string) {
	end := 0
	for end < len(s) && s[end] != '.' && s[end]-'0' > 9 {
		end++
	}
	name := s[:end]
	if name == "µs" || name == "μs" {
		name = "us"
	}
	for _, u := range durationUnits {
		if u.name == name {
			return u.ns, s[end:]
		}
	}
	return 0, s
}

// fractionOf returns 0.digits of a unit, rounded down. Digits beyond the 18th are
// worth less than a thousandth of a nanosecond of the greatest unit.
func fractionOf(digits string, unit uint64) uint64 {
	digits = digits[:min(len(digits), 18)]
	num, den := uint64(0), uint64(1)
	for _, c := range []byte(digits) {
		num, den = num*10+uint64(c-'0'), den*10
	}
	hi, lo := bits.Mul64(num, unit)
	n, _ := bits.Div64(hi, lo, den)
	return n
}

// AppendDuration appends a duration in nanoseconds as rule files write it: whole
// units from days down, "1d2h", "1s500ms"; "0s" for none.
func AppendDuration(b []byte, ns int64) []byte {
	if ns == 0 {
		return append(b, "0s"...)
	}
	left := uint64(ns)
	if ns < 0 {
		b, left = append(b, '-'), -left
	}
	for _, u := range durationUnits[1:] {
		if n := left / u.ns; n > 0 {
			b = append(strconv.AppendUint(b, n, 10), u.name...)
			left -= n * u.ns
		}
	}
	return b
}
