package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cepheus-cep/cepheus/test/servers"
)

const partitions = 8

// amounts are what a test is made of.
type amounts struct{ events, kills, outages, pace int }

func amountsWanted() amounts {
	if os.Getenv("CEPHEUS_CHAOS_LONG") != "" {
		return amounts{events: 500_000, kills: 20, outages: 5, pace: 5_000}
	}
	return amounts{events: 60_000, kills: 5, outages: 1, pace: 5_000}
}

// TestExactlyOnce kills engine and broker, and compares with a run that nobody disturbs.
func TestExactlyOnce(t *testing.T) {
	k := servers.StartKafka(t, 1)
	a, r := amountsWanted(), chance(t)
	c := newCluster(t, k)
	j := &job{Binary: command(t), Brokers: k.Plain(), Topic: c.topic(t, "events"), Exact: c.topic(t, "exact"), Plain: c.topic(t, "plain"), Dir: t.TempDir()}
	j.configure(t)
	var written atomic.Int64
	ends := make(chan map[int32]int64, 1)
	began := time.Now()
	go func() { ends <- c.write(t, j.Topic, a, rand.New(rand.NewPCG(r.Uint64(), 1)), &written) }()
	idle := c.disturb(t, k, r, j, a, &written)
	until := <-ends
	if until == nil {
		t.Fatal("the events could not be written")
	}
	j.finish(t, c, until)
	disturbed := time.Since(began)

	calm := *j
	calm.Exact, calm.Plain, calm.Dir = c.topic(t, "calm-exact"), c.topic(t, "calm-plain"), t.TempDir()
	calm.configure(t)
	began = time.Now()
	calm.finish(t, c, until)
	want := c.read(t, calm.Exact)
	if len(want.values) == 0 || want.repeats != 0 {
		t.Fatalf("undisturbed: %d alerts, %d repeats", len(want.values), want.repeats)
	}
	exact, plain := c.read(t, j.Exact), c.read(t, j.Plain)
	t.Logf("%d events, %d kills of the engine (%d before it had delivered anything), %d of the broker, in %s (undisturbed %s): %d alerts; repeats: transactional %d, not transactional %d",
		a.events, a.kills, idle, a.outages, disturbed.Round(time.Second), time.Since(began).Round(time.Second), len(exact.values), exact.repeats, plain.repeats)
	if exact.repeats != 0 {
		t.Errorf("transactional: %d alerts are there twice", exact.repeats)
	}
	exact.equals(t, "transactional", want)
	plain.equals(t, "not transactional", want)
}

