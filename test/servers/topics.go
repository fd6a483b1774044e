package servers

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long brokers may take to hear of what one of them has done.
const patience = 30 * time.Second

// Topic makes a topic on a broker of any kind, with configs (name, value, name, value …), and
// waits until it can be written to.
func Topic(t testing.TB, client *kgo.Client, name string, partitions int32, replicas int, configs ...string) {
	t.Helper()
	q, topic := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, int16(replicas)
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	q.Topics = append(q.Topics, topic)
	res, err := q.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("make topic %s: %v", name, err)
	}
	Eventually(t, "topic "+name+" has leaders", func() bool { return HasLeaders(t.Context(), client, name, int(partitions)) })
}

// HasLeaders reports whether a topic has so many partitions, each with a leader.
func HasLeaders(ctx context.Context, client *kgo.Client, name string, partitions int) bool {
	all := described(ctx, client, name)
	return len(all) == partitions && !slices.ContainsFunc(all, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader < 0 })
}

// described are the partitions of a topic; none where the broker does not know it, or does not answer.
func described(ctx context.Context, client *kgo.Client, name string) []kmsg.MetadataResponseTopicPartition {
	q, topic := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	q.Topics = append(q.Topics, topic)
	res, err := q.RequestWith(ctx, client)
	if err != nil || len(res.Topics) != 1 {
		return nil
	}
	return res.Topics[0].Partitions
}

// Ends are the offsets behind the last records of a topic, by partition.
func Ends(t testing.TB, client *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	q, asked := kmsg.NewPtrListOffsetsRequest(), kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for _, p := range described(t.Context(), client, topic) {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = p.Partition, -1
		asked.Partitions = append(asked.Partitions, one)
	}
	q.Topics = append(q.Topics, asked)
	ends := map[int32]int64{}
	for _, shard := range client.RequestSharded(t.Context(), q) {
		res, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if shard.Err != nil || !ok {
			t.Fatalf("ends of topic %s: %v", topic, shard.Err)
		}
		for _, p := range res.Topics[0].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				t.Fatalf("end of %s/%d: %v", topic, p.Partition, err)
			}
			ends[p.Partition] = p.Offset
		}
	}
	return ends
}

// GroupOffsets are the committed offsets of a group, by partition; those that it has none of are left
// out, and all where it has no coordinator yet.
func GroupOffsets(t testing.TB, client *kgo.Client, group, topic string) map[int32]int64 {
	t.Helper()
	q, g := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewOffsetFetchRequestGroup()
	q.Group, g.Group = group, group // for old versions and new ones
	q.Groups = append(q.Groups, g)
	at := map[int32]int64{}
	res, err := q.RequestWith(t.Context(), client)
	if err != nil {
		t.Logf("offsets of group %s: %v", group, err)
		return at
	}
	for _, g := range res.Groups {
		for _, found := range g.Topics {
			for _, p := range found.Partitions {
				if found.Topic == topic && p.Offset >= 0 {
					at[p.Partition] = p.Offset
				}
			}
		}
	}
	return at
}

// AllowOnly leaves a user of a broker with ACLs no more than these operations on a topic, a group or a
// transactional id.
func AllowOnly(t testing.TB, client *kgo.Client, kind kmsg.ACLResourceType, name, user string, operations ...kmsg.ACLOperation) {
	t.Helper()
	q := kmsg.NewPtrCreateACLsRequest()
	for _, operation := range operations {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = kind, name, kmsg.ACLResourcePatternTypeLiteral
		c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+user, "*", operation, kmsg.ACLPermissionTypeAllow
		q.Creations = append(q.Creations, c)
	}
	res, err := q.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatalf("what %s may do with %s: %v", user, name, err)
		}
	}
}

// Eventually waits until something is so.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	over := time.After(patience)
	for !ok() {
		select {
		case <-over:
			t.Fatalf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
