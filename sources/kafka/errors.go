package kafka

import (
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/internal/wire"
)

// SettingError says that something cannot work before a setting is mended.
type SettingError = wire.SettingError

// StartError says that brokers were tried at the start until time was over.
type StartError struct {
	Tried time.Duration
	Err   error // of the last try that says something
}

// Error names what was found, and how long it was tried.
func (e *StartError) Error() string { return fmt.Sprintf("%v, tried for %s", e.Err, e.Tried) }

// Unwrap returns what was found.
func (e *StartError) Unwrap() error { return e.Err }

// ReplacedError says that a topic is not the one of which a position was stored.
type ReplacedError struct {
	Partition event.Partition
	Offset    int64  // where reading was to go on
	By        string // what tells it, e.g. "its id"
	Was, Is   string
}

// Error names the topic, what was found and the mend.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("topic %s was deleted and made again since partition %d was read up to offset %d (%s was %s and is %s); read it under another source name, or start with a fresh state directory",
		e.Partition.Topic, e.Partition.Number, e.Offset, e.By, e.Was, e.Is)
}

// RangeError says that a partition does not have the offset that reading was to go on at,
// and that the options want the run to end then.
type RangeError struct {
	Partition  event.Partition
	Offset     int64
	Start, End int64 // what the log has
}

// Error names the offsets and the mend.
func (e *RangeError) Error() string {
	if e.Offset > e.End {
		return fmt.Sprintf("partition %s ends at offset %d, before %d, which has been read: the log has lost records (an unclean election of a leader, or a restored disk); set out_of_range: latest to go on with what comes from now on, or start with a fresh state directory",
			e.Partition.AppendName(nil), e.End, e.Offset)
	}
	return fmt.Sprintf("partition %s begins at offset %d, and reading was to go on at %d: %d records are gone by retention; set out_of_range: earliest to go on without them",
		e.Partition.AppendName(nil), e.Start, e.Offset, e.Start-e.Offset)
}

// topicError says what an error code of a topic means at the start; nil where it passes.
func (o *Options) topicError(topic string, code int16) error {
	switch kafka.Error(code) {
	case kafka.UnknownTopicOrPartition:
		return wire.Mend("topics", fmt.Sprintf("topic %q does not exist", topic), nil)
	case kafka.InvalidTopic:
		return wire.Mend("topics", fmt.Sprintf("%q cannot be the name of a topic", topic), nil)
	case kafka.TopicAuthorizationFailed:
		return wire.Mend("topics or sasl.user, or allow the user to READ and DESCRIBE the topic", fmt.Sprintf("user %q may not read topic %q", o.access().User(), topic), nil)
	}
	return nil
}
