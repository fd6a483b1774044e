package windows

import (
	"math"
	"math/bits"
)

// Sums are exact. A sum is a fixed-point number of 64-bit limbs in two's complement,
// times 2^(64·lo): what is added and taken out again leaves no trace, however large
// it was, so a sliding sum never drifts and its value depends on the live values
// alone, not on their order. Most sums fit the few limbs that a State keeps in line;
// one that does not spills into a [wide] until it fits again.

// term is a number to add to a sum: the signed 128-bit number hi:lo times 2^exp.
type term struct {
	hi, lo uint64
	exp    int
}

// floatTerm returns the exact value of a finite float.
func floatTerm(b uint64) term {
	m, e := b&(1<<52-1), int(b>>52&0x7ff)
	if e == 0 {
		e = 1
	} else {
		m |= 1 << 52
	}
	t := term{lo: m, exp: e - 1075}
	if b>>63 != 0 {
		return t.negated()
	}
	return t
}

func intTerm(n int64) term { return term{hi: uint64(n >> 63), lo: uint64(n)} }

func (t term) negated() term {
	lo, borrow := bits.Sub64(0, t.lo, 0)
	hi, _ := bits.Sub64(0, t.hi, borrow)
	return term{hi, lo, t.exp}
}

// times multiplies two terms that hold 64 bits each, as floatTerm and intTerm make them.
func (t term) times(u term) term {
	a, b := t, u
	negative := int64(t.hi^u.hi) < 0
	if int64(a.hi) < 0 {
		a = a.negated()
	}
	if int64(b.hi) < 0 {
		b = b.negated()
	}
	p := term{exp: a.exp + b.exp}
	p.hi, p.lo = bits.Mul64(a.lo, b.lo)
	if negative {
		return p.negated()
	}
	return p
}

// limbs aligns the term to limbs: limb i of the result stands at 2^(64·(at+i)); used
// is how many of them are more than the sign.
func (t term) limbs() (l [3]uint64, at, used int) {
	sh := uint(t.exp & 63)
	l[0] = t.lo << sh
	l[1] = t.hi<<sh | t.lo>>(64-sh)
	l[2] = uint64(int64(t.hi) >> (64 - sh))
	return l, t.exp >> 6, significant(l[:])
}

// significant is the number of limbs that a two's complement number needs, at least one.
func significant(l []uint64) int {
	n := len(l)
	for n > 1 && l[n-1] == uint64(int64(l[n-2])>>63) {
		n--
	}
	return n
}

// accumulate adds l, sign-extended, to limbs from index k on. l must fit there. It
// reports a signed overflow, with the sign limb that is then missing at the top.
func accumulate(limbs []uint64, k int, l [3]uint64) (sign uint64, over bool) {
	ext := uint64(int64(l[2]) >> 63)
	var carry, old, v uint64
	for i := k; i < len(limbs); i++ {
		v = ext
		if i-k < 3 {
			v = l[i-k]
		}
		old = limbs[i]
		limbs[i], carry = bits.Add64(old, v, carry)
	}
	over = int64(old^v) >= 0 && int64(old^limbs[len(limbs)-1]) < 0
	return uint64(int64(old) >> 63), over
}

// spilled marks the header of an in-line sum whose value is in a wide.
const spilled = uint64(1) << 63

// fit is how an addition to a sum in line went.
type fit uint8

const (
	fits     fit = iota
	tooFar       // the limbs cannot hold it; the sum is unchanged
	overflow     // it is added, and the sum needs one more limb at the top
)

// addInline adds t to the sum in w: a header with lo, then limbs. After an overflow
// sign is the limb that is missing.
func addInline(w []uint64, t term) (f fit, sign uint64) {
	l, at, used := t.limbs()
	limbs := w[1:]
	k := at - int(int64(w[0]))
	if k < 0 || k+used > len(limbs) {
		if !rebase(w, at, used) {
			return tooFar, 0
		}
		k = at - int(int64(w[0]))
	}
	sign, over := accumulate(limbs, k, l)
	if over {
		return overflow, sign
	}
	return fits, 0
}

