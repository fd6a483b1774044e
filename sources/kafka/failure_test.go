package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// proxied lets a test change the answers of fetches.
func proxied(t *testing.T, c *kfake.Cluster, change func(q *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error)) {
	t.Helper()
	upstream, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Close)
	var inner atomic.Bool
	c.ControlKey(apiFetch, func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if inner.Load() {
			return nil, nil, false
		}
		fetch := q.(*kmsg.FetchRequest)
		answered := make(chan func() (kmsg.Response, error, bool), 1)
		c.SleepControl(func() {
			res, err := change(fetch, func() *kmsg.FetchResponse {
				inner.Store(true)
				defer inner.Store(false)
				again := *fetch
				again.MaxWaitMillis = 0
				r, err := upstream.Broker(0).Request(context.Background(), &again)
				if err != nil { // at the end of the test
					return kmsg.NewPtrFetchResponse()
				}
				return r.(*kmsg.FetchResponse)
			})
			answered <- func() (kmsg.Response, error, bool) { return res, err, true }
		})
		select {
		case answer := <-answered:
			return answer()
		default: // the cluster is being closed
			return nil, errors.New("closed"), true
		}
	})
}

// damage flips a bit of the first batch's records in the first times answers that have any.
func damage(t *testing.T, c *kfake.Cluster, times int) {
	proxied(t, c, func(_ *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error) {
		r := send()
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				if b := r.Topics[i].Partitions[j].RecordBatches; len(b) > frameHead && times > 0 && b[7] == 0 {
					b[frameHead+5] ^= 4
					times--
				}
			}
		}
		return r, nil
	})
}

func TestDamagedBatch(t *testing.T) {
	for name, c := range map[string]struct {
		times int
		skip  bool
		want  string
		err   string
	}{
		"once is the network's":    {1, false, "a,b", ""},
		"twice ends the run":       {2, false, "", "at offsets 0 to 0: damaged record batch: its checksum is wrong, twice; set skip_damaged"},
		"or is passed by, counted": {2, true, "b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, r := newFake(t)
			topic := r.topic(t, 1)
			r.values(t, topic, "a")
			r.values(t, topic, "b")
			damage(t, cluster, c.times)
			s := r.source(t, Options{SkipDamaged: c.skip}, topic)
			all, err := tryToEnd(t.Context(), s)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if got := strings.Join(texts(all), ","); got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
			if st := s.Stats(); c.skip != (st.Damaged == 1 && st.Lost == 1) {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// TestBrokerThatHangsUpIsTriedAgain at the start, where it resets connections as one does
// that is being killed; where it never answers that is what is told.
func TestBrokerThatHangsUpIsTriedAgain(t *testing.T) {
	cluster, r := newFake(t)
	topic := r.topic(t, 1)
	r.values(t, topic, "a")
	r.brokers = []string{servers.Reluctant(t, cluster.ListenAddrs()[0], 3)}
	if all := texts(toEnd(t, r.source(t, Options{}, topic))); !slices.Equal(all, []string{"a"}) {
		t.Errorf("read %q", all)
	}
	o := Options{Brokers: []string{servers.Reluctant(t, cluster.ListenAddrs()[0], 1<<40)}, Topics: []string{topic}, StartTimeout: 300 * time.Millisecond}
	if _, err := Open(t.Context(), o); !errors.As(err, new(*StartError)) || !strings.Contains(err.Error(), "mend tls or sasl, or the port in brokers, tried for 300ms") {
		t.Errorf("one that always hangs up: %v", err)
	}
}

// TestFailedFetchIsNotIdleness has the broker answer nothing, and then with an error.
func TestFailedFetchIsNotIdleness(t *testing.T) {
	for name, fault := range map[string]func() (kmsg.Response, error){
		"no answer": func() (kmsg.Response, error) { time.Sleep(800 * time.Millisecond); return nil, errors.New("gone") },
		"an error":  func() (kmsg.Response, error) { return nil, errors.New("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			cluster, r := newFake(t)
			topic := r.topic(t, 1)
			r.values(t, topic, "a")
			var broken atomic.Bool
			proxied(t, cluster, func(_ *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error) {
				if broken.Load() {
					return fault()
				}
				time.Sleep(20 * time.Millisecond)
				return send(), nil
			})
			s := r.source(t, Options{}, topic)
			toEnd(t, s)
			broken.Store(true)
			var b event.Batch
			if err := s.Next(t.Context(), &b); err != nil || b.AtEnd || len(b.Records) != 0 {
				t.Fatalf("%d records, at end %t, %v; want neither", len(b.Records), b.AtEnd, err)
			}
			broken.Store(false)
			if err := s.Next(t.Context(), &b); err != nil || !b.AtEnd {
				t.Fatalf("at end %t, %v; want the end again", b.AtEnd, err)
			}
		})
	}
}

// logged collects what is logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLeaderMoves(t *testing.T) {
	cluster, r := newFake(t, kfake.NumBrokers(3))
	topic := r.topic(t, 4)
	var log logged
	c := r.open(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, topic)
	for round := range 5 {
		var records []*kgo.Record
		for p := range int32(4) {
			if err := cluster.MoveTopicPartition(topic, p, (p+int32(round))%3); err != nil {
				t.Fatal(err)
			}
			records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: fmt.Append(nil, round)})
		}
		r.produce(t, records...)
		for i, s := range c.Sources() {
			all := texts(toEnd(t, s))
			for len(all) == 0 { // the end was that of before
				all = texts(toEnd(t, s))
			}
			if !slices.Equal(all, []string{fmt.Sprint(round)}) {
				t.Fatalf("round %d, partition %d: %q", round, i, all)
			}
		}
	}
}

// TestBrokersWithoutIDs reads from brokers older than ids of topics, of which some is made
// again: over a stored position, and while it is read.
func TestBrokersWithoutIDs(t *testing.T) {
	_, r := newFake(t, kfake.MaxVersions(kversion.V2_7_0()))
	var log logged
	o := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
	topic := r.topic(t, 1)
	r.values(t, topic, "0", "1")
	c := r.open(t, o, topic)
	s := c.Sources()[0]
	toEnd(t, s)
	mark := s.Fingerprint()
	c.Close()
	if !strings.Contains(log.String(), "tell no ids of topics") || len(mark) == 0 {
		t.Fatalf("fingerprint %x, log %s", mark, log.String())
	}
	resume := func() *Source {
		s := r.source(t, o, topic)
		if err := s.Resume(t.Context(), 2, mark); err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.values(t, topic, "2")
	if all := texts(toEnd(t, resume())); !slices.Equal(all, []string{"2"}) {
		t.Errorf("the same topic: %q", all)
	}
	again := func() {
		r.delete(t, topic)
		r.create(t, topic, 1)
		r.admin.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("a"), Timestamp: time.UnixMilli(1)},
			&kgo.Record{Topic: topic, Value: []byte("b"), Timestamp: time.UnixMilli(2)}, &kgo.Record{Topic: topic, Value: []byte("c"), Timestamp: time.UnixMilli(3)}, &kgo.Record{Topic: topic, Value: []byte("d"), Timestamp: time.UnixMilli(4)})
	}
	s = resume()
	toEnd(t, s)
	again()
	var e *ReplacedError
	// A fetch may come between the making and the records: then the log ends too early.
	if all, err := tryToEnd(t.Context(), s); !errors.As(err, &e) && !(err != nil && strings.Contains(err.Error(), "ends at offset 0, before 3")) || len(all) != 0 {
		t.Errorf("made again while it is read: %q, %v", texts(all), err)
	}
	if all, err := tryToEnd(t.Context(), resume()); !errors.As(err, &e) || len(all) != 0 || !strings.Contains(err.Error(), "the time stamp at offset 1") {
		t.Errorf("made again since the position was stored: %q, %v", texts(all), err)
	}
}

