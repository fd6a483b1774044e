package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// rig is a cluster under test, spoken to by a client that is not ours.
type rig struct {
	brokers []string
	admin   *kgo.Client
}

func newRig(t testing.TB, brokers []string) *rig {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return &rig{brokers: brokers, admin: admin}
}

func newFake(t testing.TB, brokers int) (*kfake.Cluster, *rig) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, newRig(t, c.ListenAddrs())
}

// topic makes a topic and waits until it can be written to.
func (r *rig) topic(t testing.TB, partitions int32, configs ...string) string {
	t.Helper()
	name := fmt.Sprintf("alerts%d", rand.Uint64())
	servers.Topic(t, r.admin, name, partitions, min(3, len(r.brokers)), configs...)
	return name
}

// options are for a topic of a transaction id of its own.
func (r *rig) options(topic string) Options {
	return Options{Brokers: r.brokers, Topic: topic, State: "state-a", LastRow: 1 << 40, Timeout: 5 * time.Second}
}

func (r *rig) transactional(topic string) Options {
	o := r.options(topic)
	o.Transactional, o.TransactionalID = true, "app-of-"+topic
	return o
}

func open(t testing.TB, o Options) *Sink {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cluster.Close() })
	return s
}

// read returns what a topic holds for readers of committed records, by partition, up to its
// end for them. It waits while a transaction is undecided.
func (r *rig) read(t testing.TB, topic string) (all []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends := servers.Ends(t, r.admin, topic)
	at := map[int32]int64{}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for !reached(at, ends) {
		fs := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read %s: at %v of %v: %v", topic, at, ends, ctx.Err())
		}
		fs.EachRecord(func(rec *kgo.Record) {
			at[rec.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				all = append(all, rec)
			}
		})
		fs.EachPartition(func(p kgo.FetchTopicPartition) {
			if p.LastStableOffset == p.HighWatermark && len(p.Records) == 0 {
				at[p.Partition] = max(at[p.Partition], p.HighWatermark) // what was left was undone
			}
		})
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return all
}

func reached(at, ends map[int32]int64) bool {
	for p, end := range ends {
		if at[p] < end {
			return false
		}
	}
	return true
}

// row is an alert of a few keys.
func row(n int) sinks.Row {
	return sinks.Row{Number: uint64(n), Alert: fmt.Appendf(nil, `{"id":"id%d","rule":"r%d","version":"1","severity":"high","title":"a, \"b\"","tags":["x"],"key":{"card":"c%d"},"time":"x"}`, n, n%3, n%5)}
}

func rowsTo(n int) (rows []sinks.Row) {
	for i := 1; i <= n; i++ {
		rows = append(rows, row(i))
	}
	return rows
}

// deliverFrom delivers the rows above those that the sink has, each rows at once.
func deliverFrom(ctx context.Context, s *Sink, rows []sinks.Row, each int) error {
	at, _ := s.Position()
	for int(at) < len(rows) {
		n, err := s.Deliver(ctx, rows[at:min(int(at)+each, len(rows))])
		if at += uint64(n); err != nil {
			return err
		}
	}
	return nil
}

// isExactly wants each row once, and those of a key in order.
func isExactly(t testing.TB, got []*kgo.Record, want []sinks.Row) {
	t.Helper()
	left, last := map[string]int{}, map[string]int{}
	for i, w := range want {
		left[string(w.Alert)] = i + 1
	}
	for _, g := range got {
		n := left[string(g.Value)]
		if n == 0 {
			t.Fatalf("alert twice, or not at all among those delivered: %s", g.Value)
		}
		delete(left, string(g.Value))
		if n < last[string(g.Key)] {
			t.Fatalf("key %s: row %d after row %d", g.Key, n, last[string(g.Key)])
		}
		last[string(g.Key)] = n
	}
	if len(left) > 0 {
		t.Fatalf("%d of %d alerts are missing", len(left), len(want))
	}
}

// journal is a log for tests.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.b.String(), text)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

var errCrash = errors.New("crash")
