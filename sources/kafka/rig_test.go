package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// rig is a cluster under test, spoken to by a client that is not ours.
type rig struct {
	brokers []string
	admin   *kgo.Client
	compact func(t *testing.T, topic string) // returns when cleaning has been tried
}

func newRig(t testing.TB, brokers []string) *rig {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(24<<20), kgo.MetadataMinAge(50*time.Millisecond), kgo.BrokerMaxWriteBytes(100<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return &rig{brokers: brokers, admin: admin, compact: func(t *testing.T, _ string) { time.Sleep(500 * time.Millisecond) }}
}

func newFake(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *rig) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := newRig(t, c.ListenAddrs())
	r.compact = func(*testing.T, string) { c.Compact() }
	return c, r
}

// topic makes a topic of a name of its own and waits until it can be written to.
func (r *rig) topic(t testing.TB, partitions int32, configs ...string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", rand.Uint64())
	r.create(t, name, partitions, configs...)
	return name
}

func (r *rig) create(t testing.TB, name string, partitions int32, configs ...string) {
	t.Helper()
	servers.Topic(t, r.admin, name, partitions, min(3, len(r.brokers)), configs...)
}

func (r *rig) hasLeaders(ctx context.Context, name string, partitions int) bool {
	return servers.HasLeaders(ctx, r.admin, name, partitions)
}

func (r *rig) delete(t *testing.T, name string) {
	t.Helper()
	q := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	q.Topics, q.TopicNames = append(q.Topics, topic), []string{name}
	if _, err := q.RequestWith(t.Context(), r.admin); err != nil {
		t.Fatal(err)
	}
	r.admin.PurgeTopicsFromClient(name) // it would go on with what it knows
	servers.Eventually(t, "topic is gone", func() bool { return !r.hasLeaders(t.Context(), name, 1) })
}

// trim deletes the records before an offset.
func (r *rig) trim(t *testing.T, name string, offset int64) {
	t.Helper()
	q := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = name
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Offset = offset
	topic.Partitions = append(topic.Partitions, part)
	q.Topics = append(q.Topics, topic)
	q.TimeoutMillis = 5000
	res, err := q.RequestWith(t.Context(), r.admin)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("delete records of %s: %v", name, err)
	}
}

func (r *rig) widen(t *testing.T, name string, partitions int32) {
	t.Helper()
	q := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, partitions
	q.Topics, q.TimeoutMillis = append(q.Topics, topic), 5000
	if _, err := q.RequestWith(t.Context(), r.admin); err != nil {
		t.Fatal(err)
	}
	r.admin.PurgeTopicsFromClient(name)
	servers.Eventually(t, "partitions are there", func() bool { return r.hasLeaders(t.Context(), name, int(partitions)) })
}

// produce writes records, as one batch where there is one producer.
func (r *rig) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := r.admin.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

func (r *rig) values(t *testing.T, topic string, values ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(v)})
	}
	r.produce(t, records...)
}

// producer is a client with options of its own.
func (r *rig) producer(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	p, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (r *rig) open(t *testing.T, o Options, topics ...string) *Client {
	t.Helper()
	o.Brokers, o.Topics = r.brokers, append(o.Topics, topics...)
	if o.Wait == 0 {
		o.Wait = 100 * time.Millisecond
	}
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (r *rig) source(t *testing.T, o Options, topic string) *Source {
	t.Helper()
	return r.open(t, o, topic).Sources()[0]
}

// got is a record as tests compare it.
type got struct {
	Offset int64
	Value  string
	Fault  event.Fault
}

func collect(b *event.Batch, into []got) []got {
	for _, r := range b.Records {
		into = append(into, got{r.Offset, string(b.Text[r.Start:r.End]), r.Fault})
	}
	return into
}

// toEnd reads until the source says that there is nothing more for now.
func toEnd(t *testing.T, s *Source) []got {
	t.Helper()
	all, err := tryToEnd(t.Context(), s)
	if err != nil {
		t.Fatalf("after %d records: %v", len(all), err)
	}
	return all
}

func tryToEnd(ctx context.Context, s *Source) (all []got, err error) {
	return tryToEndWithin(ctx, s, 40*time.Second)
}

func tryToEndWithin(ctx context.Context, s *Source, d time.Duration) (all []got, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var b event.Batch
	for !b.AtEnd {
		b.Reset()
		if err := s.Next(ctx, &b); err != nil {
			return all, err
		}
		all = collect(&b, all)
	}
	return all, nil
}

func texts(all []got) []string {
	var values []string
	for _, g := range all {
		values = append(values, g.Value)
	}
	return values
}
