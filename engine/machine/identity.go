package machine

import (
	"encoding/binary"
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
)

// ID is a fold over the identities of events, in order: two polynomials over the field
// of 2^61-1 elements, whose coefficients are hashes of the identities and the steps that
// took them. The fold of a stretch follows from the folds up to its ends (see stretch), so
// that runs which take the same events need no fold of their own.
type ID [2]uint64

// prime is 2^61-1, of which a remainder is two shifts and an addition.
const prime = 1<<61 - 1

// Where the polynomials are evaluated: the fractional parts of the golden ratio and of
// the square root of 2, below the prime. spread tells steps apart.
const (
	base0  = 0x9E3779B97F4A7C15 >> 4
	base1  = 0x6A09E667F3BCC909 >> 3
	spread = 0x9E3779B97F4A7C15
)

// fold adds one event's identity, taken by a step, to id.
func (id ID) fold(step int, h [2]uint64) ID {
	by := uint64(step+1) * spread
	return ID{
		addMod(mulMod(id[0], base0), reduce(h[0]^by)),
		addMod(mulMod(id[1], base1), reduce(h[1]^bits.RotateLeft64(by, 32))),
	}
}

// join adds the fold of n further events.
func (id ID) join(more ID, n int64) ID {
	p := powers(n)
	return ID{addMod(mulMod(id[0], p[0]), more[0]), addMod(mulMod(id[1], p[1]), more[1])}
}

// stretch is the fold of the last n events of those that id is the fold of; before is
// the fold of all the others.
func (id ID) stretch(before ID, n int64) ID {
	p := powers(n)
	return ID{
		addMod(id[0], prime-mulMod(before[0], p[0])),
		addMod(id[1], prime-mulMod(before[1], p[1])),
	}
}

// powers are the n-th powers of the bases.
func powers(n int64) [2]uint64 {
	out, b0, b1 := [2]uint64{1, 1}, uint64(base0), uint64(base1)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			out = [2]uint64{mulMod(out[0], b0), mulMod(out[1], b1)}
		}
		b0, b1 = mulMod(b0, b0), mulMod(b1, b1)
	}
	return out
}

// reduce is a hash as an element of the field.
func reduce(h uint64) uint64 {
	if h = h&prime + h>>61; h >= prime {
		h -= prime
	}
	return h
}

// addMod adds two numbers of at most the prime.
func addMod(a, b uint64) uint64 { return reduce(a + b) }

func mulMod(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reduce(lo&prime + (lo>>61 | hi<<3))
}

// identity hashes an event's identity (its type's id field, else its position).
func identity(w *eval.World, ev *event.Event) [2]uint64 {
	var buf [64]byte
	b := ev.AppendIdentity(buf[:0], w.Partitions)
	first := event.Hash(b)
	return [2]uint64{first, event.Hash(append(b, 1))}
}

// identities hashes the identities of events. Most are positions: the name of a partition
// and a number, and those of a partition differ in the number alone. They are put together
// by words: to write single bytes and then to hash them by words would wait, at each word,
// until all that was written before is in the cache.
type identities struct {
	world *eval.World
	names []partName // by partition
}

// partName is what an identity in a partition begins with.
type partName struct {
	words [nameWords]uint64 // as in memory, the rest zero
	n     int               // bytes; -1: too many
}

// An identity of words has a name, then at most 16 digits, and a byte for the second hash.
const (
	nameWords     = 6
	identityWords = nameWords + 3
	mostOffset    = 1e16
)

// of is identity(w, ev).
func (s *identities) of(w *eval.World, ev *event.Event) [2]uint64 {
	if ev.ID != 0 || uint64(ev.Offset) >= mostOffset {
		return identity(w, ev)
	}
	if s.world != w || len(s.names) != len(w.Partitions) {
		s.begin(w)
	}
	name := &s.names[ev.Part]
	if name.n < 0 {
		return identity(w, ev)
	}
	var b [8 * identityWords]byte
	for i := range name.words {
		binary.LittleEndian.PutUint64(b[8*i:], name.words[i])
	}
	n := putNumber(&b, name.n, uint64(ev.Offset))
	first := event.Hash(b[:n])
	putWord(&b, n, 1)
	return [2]uint64{first, event.Hash(b[:n+1])}
}

// begin reads the names of the partitions there are.
func (s *identities) begin(w *eval.World) {
	s.world, s.names = w, s.names[:0]
	for _, part := range w.Partitions {
		text := append(part.AppendName(nil), '@')
		name := partName{n: len(text)}
		if name.n > 8*nameWords {
			name.n = -1
		} else {
			var b [8 * nameWords]byte
			copy(b[:], text)
			for i := range name.words {
				name.words[i] = binary.LittleEndian.Uint64(b[8*i:])
			}
		}
		s.names = append(s.names, name)
	}
}

// putWord writes bytes, of which those beyond the last one are zero, to where b is zero.
func putWord(b *[8 * identityWords]byte, at int, bytes uint64) {
	low, shift := b[at&^7:], at&7*8
	binary.LittleEndian.PutUint64(low, binary.LittleEndian.Uint64(low)|bytes<<shift)
	if high := bytes >> (63 - shift) >> 1; high != 0 {
		binary.LittleEndian.PutUint64(low[8:], high)
	}
}

// putNumber writes a number below mostOffset in decimal, and returns where it ends.
func putNumber(b *[8 * identityWords]byte, at int, n uint64) int {
	const half, zeros = 1e8, 0x3030303030303030
	if n < half {
		digits := eightDigits(n)
		none := min(bits.TrailingZeros64(digits)&^7, 56)
		putWord(b, at, (digits|zeros)>>none)
		return at + 8 - none/8
	}
	at = putNumber(b, at, n/half)
	putWord(b, at, eightDigits(n%half)|zeros)
	return at + 8
}

// eightDigits are the decimal digits of a number below 10^8, a byte each, the first one
// lowest: halves of the number, then of the halves, and so on, side by side.
func eightDigits(n uint64) uint64 {
	n = n/10_000 | n%10_000<<32
	high := n * 10_486 >> 20 & 0x7f_0000_007f
	n = high | (n-high*100)<<16
	high = n * 103 >> 10 & 0x000f_000f_000f_000f
	return high | (n-high*10)<<8
}
