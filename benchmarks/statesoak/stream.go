package statesoak

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"

	"github.com/cepheus-cep/cepheus/benchmarks/gen"
	"github.com/cepheus-cep/cepheus/benchmarks/workload"
)

// Stream is an endless stream of payments, a millisecond apart on average.
type Stream struct {
	payments *gen.Payments
	uniform  *rand.Rand // nil: some cards are used more than others, as the generator has it
	cards    int
}

// NewStream starts a stream by so many cards.
func NewStream(cards int, uniform bool) *Stream {
	s := &Stream{payments: gen.NewPayments(workload.Seed, cards), cards: cards}
	if uniform {
		s.uniform = rand.New(rand.NewPCG(workload.Seed, 0))
	}
	return s
}

// Next makes the next payment.
func (s *Stream) Next() gen.Payment {
	p := s.payments.Next()
	if s.uniform != nil {
		p.Card = s.uniform.IntN(s.cards)
	}
	return p
}

// Write writes the next n payments to a new file.
func (s *Stream) Write(path string, n int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	for range n {
		if _, err := out.Write(s.Next().Append(out.AvailableBuffer())); err != nil {
			return err
		}
	}
	return out.Flush()
}
