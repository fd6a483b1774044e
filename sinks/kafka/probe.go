package kafka

import (
	"cmp"
	"context"
	"math"
)

// Probe looks whether brokers, topic, login and rights are as the sink needs them, and shuts
// nobody out. With Transactional it looks at the position too, and whose it is; where State is
// empty, whose does not count.
func Probe(ctx context.Context, o Options) error {
	asked := o
	asked.State = cmp.Or(o.State, "any")
	if err := asked.validate(); err != nil {
		return err
	}
	asked.State, asked.Transactional = o.State, false
	s, err := Open(ctx, asked)
	if err != nil {
		return err
	}
	defer s.cluster.Close()
	if !o.Transactional {
		return nil
	}
	s.opening = true
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	return s.probeTransactions(ctx)
}

// probeTransactions looks at the group and the transactional id.
func (s *Sink) probeTransactions(ctx context.Context) error {
	at, err := s.look(ctx)
	if err != nil {
		return err
	}
	if err := s.ours(at); err != nil && s.o.State != "" && !s.o.Adopt {
		return err
	}
	return s.mayUseID(ctx)
}

// nobodyElse is a producer that no broker has named: what it asks for is refused.
var nobodyElse = identity{id: math.MaxInt64}

// mayUseID finds out whether we may write under the transactional id, by the end of a
// transaction that is nobody's: brokers look at rights first.
func (s *Sink) mayUseID(ctx context.Context) error {
	s.producer = nobodyElse
	err := s.end(ctx, false)
	if isBroken(err) {
		return nil
	}
	return err
}
