package event

import (
	"encoding/binary"
	"math/bits"
)

// Times in records are written as the distance from another time that the reader knows,
// in the largest unit that divides it: events of logs have whole milliseconds, ends of
// windows whole seconds. So most take two to four bytes, and one without another to be
// near to takes six or seven in place of nine or ten.

// spanUnits are the units, by their number in the two lowest bits of a written span.
var spanUnits = [...]int64{1, 1e3, 1e6, 1e9}

// wideSpan begins a span whose number has no room beside its unit; no other is written so,
// for it would be nothing of microseconds.
const wideSpan = 1

// AppendSpan appends a time t as its distance from base, modulo 2^64: any two numbers will
// do. An empty distance takes one byte, any at most 11.
func AppendSpan(b []byte, t, base int64) []byte {
	d := t - base
	count, unit := inUnits(d)
	n := zigzag(count)
	if bits.Len64(n) > 62 {
		return binary.AppendVarint(append(b, wideSpan), d)
	}
	return binary.AppendUvarint(b, n<<2|unit)
}

// inUnits is a span in the largest unit that divides it. It divides by constants alone,
// which is several times as fast.
func inUnits(d int64) (n int64, unit uint64) {
	switch {
	case d == 0 || d%1e3 != 0:
		return d, 0
	case d%1e6 != 0:
		return d / 1e3, 1
	case d%1e9 != 0:
		return d / 1e6, 2
	}
	return d / 1e9, 3
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

// ReadSpan reads what AppendSpan wrote at the start of b; used is the number of its bytes,
// not above 0 where b does not begin with a span.
func ReadSpan(b []byte, base int64) (t int64, used int) {
	v, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, used
	}
	if v == wideSpan {
		d, more := binary.Varint(b[used:])
		if more <= 0 {
			return 0, more
		}
		return base + d, used + more
	}
	n := int64(v>>3) ^ -int64(v>>2&1)
	return base + n*spanUnits[v&3], used
}
