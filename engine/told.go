package engine

import "time"

// told is when the outbox was told how far each sink has delivered. What is delivered after
// that comes to the sink again after a crash, so that an epoch without records is committed for
// it alone, where no other comes for a while.
type told struct {
	outbox FollowedOutbox // nil: it cannot be asked
	at     time.Time
}

// untilTold is how long an epoch to which nothing has come may stay open: where sinks have
// delivered more, to the end of the commit interval; where rows wait for them, till the next
// look at them.
func (e *Engine) untilTold() time.Duration {
	if e.told.outbox == nil || e.o.Delivered == nil || !e.store.Durable() {
		return forever
	}
	more, waits := e.told.outbox.Compare(e.o.Delivered())
	switch {
	case more:
		return max(0, e.o.CommitEvery-e.o.Now().Sub(e.told.at))
	case waits:
		return e.o.CommitEvery
	}
	return forever
}