// addFloat is addInline for a float, or for its opposite, in a sum of three limbs
// that holds it with room to spare, or is 0: the usual cases, without a detour. Where it
// is neither, it does nothing and says so.
func addFloat(w *[4]uint64, b uint64, out bool) bool {
	exp := int(b>>52&0x7ff) - 1075
	k := exp>>6 - int(int64(w[0]))
	if exp == -1075 || uint(k) > 1 || w[3]+1<<62 >= 1<<63 {
		if exp == -1075 || w[1]|w[2]|w[3] != 0 {
			return false
		}
		w[0], k = uint64(exp>>6), 0
	}
	m, sh := b&(1<<52-1)|1<<52, uint(exp&63)
	lo, hi, up := m<<sh, m>>1>>(63-sh), -uint64(k) // up: all bits where k is 1
	l0, l1, l2 := lo&^up, hi&^up|lo&up, hi&up
	var c uint64
	if (b>>63 != 0) != out {
		w[1], c = bits.Sub64(w[1], l0, 0)
		w[2], c = bits.Sub64(w[2], l1, c)
		w[3], _ = bits.Sub64(w[3], l2, c)
		return true
	}
	w[1], c = bits.Add64(w[1], l0, 0)
	w[2], c = bits.Add64(w[2], l1, c)
	w[3], _ = bits.Add64(w[3], l2, c)
	return true
}

// addWhole adds an integer, or its opposite, to a whole sum of two limbs, which more
// than MaxEvents integers cannot exceed.
func addWhole(w []uint64, n int64, out bool) {
	var c uint64
	if out {
		w[1], c = bits.Sub64(w[1], uint64(n), 0)
		w[2], _ = bits.Sub64(w[2], uint64(n>>63), c)
		return
	}
	w[1], c = bits.Add64(w[1], uint64(n), 0)
	w[2], _ = bits.Add64(w[2], uint64(n>>63), c)
}

// rebase moves the sum in w so that used limbs at position at fit beside its own.
func rebase(w []uint64, at, used int) bool {
	limbs := w[1:]
	lo, n := int(int64(w[0])), significant(limbs)
	skip := 0
	for skip < n && limbs[skip] == 0 {
		skip++
	}
	from, to := at, at+used
	if skip < n {
		from, to = min(from, lo+skip), max(to, lo+n)
	}
	if to-from > len(limbs) {
		return false
	}
	var moved [maxInline]uint64
	extendInto(moved[:len(limbs)], limbs[skip:n], lo+skip-from)
	copy(limbs, moved[:])
	w[0] = uint64(int64(from))
	return true
}

// extendInto writes l into dst from index k on, zeros below and the sign above.
func extendInto(dst, l []uint64, k int) {
	clear(dst)
	if len(l) == 0 {
		return
	}
	n := copy(dst[k:], l)
	for i := k + n; i < len(dst); i++ {
		dst[i] = uint64(int64(l[len(l)-1]) >> 63)
	}
}

// wide is an exact sum of any range. The zero wide is 0.
type wide struct {
	lo    int
	limbs []uint64
}

func (w *wide) add(t term) {
	l, at, used := t.limbs()
	w.cover(at, at+used)
	if sign, over := accumulate(w.limbs, at-w.lo, l); over {
		w.limbs = append(w.limbs, sign)
	}
	w.trim()
}

// cover makes limbs for positions from up to to.
func (w *wide) cover(from, to int) {
	if len(w.limbs) > 0 {
		from, to = min(from, w.lo), max(to, w.lo+len(w.limbs))
		if from == w.lo && to == w.lo+len(w.limbs) {
			return
		}
	}
	limbs := make([]uint64, to-from)
	extendInto(limbs, w.limbs, w.lo-from)
	w.lo, w.limbs = from, limbs
}

// trim drops limbs that say nothing; zero has none.
func (w *wide) trim() {
	n, skip := significant(w.limbs), 0
	for skip < n && w.limbs[skip] == 0 {
		skip++
	}
	w.lo, w.limbs = w.lo+skip, w.limbs[skip:n]
}

// number is the value of a sum in sign and magnitude: mag times 2^(64·lo).
type number struct {
	neg bool
	lo  int
	mag []uint64
}

// scratch lends memory for the numbers of one computation: what its owner put there,
// zeros on the stack, while they are of usual size.
type scratch struct{ free []uint64 }

func (sc *scratch) take(n int) []uint64 {
	if n > len(sc.free) {
		return make([]uint64, n)
	}
	lent := sc.free[:n:n]
	sc.free = sc.free[n:]
	return lent
}

// number converts two's complement limbs.
func (sc *scratch) number(lo int, limbs []uint64) number {
	mag := sc.take(len(limbs))
	copy(mag, limbs)
	if len(mag) == 0 || int64(mag[len(mag)-1]) >= 0 {
		return number{lo: lo, mag: mag}
	}
	carry := uint64(1)
	for i := range mag {
		mag[i], carry = bits.Add64(^mag[i], 0, carry)
	}
	return number{neg: true, lo: lo, mag: mag}
}

