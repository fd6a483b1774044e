package wire

import (
	"context"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
)

// Requests about topics, and the versions that all brokers since Kafka 2.4 know.
const (
	apiCreateTopics, onlyCreateTopics = 19, 4
	apiDeleteTopics, onlyDeleteTopics = 20, 1
)

// topicRequest makes or removes a topic.
type topicRequest struct {
	name       string
	partitions int32 // 0: remove
	timeout    int32 // ms

	code int16
}

// API is of [Request].
func (q *topicRequest) API() int16 {
	if q.partitions == 0 {
		return apiDeleteTopics
	}
	return apiCreateTopics
}

// Exchange is of [Request].
func (q *topicRequest) Exchange(rw io.ReadWriter) error {
	e := &Encoder{}
	if q.partitions == 0 {
		e.Begin(apiDeleteTopics, onlyDeleteTopics)
		e.Array(1)
		e.Text(q.name)
		e.Int32(q.timeout)
	} else {
		q.create(e)
	}
	d := Ask(rw, e)
	d.Int32() // throttle
	for n := d.Array(); n > 0 && d.Err == nil; n-- {
		_ = d.Text()
		q.code = d.Int16()
		if q.partitions != 0 {
			_ = d.Text() // the error in words
		}
	}
	return d.Close()
}

func (q *topicRequest) create(e *Encoder) {
	e.Begin(apiCreateTopics, onlyCreateTopics)
	e.Array(1)
	e.Text(q.name)
	e.Int32(q.partitions)
	e.Int16(-1) // as many replicas as the brokers think right
	e.Array(0)
	e.Array(0)
	e.Int32(q.timeout)
	e.Int8(0) // not only looked at
}

// topicTimeout is how long a broker may take, in milliseconds.
const topicTimeout = 10_000

// CreateTopic makes a topic.
func (c *Cluster) CreateTopic(ctx context.Context, name string, partitions int32) error {
	return c.topic(ctx, &topicRequest{name: name, partitions: partitions, timeout: topicTimeout}, "make")
}

// DeleteTopic removes a topic.
func (c *Cluster) DeleteTopic(ctx context.Context, name string) error {
	return c.topic(ctx, &topicRequest{name: name, timeout: topicTimeout}, "remove")
}

func (c *Cluster) topic(ctx context.Context, q *topicRequest, what string) error {
	err := c.Send(ctx, -1, q)
	if err == nil && q.code != 0 {
		err = kafka.Error(q.code)
	}
	if err != nil {
		return fmt.Errorf("%s topic %s: %w", what, q.name, err)
	}
	return nil
}