func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) % 1_000_000
	if given := os.Getenv("CEPHEUS_CHAOS_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CEPHEUS_CHAOS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// disturb runs engines and kills them, and the broker, spread over the time that the events
// take to be written. It returns how many engines were killed before they delivered anything.
func (c *cluster) disturb(t *testing.T, k *servers.Kafka, r *rand.Rand, j *job, a amounts, written *atomic.Int64) (idle int) {
	t.Helper()
	outages := 0
	for kills := range a.kills {
		seen, before := written.Load(), c.size(t, j.Exact, j.Plain)
		p := j.start(t)
		if outages < a.outages && kills*a.outages >= outages*a.kills+a.kills/2 {
			outages++
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
			k.Kill(t, 1)
			time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
			k.Again(t, 1)
		}
		if r.IntN(4) > 0 { // else it is killed while it starts, or soon afterwards
			c.until(t, func() bool {
				return c.size(t, j.Exact, j.Plain) > before && (written.Load() > seen || int(seen) >= a.events)
			})
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
		p.kill(t)
		if c.size(t, j.Exact, j.Plain) == before {
			idle++
		}
	}
	return idle
}

// until waits for something, but not for ever: what an engine does after a broker's death
// takes its time.
func (c *cluster) until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// cluster is the broker, spoken to by a client that is not ours.
type cluster struct {
	brokers []string
	admin   *kgo.Client
}

func newCluster(t *testing.T, k *servers.Kafka) *cluster {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(k.Plain()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1_000_000), kgo.RecordRetries(1_000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	return &cluster{brokers: k.Plain(), admin: admin}
}

func (c *cluster) topic(t *testing.T, name string) string {
	t.Helper()
	servers.Topic(t, c.admin, name, partitions, 1)
	return name
}

// size is how many records, also undone ones and markers, topics have.
func (c *cluster) size(t *testing.T, topics ...string) (n int64) {
	t.Helper()
	for _, topic := range topics {
		for _, end := range servers.Ends(t, c.admin, topic) {
			n += end
		}
	}
	return n
}

// settle waits until nothing has come to topics for a second.
func (c *cluster) settle(t *testing.T, topics ...string) {
	t.Helper()
	for was := int64(-1); ; time.Sleep(time.Second) {
		now := c.size(t, topics...)
		if now == was {
			return
		}
		was = now
	}
}

// reached reports whether the offsets of a group are at these ends or behind them.
func (c *cluster) reached(t *testing.T, group, topic string, ends map[int32]int64) bool {
	t.Helper()
	at := servers.GroupOffsets(t, c.admin, group, topic)
	for partition, end := range ends {
		if at[partition] < end {
			return false
		}
	}
	return true
}

// write writes events at a pace and returns where the partitions end; nil where it failed.
// The last events are the latest of their partitions, so that time comes to its end in all.
func (c *cluster) write(t *testing.T, topic string, a amounts, r *rand.Rand, written *atomic.Int64) map[int32]int64 {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ends, began := map[int32]int64{}, time.Now()
	var failed atomic.Bool
	send := func(partition int, value string) {
		ends[int32(partition)]++
		c.admin.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: int32(partition), Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if written.Add(1); err != nil {
				failed.Store(true)
			}
		})
	}
	for i := range a.events - partitions {
		at = at.Add(time.Duration(r.Int64N(int64(40 * time.Millisecond))))
		card := r.IntN(200) + i/20_000*200
		value := draw(r, i, card, at)
		send(card%partitions, value)
		if i%20 == 0 && strings.Contains(value, `"type":"pay","id"`) {
			send(card%partitions, value) // a copy, which its id tells: this type has dedup
		}
		if ahead := time.Duration(i)*time.Second/time.Duration(a.pace) - time.Since(began); ahead > 5*time.Millisecond {
			time.Sleep(ahead)
		}
	}
	for p := range partitions {
		send(p, fmt.Sprintf(`{"type":"ring","at":%q,"card":"end%d","n":1}`, at.Add(time.Minute).Format(time.RFC3339Nano), p))
	}
	if err := c.admin.Flush(t.Context()); err != nil || failed.Load() {
		return nil
	}
	return ends
}

// draw makes an event; some come late, some twice, some are of no use.
func draw(r *rand.Rand, i, card int, at time.Time) string {
	if r.IntN(4) == 0 {
		at = at.Add(-time.Duration(r.Int64N(int64(3 * time.Second))))
	}
	when := at.Format(time.RFC3339Nano)
	switch n := r.IntN(100); {
	case n == 0:
		return `{"type":"pay","at":"yesterday"}`
	case n < 55:
		return fmt.Sprintf(`{"type":"pay","id":"p%d","at":%q,"card":"c%d","shop":"s%d","n":%d,"sum":%d.%02d}`, i, when, card, r.IntN(7), r.IntN(10), r.IntN(120), r.IntN(100))
	case n < 70:
		return fmt.Sprintf(`{"type":"ring","at":%q,"card":"c%d","n":%d}`, when, card, r.IntN(10))
	}
	return fmt.Sprintf(`{"type":"auth","id":"a%d","at":%q,"card":"c%d","n":%d}`, i, when, card, r.IntN(10))
}

// content is what a topic holds for readers of committed records.
type content struct {
	values  map[string]string   // by id
	keys    map[string][]string // ids in order, repeats left out
	repeats int
}

// read reads to the ends of all partitions.
func (c *cluster) read(t *testing.T, topic string) *content {
	t.Helper()
	r, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := &content{values: map[string]string{}, keys: map[string][]string{}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for quiet := 0; quiet < 3; { // nothing is written any more
		poll, done := context.WithTimeout(ctx, time.Second)
		fs := r.PollFetches(poll)
		done()
		if quiet++; fs.NumRecords() > 0 {
			quiet = 0
		}
		fs.EachRecord(func(rec *kgo.Record) { got.take(t, rec) })
	}
	return got
}

func (c *content) take(t *testing.T, rec *kgo.Record) {
	t.Helper()
	var id string
	for _, h := range rec.Headers {
		if h.Key == "id" {
			id = string(h.Value)
		}
	}
	was, twice := c.values[id]
	switch {
	case id == "":
		t.Fatalf("an alert without an id: %.300s", rec.Value)
	case twice && was != string(rec.Value):
		t.Fatalf("one id, two alerts:\n%.500s\n%.500s", was, rec.Value)
	case twice:
		c.repeats++
		return
	}
	c.values[id] = string(rec.Value)
	c.keys[string(rec.Key)] = append(c.keys[string(rec.Key)], id)
}

func (c *content) equals(t *testing.T, name string, want *content) {
	t.Helper()
	missing, other := 0, 0
	for id, w := range want.values {
		switch got, ok := c.values[id]; {
		case !ok:
			if missing++; missing < 4 {
				t.Errorf("%s: missing: %.400s", name, w)
			}
		case got != w:
			if other++; other < 4 {
				t.Errorf("%s: another alert:\n%.600s\n%.600s", name, got, w)
			}
		}
	}
	for id, v := range c.values {
		if _, ok := want.values[id]; !ok {
			if other++; other < 4 {
				t.Errorf("%s: not in the undisturbed run: %.400s", name, v)
			}
		}
	}
	if missing+other > 0 {
		t.Fatalf("%s: %d of %d alerts are missing, %d are others", name, missing, len(want.values), other)
	}
	for key, ids := range want.keys {
		for i, id := range ids {
			if c.keys[key][i] != id {
				t.Fatalf("%s: key %s: alert %d is another one than undisturbed", name, key, i)
			}
		}
	}
}