func (sc *scratch) term(t term) number {
	l, at, used := t.limbs()
	return sc.number(at, l[:used])
}

func (sc *scratch) product(a, b number) number {
	p := number{neg: a.neg != b.neg, lo: a.lo + b.lo, mag: sc.take(len(a.mag) + len(b.mag))}
	for i, x := range a.mag {
		var carry uint64
		for j, y := range b.mag {
			hi, lo := bits.Mul64(x, y)
			var c uint64
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			p.mag[i+j], c = bits.Add64(p.mag[i+j], lo, 0)
			carry = hi + c
		}
		p.mag[i+len(b.mag)] = carry
	}
	return p
}

func (sc *scratch) small(n uint64) number {
	mag := sc.take(1)
	mag[0] = n
	return number{mag: mag}
}

// minus returns a − b.
func (sc *scratch) minus(a, b number) number {
	from, to := min(a.lo, b.lo), max(a.lo+len(a.mag), b.lo+len(b.mag))
	d := number{lo: from, mag: sc.take(to - from + 1)}
	e := sc.take(to - from + 1)
	copy(d.mag[a.lo-from:], a.mag)
	copy(e[b.lo-from:], b.mag)
	d.neg = a.neg
	var c uint64
	if a.neg != b.neg {
		for i := range e {
			d.mag[i], c = bits.Add64(d.mag[i], e[i], c)
		}
		return d
	}
	if less(d.mag, e) {
		d.neg, d.mag, e = !a.neg, e, d.mag
	}
	for i := range e {
		d.mag[i], c = bits.Sub64(d.mag[i], e[i], c)
	}
	return d
}

// less compares magnitudes of equal length.
func less(a, b []uint64) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// determinant returns n·a − b·c: the exact core of variances and slopes.
func (sc *scratch) determinant(n uint64, a, b, c number) number {
	return sc.minus(sc.product(sc.small(n), a), sc.product(b, c))
}

// scaled returns the number as f·2^exp, f rounded to nearest. f is 0 only for 0.
func (x number) scaled() (f float64, exp int) {
	i := len(x.mag) - 1
	for i >= 0 && x.mag[i] == 0 {
		i--
	}
	if i < 0 {
		return 0, 0
	}
	lz := bits.LeadingZeros64(x.mag[i])
	top, rest := x.mag[i]<<lz, i
	if i > 0 {
		top |= x.mag[i-1] >> (64 - lz)
		rest = i - 1
		if x.mag[i-1]<<lz != 0 {
			top |= 1 // sticky: below the half that rounding looks at
		}
	}
	for _, l := range x.mag[:rest] {
		if l != 0 {
			top |= 1
			break
		}
	}
	f = float64(top)
	if x.neg {
		f = -f
	}
	return f, 64*(x.lo+i) - lz
}

// float rounds the number to the nearest float, an infinity where it is too large.
func (x number) float() float64 {
	f, exp := x.scaled()
	return scale(f, exp)
}

// scale returns f·2^exp: [math.Ldexp], and quicker where nothing is near the ends of
// the range, since f here is between 2^-64 and 2^128 in size or 0.
func scale(f float64, exp int) float64 {
	if exp > -900 && exp < 800 {
		return f * math.Float64frombits(uint64(exp+1023)<<52)
	}
	return math.Ldexp(f, exp)
}

// int64 returns an integer's value and whether it fits.
func (x number) int64() (int64, bool) {
	var low uint64
	for i, l := range x.mag {
		switch {
		case l == 0:
		case x.lo+i != 0:
			return 0, false
		default:
			low = l
		}
	}
	if x.neg {
		return -int64(low), low <= 1<<63
	}
	return int64(low), low < 1<<63
}

// over divides an integer by n, rounding to nearest, ties to even, and says whether
// the quotient fits.
func (x number) over(n uint64) (int64, bool) {
	q := number{neg: x.neg, lo: x.lo, mag: make([]uint64, 0, 4)}
	q.mag = append(q.mag, x.mag...)
	var rem uint64
	for i := len(q.mag) - 1; i >= 0; i-- {
		q.mag[i], rem = bits.Div64(rem, q.mag[i], n)
	}
	if rem > n-rem || (rem == n-rem && q.mag[0]&1 == 1) {
		carry := uint64(1)
		for i := range q.mag {
			q.mag[i], carry = bits.Add64(q.mag[i], 0, carry)
		}
	}
	return q.int64()
}
