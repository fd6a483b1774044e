package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/internal/wire"
)

// StartError says that the brokers did not answer, or not well, for as long as Open tries.
type StartError struct {
	Tried time.Duration
	Err   error
}

// Error names what was found, and how long it was tried.
func (e *StartError) Error() string { return fmt.Sprintf("%v, tried for %s", e.Err, e.Tried) }

// Unwrap returns what was found.
func (e *StartError) Unwrap() error { return e.Err }

// FencedError says that another process has taken the transactional id over.
type FencedError struct {
	TransactionalID, Topic string
}

// Error says what that means for this process, and the mend.
func (e *FencedError) Error() string {
	return fmt.Sprintf("another process has taken over transactional id %q: it delivers now, and this one must not; of its last transaction nothing is in topic %s. If both are to run, give each a transactional_id of its own",
		e.TransactionalID, e.Topic)
}

// StateError says that the position under a transactional id is not one of this state.
type StateError struct {
	TransactionalID string
	Was, Is         string // state directories
	Row, Last       uint64 // the position, and the last row of this state
}

// Error names both and the mend.
func (e *StateError) Error() string {
	what := fmt.Sprintf("belongs to the state %s and this is %s", e.Was, e.Is)
	if e.Was == e.Is {
		what = fmt.Sprintf("has delivered %d alerts of this state, which has only come to %d: it is an old copy of it", e.Row, e.Last)
	}
	return fmt.Sprintf("transactional id %q %s; start on the state directory that it was used with, give this application a transactional_id of its own, or, to take it over though alerts may then come twice, set adopt: true",
		e.TransactionalID, what)
}

// transactionBroken is TRANSACTION_ABORTABLE, for which the library has no name.
const transactionBroken kafka.Error = 120

// passes reports whether a code may be another one the next time, without a change of ours.
func passes(code int16) bool {
	switch kafka.Error(code) {
	case kafka.InvalidMessage, kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition,
		kafka.RequestTimedOut, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.NetworkException,
		kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup,
		kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.ConcurrentTransactions,
		kafka.KafkaStorageError, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.UnstableOffsetCommit,
		kafka.TransactionCoordinatorFenced, kafka.ThrottlingQuotaExceeded, kafka.Unknown:
		return true
	}
	return false
}

// moved reports whether a code says that another broker is the coordinator.
func moved(code int16) bool {
	return kafka.Error(code) == kafka.NotCoordinatorForGroup || kafka.Error(code) == kafka.GroupCoordinatorNotAvailable
}

// broken reports whether a code says that the producer, or its transaction, cannot go on and
// that a new epoch may: it took too long, or another process came.
func broken(code int16) bool {
	switch kafka.Error(code) {
	case kafka.InvalidProducerEpoch, kafka.InvalidTransactionState, kafka.InvalidProducerIDMapping,
		kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId, kafka.ProducerFenced, transactionBroken:
		return true
	}
	return false
}

// tooLarge reports whether a topic may take fewer records, or another record.
func tooLarge(code int16) bool {
	switch kafka.Error(code) {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord:
		return true
	}
	return false
}

// brokenError is of a transaction that must be begun anew.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func isBroken(err error) bool {
	var b *brokenError
	return errors.As(err, &b)
}

// codeError gives a code its meaning for the sink.
func (o *Options) codeError(code int16) error {
	switch kafka.Error(code) {
	case 0:
		return nil
	case kafka.TopicAuthorizationFailed:
		return wire.Mend("topic or sasl.user, or allow the user to WRITE (transactional: also to READ) the topic", fmt.Sprintf("user %q may not write topic %q", o.access().User(), o.Topic), nil)
	case kafka.InvalidTopic:
		return wire.Mend("topic", fmt.Sprintf("%q cannot be the name of a topic", o.Topic), nil)
	case kafka.GroupAuthorizationFailed:
		return wire.Mend("transactional_id or sasl.user, or allow the user to READ the group", fmt.Sprintf("user %q may not use group %q", o.access().User(), o.TransactionalID), nil)
	case kafka.TransactionalIDAuthorizationFailed:
		return wire.Mend("transactional_id or sasl.user, or allow the user to WRITE the transactional id", fmt.Sprintf("user %q may not use transactional id %q", o.access().User(), o.TransactionalID), nil)
	case kafka.ClusterAuthorizationFailed:
		return wire.Mend("sasl.user, or allow the user to WRITE the topic or to IDEMPOTENT_WRITE the cluster", fmt.Sprintf("user %q may not write idempotently", o.access().User()), nil)
	case kafka.InvalidTransactionTimeout:
		return wire.Mend("transaction_timeout", fmt.Sprintf("the brokers do not allow transactions of %s (transaction.max.timeout.ms)", o.TransactionTimeout), nil)
	}
	if broken(code) {
		return &brokenError{kafka.Error(code)}
	}
	return kafka.Error(code)
}
