package event

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes of text at once, the first in the lowest place.
const (
	bytes1 = 0x0101010101010101
	highs  = 0x80 * bytes1
)

// special marks, in the highest bit of each byte of x, what a string does not hold as it
// is; see [plain]. Each of the four masks marks its lowest hit rightly, and a false mark
// can only stand above a right one of the same mask.
func special(x uint64) uint64 {
	q, b := x^bytes1*'"', x^bytes1*'\\'
	return ((q-bytes1)&^q | (b-bytes1)&^b | (x-bytes1*' ')&^x | x) & highs
}

// notDigits marks, in the highest bit of each byte, what is not between 0 and 9.
func notDigits(x uint64) uint64 { return ((x&^highs + (0x80-10)*bytes1) | x) & highs }

// eightDigits returns the number of eight digits, each a byte of 0 to 9. Neighbours are
// joined to pairs, and then all pairs at their places by two multiplications.
func eightDigits(x uint64) uint64 {
	const pairs = 0x000000ff000000ff
	x = x*10 + x>>8
	return ((x&pairs)*(100+1_000_000<<32) + (x>>16&pairs)*(1+10_000<<32)) >> 32
}

// firstDigits returns the number of the first n of eight digits.
func firstDigits(x uint64, n int) uint64 { return eightDigits(x << (64 - 8*n)) }

// truth returns 1 for true, 0 for false, -1 for anything else.
func truth(x uint64) int {
	const yes, no = 'e'<<24 | 'u'<<16 | 'r'<<8 | 't', 'e'<<32 | 's'<<24 | 'l'<<16 | 'a'<<8 | 'f'
	switch {
	case x&(1<<32-1) == yes:
		return 1
	case x&(1<<40-1) == no:
		return 0
	}
	return -1
}

// shortNatural reads an integer of one to 15 digits and returns where it ends; -1 where
// there is anything else. 16 bytes from i on must be there.
func shortNatural(text []byte, i int) (n int64, end int) {
	x := binary.LittleEndian.Uint64(text[i:]) ^ '0'*bytes1
	if stop := notDigits(x); stop != 0 {
		k := bits.TrailingZeros64(stop) >> 3
		if k == 0 || x&0xff == 0 && k > 1 || fractional(text[i+k]) {
			return 0, -1
		}
		return int64(firstDigits(x, k)), i + k
	}
	y := binary.LittleEndian.Uint64(text[i+8:]) ^ '0'*bytes1
	stop := notDigits(y)
	k := bits.TrailingZeros64(stop) >> 3
	if stop == 0 || x&0xff == 0 || fractional(text[i+8+k]) {
		return 0, -1
	}
	return int64(eightDigits(x)*naturals10[k&7] + firstDigits(y, k)), i + 8 + k
}

// fractional reports whether a number goes on with c, after its digits.
func fractional(c byte) bool { return c == '.' || c|0x20 == 'e' }

// shortDecimal reads a number of up to seven digits before the dot and up to seven behind
// it, without sign and exponent. It returns its digits, how many are behind the dot, and
// where it ends; -1 where there is anything else. 17 bytes from i on must be there.
func shortDecimal(text []byte, i int) (n uint64, after, end int) {
	x := binary.LittleEndian.Uint64(text[i:]) ^ '0'*bytes1
	stop := notDigits(x)
	k := bits.TrailingZeros64(stop) >> 3
	if k == 0 || k == 8 || x&0xff == 0 && k > 1 {
		return 0, 0, -1
	}
	if text[i+k] != '.' {
		if text[i+k]|0x20 == 'e' {
			return 0, 0, -1
		}
		return firstDigits(x, k), 0, i + k
	}
	if stop &= stop - 1; stop != 0 { // all of it is here: the dot is taken out
		e := bits.TrailingZeros64(stop) >> 3
		before := uint64(1)<<(8*k) - 1
		x = x&before | x>>8&^before
		if e == k+1 || text[i+e]|0x20 == 'e' {
			return 0, 0, -1
		}
		return firstDigits(x, e-1), e - 1 - k, i + e
	}
	y := binary.LittleEndian.Uint64(text[i+k+1:]) ^ '0'*bytes1
	m := bits.TrailingZeros64(notDigits(y)) >> 3
	if m == 0 || m == 8 || text[i+k+1+m]|0x20 == 'e' {
		return 0, 0, -1
	}
	return firstDigits(x, k)*naturals10[m&7] + firstDigits(y, m), m, i + k + 1 + m
}

// naturals10 holds the powers of ten that the second word of a number can need.
var naturals10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}
