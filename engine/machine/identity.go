package machine

import (
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
)

// ID is a 128-bit fold over the identities of events, in order.
type ID [2]uint64

// Two odd constants with well-spread bits (the fractional parts of the golden ratio
// and of the square root of 2), to multiply with.
const (
	fold0 = 0x9E3779B97F4A7C15
	fold1 = 0x6A09E667F3BCC909
)

// fold adds one event's identity, taken by a step, to id. Each half is a
// multiply-and-rotate chain over its own hash of the identity, so that the order and
// the step count.
func (id ID) fold(step int, h [2]uint64) ID {
	return ID{
		bits.RotateLeft64(id[0]^h[0]^uint64(step+1), 29) * fold0,
		bits.RotateLeft64(id[1]^h[1]+uint64(step+1)*fold0, 31) * fold1,
	}
}

// identity hashes an event's identity (its type's id field, else its position).
func identity(w *eval.World, ev *event.Event) [2]uint64 {
	var buf [64]byte
	b := ev.AppendIdentity(buf[:0], w.Partitions)
	first := event.Hash(b)
	return [2]uint64{first, event.Hash(append(b, 1))}
}
