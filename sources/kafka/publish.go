package kafka

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/cepheus-cep/cepheus/event"
)

// Publish writes positions, of partitions of this client's, as the offsets of
// Options.Group, where tools that watch lag look for them. Nothing reads them back.
func (c *Client) Publish(ctx context.Context, at []event.Position) error {
	if c.o.Group == "" {
		return nil
	}
	topics := map[string][]kafka.OffsetCommit{}
	for _, p := range at {
		if p.Partition.Source == c.o.Name && p.Offset >= 0 {
			topics[p.Partition.Topic] = append(topics[p.Partition.Topic], kafka.OffsetCommit{Partition: int(p.Partition.Number), Offset: p.Offset})
		}
	}
	if len(topics) == 0 {
		return nil
	}
	r, err := c.cluster.Client().OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: c.o.Group, GenerationID: -1, Topics: topics})
	if err != nil {
		return fmt.Errorf("publish offsets of group %s: %w", c.o.Group, err)
	}
	for topic, parts := range r.Topics {
		for _, p := range parts {
			if p.Error != nil {
				return fmt.Errorf("publish offset of group %s for %s/%d: %w", c.o.Group, topic, p.Partition, p.Error)
			}
		}
	}
	return nil
}