// TestOldFormats: message sets of before Kafka 0.11 end the run, and say what they are.
func TestOldFormats(t *testing.T) {
	for magic := range byte(2) {
		cluster, r := newFake(t)
		topic := r.topic(t, 1)
		r.values(t, topic, "a")
		proxied(t, cluster, func(_ *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error) {
			res := send()
			for i := range res.Topics {
				if b := res.Topics[i].Partitions[0].RecordBatches; len(b) > magicAt {
					b[magicAt] = magic
				}
			}
			return res, nil
		})
		want := fmt.Sprintf("read kafka/%s/0 after offset 0: record batch of a format older than Kafka 0.11, which is not read; begin behind it by start (magic %d)", topic, magic)
		if all, err := tryToEnd(t.Context(), r.source(t, Options{}, topic)); err == nil || !strings.Contains(err.Error(), want) || len(all) != 0 {
			t.Errorf("%d records, %v; want %q", len(all), err, want)
		}
	}
}

// TestRightIsTakenAway takes the right to read away while the topic is read.
func TestRightIsTakenAway(t *testing.T) {
	cluster, r := newFake(t)
	topic := r.topic(t, 1)
	r.values(t, topic, "a")
	s := r.source(t, Options{}, topic)
	toEnd(t, s)
	proxied(t, cluster, func(_ *kmsg.FetchRequest, send func() *kmsg.FetchResponse) (kmsg.Response, error) {
		res := send()
		for i := range res.Topics {
			res.Topics[i].Partitions[0].ErrorCode = 29
		}
		return res, nil
	})
	var b event.Batch
	var e *SettingError
	if err := s.Next(t.Context(), &b); !errors.As(err, &e) || !strings.Contains(err.Error(), "may not read topic") {
		t.Errorf("error %v", err)
	}
}

// TestLeaderDies reads from three real brokers, one of which is killed.
func TestLeaderDies(t *testing.T) {
	k := servers.StartKafka(t, 3)
	r := newRig(t, k.Plain())
	topic := r.topic(t, 3, "min.insync.replicas", "2")
	c := r.open(t, Options{Wait: 500 * time.Millisecond}, topic)
	victim := c.Sources()[0].leads()
	next, gap := int64(0), time.Duration(0)
	read := func(from int64, n int) { // all partitions get n records from a number on
		for p := range int32(3) {
			var records []*kgo.Record
			for i := range n {
				records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: fmt.Append(nil, from+int64(i))})
			}
			r.produce(t, records...)
		}
		for _, s := range c.Sources() {
			var all []string
			for len(all) < n {
				all = append(all, texts(toEnd(t, s))...)
			}
			for i, v := range all {
				if v != fmt.Sprint(from+int64(i)) {
					t.Fatalf("record %d is %s", from+int64(i), v)
				}
			}
		}
	}
	for round := range 4 {
		if round == 1 {
			k.Kill(t, int(victim))
		}
		if round == 3 {
			k.Again(t, int(victim))
		}
		began := time.Now()
		read(next, 100)
		next += 100
		gap = max(gap, time.Since(began))
	}
	t.Logf("the longest time from a write to its being read was %s, the broker's death and its election included", gap.Round(time.Millisecond))
}
