package kafka

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// BenchmarkFetch reads a topic of a real broker again and again, without an engine behind:
// what the source can do. cpu-ns/record is that of this process, user and system; the wall
// clock is shared with the broker.
func BenchmarkFetch(b *testing.B) {
	k := servers.StartKafka(b, 1)
	for _, partitions := range []int{1, 8} {
		for codec, compression := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression()} {
			topic, n := filled(b, k, partitions, compression)
			for _, each := range []bool{false, true} {
				b.Run(fmt.Sprintf("partitions=%d/codec=%s/each=%t", partitions, codec, each), func(b *testing.B) {
					fetchAll(b, Options{Brokers: k.Plain(), Topics: []string{topic}, EachPartition: each}, n)
				})
			}
			b.Run(fmt.Sprintf("partitions=%d/codec=%s/franz-go", partitions, codec), func(b *testing.B) {
				franzAll(b, k, topic, n)
			})
		}
	}
}

// filled is a topic with records of about 100 bytes of JSON.
func filled(b *testing.B, k *servers.Kafka, partitions int, codec kgo.CompressionCodec) (topic string, n int) {
	b.Helper()
	r := newRig(b, k.Plain())
	topic, n = r.topic(b, int32(partitions)), 1_000_000
	p, err := kgo.NewClient(kgo.SeedBrokers(k.Plain()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec), kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for i := range n {
		v := fmt.Appendf(nil, `{"type":"payment","card":"card-%06d","amount":%d.25,"country":"DE","time":"2026-01-01T00:00:00.%03dZ"}`, i%10_000, i%500, i%1000)
		p.Produce(b.Context(), &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: v}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := p.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return topic, n
}

func fetchAll(b *testing.B, o Options, n int) {
	b.ReportAllocs()
	began, rounds := cpuTime(), 0
	for b.Loop() {
		rounds++
		c, err := Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		counts := make(chan int)
		for _, s := range c.Sources() {
			go func() { counts <- drainSource(b, s) }()
		}
		total := 0
		for range c.Sources() {
			total += <-counts
		}
		if c.Close(); total != n {
			b.Fatalf("%d records, want %d", total, n)
		}
	}
	report(b, began, rounds*n)
}

func drainSource(b *testing.B, s *Source) (n int) {
	var batch event.Batch
	for !batch.AtEnd {
		batch.Reset()
		if err := s.Next(b.Context(), &batch); err != nil {
			b.Error(err)
			return n
		}
		n += len(batch.Records)
	}
	return n
}

func franzAll(b *testing.B, k *servers.Kafka, topic string, n int) {
	b.ReportAllocs()
	began, rounds := cpuTime(), 0
	for b.Loop() {
		rounds++
		c, err := kgo.NewClient(kgo.SeedBrokers(k.Plain()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		if err != nil {
			b.Fatal(err)
		}
		for total := 0; total < n; {
			total += c.PollFetches(b.Context()).NumRecords()
		}
		c.Close()
	}
	report(b, began, rounds*n)
}

func report(b *testing.B, began time.Duration, records int) {
	b.ReportMetric(float64(cpuTime()-began)/float64(records), "cpu-ns/record")
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const thresholdRules = `event payment (time: time) { card string  amount float  time time }
rule busy { from payment by card window sliding 1m having count() > 1000000 }
`

// BenchmarkEngine reads the same topic with a sliding threshold behind. Less the cost of
// BenchmarkFetch, its cpu-ns/record is decoding and the rule.
func BenchmarkEngine(b *testing.B) {
	k := servers.StartKafka(b, 1)
	topic, n := filled(b, k, 1, kgo.NoCompression())
	set, errs := lang.Compile([]*source.File{{Name: "busy.cep", Text: thresholdRules}})
	if errs.HasErrors() {
		b.Fatal(errs.Error())
	}
	o := Options{Brokers: k.Plain(), Topics: []string{topic}}
	b.Run("store=memory", func(b *testing.B) {
		engineAll(b, o, set, n, func() (engine.Store, func()) { return state.NewMemory(), func() {} })
	})
	b.Run("store=badger", func(b *testing.B) {
		engineAll(b, o, set, n, func() (engine.Store, func()) {
			s, err := state.OpenBadger(b.TempDir(), state.Options{})
			if err != nil {
				b.Fatal(err)
			}
			return s, func() { s.Close() }
		})
	})
}

func engineAll(b *testing.B, o Options, set *plan.Set, n int, open func() (engine.Store, func())) {
	b.ReportAllocs()
	began, rounds := cpuTime(), 0
	for b.Loop() {
		rounds++
		store, closeStore := open()
		engineOnce(b, o, set, n, store)
		closeStore()
	}
	report(b, began, rounds*n)
}

func engineOnce(b *testing.B, o Options, set *plan.Set, n int, store engine.Store) {
	c, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	outbox, err := state.OpenOutbox(b.Context(), store)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	e, err := engine.New(ctx, engine.Options{
		Set: set, Store: store, Outbox: outbox, Shards: 1, Inputs: []engine.Input{{Source: c.Sources()[0]}},
		Progress: func(s *engine.Stats) {
			if int(s.Records) == n {
				stop()
			}
		},
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}
}
