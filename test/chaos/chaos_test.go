package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	j := job{Brokers: k.Plain(), Topic: c.topic(t, "events"), Exact: c.topic(t, "exact"), Plain: c.topic(t, "plain"), State: filepath.Join(t.TempDir(), "state")}
	var written atomic.Int64
	ends := make(chan map[string]int64, 1)
	go func() { ends <- c.write(t, j.Topic, a, rand.New(rand.NewPCG(r.Uint64(), 1)), &written) }()
	began := time.Now()
	killed := c.disturb(t, k, r, j, a, &written)
	j.Until = <-ends
	if j.Until == nil {
		t.Fatal("the events could not be written")
	}
	j.mustRun(t)
	disturbed := time.Since(began)

	calm := j
	calm.Exact, calm.Plain, calm.State = c.topic(t, "calm-exact"), c.topic(t, "calm-plain"), filepath.Join(t.TempDir(), "calm")
	began = time.Now()
	calm.mustRun(t)
	want := c.read(t, calm.Exact)
	if len(want.values) == 0 || want.repeats != 0 {
		t.Fatalf("undisturbed: %d alerts, %d repeats", len(want.values), want.repeats)
	}
	exact, plain := c.read(t, j.Exact), c.read(t, j.Plain)
	t.Logf("%d events, %d kills of the engine, %d of the broker, in %s (undisturbed %s): %d alerts; repeats: transactional %d, not transactional %d",
		a.events, killed, a.outages, disturbed.Round(time.Second), time.Since(began).Round(time.Second), len(exact.values), exact.repeats, plain.repeats)
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

// start starts an engine; said gets what it has to tell.
func (j *job) start(t *testing.T, said *bytes.Buffer) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = said
	running, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = running.Read(make([]byte, 1)) // it says so when the engine runs
	return cmd
}

func (j *job) mustRun(t *testing.T) {
	t.Helper()
	var said bytes.Buffer
	cmd := j.start(t, &said)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes()[max(0, said.Len()-8000):])
	}
	t.Logf("engine to the end: CPU %s", cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
}

// disturb runs engines and kills them, and the broker, spread over the time that the events
// take to be written.
func (c *cluster) disturb(t *testing.T, k *servers.Kafka, r *rand.Rand, j job, a amounts, written *atomic.Int64) (kills int) {
	t.Helper()
	outages := 0
	for kills < a.kills {
		var said bytes.Buffer
		cmd := j.start(t, &said)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if outages < a.outages && kills*a.outages >= outages*a.kills+a.kills/2 {
			outages++
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
			k.Kill(t, 1)
			time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
			k.Again(t, 1)
		}
		// It lives for some time, and until there are new events to read.
		seen := written.Load()
		time.Sleep(time.Duration(200+r.IntN(1800)) * time.Millisecond)
		for deadline := time.Now().Add(10 * time.Second); written.Load() == seen && int(seen) < a.events && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Logf("kill: %v", err)
		}
		<-ended
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Fatalf("the engine has ended by itself after %d kills:\n%s", kills, said.Bytes()[max(0, said.Len()-8000):])
		}
		kills++
	}
	return kills
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
	q := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	q.Topics = append(q.Topics, topic)
	res, err := q.RequestWith(t.Context(), c.admin)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	for deadline := time.Now().Add(20 * time.Second); !c.led(t.Context(), name); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("topic %s gets no leaders", name)
		}
	}
	return name
}

func (c *cluster) led(ctx context.Context, name string) bool {
	q := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	q.Topics = append(q.Topics, topic)
	res, err := q.RequestWith(ctx, c.admin)
	if err != nil || len(res.Topics[0].Partitions) != partitions {
		return false
	}
	for _, p := range res.Topics[0].Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return true
}

// write writes events at a pace and returns where the partitions end; nil where it failed.
// The last events are the latest of their partitions, so that time comes to its end in all.
func (c *cluster) write(t *testing.T, topic string, a amounts, r *rand.Rand, written *atomic.Int64) map[string]int64 {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ends, began := map[string]int64{}, time.Now()
	var failed atomic.Bool
	send := func(partition int, value string) {
		ends[strconv.Itoa(partition)]++
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
