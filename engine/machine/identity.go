package machine

import (
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
