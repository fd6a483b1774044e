package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retention is how long records are kept: in this process they take memory.
const retention = time.Minute

// ownBroker starts a broker within this process and returns its address.
func ownBroker() (addresses []string, stop func(), err error) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "5000"}))
	if err != nil {
		return nil, nil, fmt.Errorf("start a broker in this process: %w", err)
	}
	return c.ListenAddrs(), c.Close, nil
}

// broker is the demo's own connection to the brokers: it makes topics, and writes events.
type broker struct {
	*kgo.Client
	events string

	mu     sync.Mutex
	failed error // the first
}

// dial connects and makes the topics where they are not there yet.
func dial(ctx context.Context, o *Options, brokers []string) (*broker, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ClientID("cepheus-demo"), kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.RecordDeliveryTimeout(30*time.Second))
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", brokers, err)
	}
	b := &broker{Client: client, events: o.Topic}
	for topic, partitions := range map[string]int{o.Topic: o.Partitions, o.AlertTopic: 1} {
		if err := b.create(ctx, topic, partitions); err != nil {
			b.Close()
			return nil, fmt.Errorf("make topic %s at %v: %w", topic, brokers, err)
		}
	}
	return b, nil
}

func (b *broker) create(ctx context.Context, name string, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	keep := strconv.FormatInt(retention.Milliseconds(), 10)
	q, topic, config := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic(), kmsg.NewCreateTopicsRequestTopicConfig()
	config.Name, config.Value = "retention.ms", &keep
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), -1
	topic.Configs = append(topic.Configs, config)
	q.Topics, q.TimeoutMillis = append(q.Topics, topic), 10_000
	res, err := q.RequestWith(ctx, b.Client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	return b.known(ctx, name)
}

// known waits until a topic that was made has its leaders: brokers hear of it a little later.
func (b *broker) known(ctx context.Context, name string) error {
	for {
		q, topic := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		q.Topics = append(q.Topics, topic)
		res, err := q.RequestWith(ctx, b.Client)
		if err != nil || led(res) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// led reports whether each partition of a topic has a leader.
func led(res *kmsg.MetadataResponse) bool {
	if len(res.Topics) == 0 || res.Topics[0].ErrorCode != 0 {
		return false
	}
	for _, p := range res.Topics[0].Partitions {
		if p.ErrorCode != 0 || p.Leader < 0 {
			return false
		}
	}
	return len(res.Topics[0].Partitions) > 0
}

// send writes an event, whose key is its card; what fails is told by lost.
func (b *broker) send(ctx context.Context, r *record) {
	b.Produce(ctx, &kgo.Record{Topic: b.events, Key: []byte(r.card), Value: r.json}, func(_ *kgo.Record, err error) {
		if err != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.failed == nil {
				b.failed = err
			}
		}
	})
}

// lost is the first failure to write an event, nil where there was none.
func (b *broker) lost() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		return nil
	}
	return fmt.Errorf("write to topic %s: %w", b.events, b.failed)
}
