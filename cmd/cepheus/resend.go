package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
)

// resendTime is how long an alert is tried that a sink does not take: who asks waits.
const resendTime = 10 * time.Second

// resend hands alerts to a sink again that it has refused, over a connection of their own: the
// one of the run has its alerts in order, and is not disturbed.
func (s *served) resend(ctx context.Context, name string, letters []*deadletter.Stored, tell func(*deadletter.Stored, error)) (sent []*deadletter.Stored, err error) {
	to, err := s.again(name)
	if err != nil {
		return nil, err
	}
	target, err := s.p.openSink(to, s.p.world.kinds())
	if err != nil {
		return nil, fmt.Errorf("open the sink %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, target.Sink.Close()) }()
	target.Name, target.MaxElapsed, target.StopOnFault = name, resendTime, true
	return deliverAgain(ctx, target, letters, sinks.Options{Now: s.p.world.now, Log: s.p.log}, tell)
}

// again is the sink of that name, if it can be opened beside itself: not where one writer
// has the place of all alerts, as in a file, or the receiver knows us as one, as Kafka does.
func (s *served) again(name string) (sinkFlag, error) {
	i := slices.IndexFunc(s.p.sinks, func(f sinkFlag) bool { return f.name == name })
	if i < 0 {
		return sinkFlag{}, fmt.Errorf("this run has no sink %s", name)
	}
	f := s.p.sinks[i]
	if alone := f.url == nil && (f.sink == nil || f.sink.Stdout != nil || f.sink.File != nil || f.sink.Kafka != nil); alone {
		return sinkFlag{}, fmt.Errorf("%s has one writer, which is the run", name)
	}
	return f, nil
}
