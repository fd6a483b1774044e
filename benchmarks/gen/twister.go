package gen

import "math"

// The numbers of MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998).
const (
	twisterLen    = 624
	twisterMiddle = 397
)

// twister draws the numbers that Python's random.Random draws from the same seed: a
// Mersenne Twister seeded by an array of 32-bit words, so that a stream that is made here
// is the one that gen.py of the peers' harness makes.
type twister struct {
	words [twisterLen]uint32
	next  int
}

// newTwister seeds by the words of a number that is not negative, the lowest first.
func newTwister(seed uint64) *twister {
	key := []uint32{uint32(seed)}
	if high := uint32(seed >> 32); high != 0 {
		key = append(key, high)
	}
	t := &twister{next: twisterLen}
	t.words[0] = 19650218
	for i := uint32(1); i < twisterLen; i++ {
		t.words[i] = 1812433253*t.mixed(i) + i
	}
	t.blend(key)
	return t
}

// mixed is the word before word i, folded.
func (t *twister) mixed(i uint32) uint32 { return t.words[i-1] ^ t.words[i-1]>>30 }

// blend spreads a key, of at most as many words as there are, over the words.
func (t *twister) blend(key []uint32) {
	i, j := uint32(1), 0
	step := func() {
		if i++; i == twisterLen {
			t.words[0], i = t.words[twisterLen-1], 1
		}
	}
	for range twisterLen {
		t.words[i] = (t.words[i] ^ t.mixed(i)*1664525) + key[j] + uint32(j)
		j = (j + 1) % len(key)
		step()
	}
	for range twisterLen - 1 {
		t.words[i] = (t.words[i] ^ t.mixed(i)*1566083941) - i
		step()
	}
	t.words[0] = 1 << 31
}

// refill makes the next words of the sequence.
func (t *twister) refill() {
	for i := range t.words {
		y := t.words[i]&(1<<31) | t.words[(i+1)%twisterLen]&(1<<31-1)
		t.words[i] = t.words[(i+twisterMiddle)%twisterLen] ^ y>>1 ^ -(y&1)&0x9908b0df
	}
	t.next = 0
}

// word draws 32 bits.
func (t *twister) word() uint32 {
	if t.next == twisterLen {
		t.refill()
	}
	y := t.words[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float draws from [0, 1), in steps of 2^-53.
func (t *twister) float() float64 {
	high, low := t.word()>>5, t.word()>>6
	return (float64(high)*(1<<26) + float64(low)) / (1 << 53)
}

// below draws from 0 to n-1, as int(random() * n) does.
func (t *twister) below(n int) int { return int(t.float() * float64(n)) }

// gap draws from the exponential distribution of mean 1.
func (t *twister) gap() float64 { return -math.Log(1 - t.float()) }
