package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOnFakeBroker(t *testing.T) {
	_, r := newFake(t)
	suite(t, r)
}

func TestOnRealBroker(t *testing.T) {
	k := servers.StartKafka(t, 1)
	suite(t, newRig(t, k.Plain()))
	t.Run("logins", func(t *testing.T) { logins(t, k) })
	t.Run("a broker away", func(t *testing.T) { brokerAway(t, k) })
}

// suite is what any broker must be read by.
func suite(t *testing.T, r *rig) {
	for name, test := range map[string]func(*testing.T, *rig){
		"every record of every codec, once and in order": everyCodec,
		"reading goes on where it stood":                 resumes,
		"committed records alone":                        committed,
		"an undecided transaction is not the end":        undecided,
		"times and tombstones":                           timesAndTombstones,
		"forms of records":                               forms,
		"keys and headers in rules":                      keysAndHeaders,
		"where to start":                                 starts,
		"offsets that are gone":                          outOfRange,
		"a log that has lost records":                    truncated,
		"a topic made again":                             madeAgain,
		"a topic made again while it is read":            madeAgainMeanwhile,
		"what appears while running":                     appears,
		"what compaction has left":                       compacted,
		"a record of 20 MB":                              huge,
		"a record longer than the limit":                 tooLong,
		"memory is bounded":                              bounded,
		"offsets of the group":                           published,
		"what is wrong with topics":                      wrongTopics,
		"an engine that is started anew":                 behindEngine,
	} {
		t.Run(name, func(t *testing.T) { test(t, r) })
	}
}

func everyCodec(t *testing.T, r *rig) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		for _, each := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s each=%t", name, each), func(t *testing.T) {
				topic := r.topic(t, 3)
				p := r.producer(t, kgo.ProducerBatchCompression(codec))
				want := make([][]string, 3)
				var records []*kgo.Record
				for i := range 3000 {
					v := fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%300))
					want[i%3] = append(want[i%3], v)
					records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % 3), Value: []byte(v), Key: []byte("k")})
				}
				if err := p.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				c := r.open(t, Options{EachPartition: each, FetchBytes: 8 << 10}, topic)
				for i, s := range c.Sources() {
					all := toEnd(t, s)
					if diff := cmp.Diff(want[i], texts(all)); diff != "" {
						t.Fatalf("partition %d (-want +got):\n%s", i, diff)
					}
					for j, g := range all {
						if g.Offset != int64(j) {
							t.Fatalf("record %d has offset %d", j, g.Offset)
						}
					}
					if s.Position() != 1000 || s.Partition() != (event.Partition{Source: "kafka", Topic: topic, Number: int32(i)}) {
						t.Errorf("position %d of %v", s.Position(), s.Partition())
					}
				}
			})
		}
	}
}

func resumes(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	var want []string
	for i := range 500 {
		want = append(want, fmt.Sprint(i))
	}
	r.values(t, topic, want...)
	for _, from := range []int64{0, 1, 250, 499, 500} {
		c := r.open(t, Options{}, topic)
		s := c.Sources()[0]
		if err := s.Resume(t.Context(), from, s.Fingerprint()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[from:], append([]string{}, texts(toEnd(t, s))...)); diff != "" {
			t.Errorf("from %d (-want +got):\n%s", from, diff)
		}
		if s.Position() != 500 {
			t.Errorf("from %d: position %d, want 500", from, s.Position())
		}
		c.Close()
	}
}

// committed has some producers whose transactions overlap, with plain records between.
func committed(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	random := rand.New(rand.NewPCG(1, 2))
	var producers []*kgo.Client
	for i := range 3 {
		producers = append(producers, r.producer(t, kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, i))))
	}
	open := make([][]int64, 3) // offsets, where in a transaction
	values, n, undone := map[int64]string{}, 0, 0
	write := func(p *kgo.Client) int64 {
		v := fmt.Sprint(n)
		n++
		res := p.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)})
		if err := res.FirstErr(); err != nil {
			t.Fatal(err)
		}
		values[res[0].Record.Offset] = v
		return res[0].Record.Offset
	}
	end := func(i int, commit kgo.TransactionEndTry) {
		if err := producers[i].EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
		if commit == kgo.TryAbort {
			for _, offset := range open[i] {
				delete(values, offset)
				undone++
			}
		}
		open[i] = nil
	}
	for range 120 {
		i := random.IntN(4)
		switch {
		case i == 3:
			write(r.admin)
		case open[i] == nil:
			if err := producers[i].BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			open[i] = append(open[i], write(producers[i]))
		case random.IntN(3) == 0:
			end(i, kgo.TransactionEndTry(random.IntN(2) == 0))
		default:
			open[i] = append(open[i], write(producers[i]))
		}
	}
	for i := range open {
		if open[i] != nil {
			end(i, kgo.TransactionEndTry(i == 0))
		}
	}
	for _, bytes := range []int{1, 300, 1 << 20} {
		s := r.source(t, Options{FetchBytes: bytes}, topic)
		all := toEnd(t, s)
		seen := map[int64]string{}
		for _, g := range all {
			seen[g.Offset] = g.Value
		}
		if diff := cmp.Diff(values, seen); diff != "" || len(all) != len(seen) {
			t.Errorf("fetches of %d bytes: %d records (-want +got):\n%s", bytes, len(all), diff)
		}
		if got := s.Stats().Aborted; got != uint64(undone) {
			t.Errorf("%d records counted as undone, want %d", got, undone)
		}
		if !slices.IsSortedFunc(all, func(a, b got) int { return int(a.Offset - b.Offset) }) {
			t.Error("out of order")
		}
	}
}

func undecided(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	p := r.producer(t, kgo.TransactionalID(topic))
	r.values(t, topic, "before")
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("in it")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.values(t, topic, "behind")
	s := r.source(t, Options{}, topic)
	var b event.Batch
	if err := s.Next(t.Context(), &b); err != nil || len(b.Records) != 1 || b.AtEnd {
		t.Fatalf("%d records, at end %t, %v; want what was before the transaction, and not the end", len(b.Records), b.AtEnd, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	b.Reset()
	if err := s.Next(short, &b); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%d records, at end %t, %v; want to wait", len(b.Records), b.AtEnd, err)
	}
	if err := p.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"in it", "behind"}, texts(toEnd(t, s))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func timesAndTombstones(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	at := time.UnixMilli(1_700_000_000_123)
	r.produce(t,
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("a"), Timestamp: at},
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: nil, Timestamp: at},
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte{}, Timestamp: at.Add(-time.Hour), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "none"}}},
	)
	s := r.source(t, Options{}, topic)
	var b event.Batch
	if err := s.Next(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]got{{Offset: 0, Value: "a"}, {Offset: 2}}, collect(&b, nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !b.Stamped || b.Records[0].Time != at.UnixNano() || b.Records[1].Time != at.Add(-time.Hour).UnixNano() {
		t.Errorf("stamped %t, times %d %d", b.Stamped, b.Records[0].Time, b.Records[1].Time)
	}
	if st := s.Stats(); st.Tombstones != 1 || st.Records != 2 || s.Position() != 3 {
		t.Errorf("stats %+v, position %d", st, s.Position())
	}
}

func forms(t *testing.T, r *rig) {
	h := func(pairs ...string) (all []kgo.RecordHeader) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return all
	}
	binary := h("ce_specversion", "1.0", "ce_id", "7", "ce_source", `a"b`, "ce_type", "com.example.pay", "ce_time", "2026-01-01T00:00:00Z", "ce_data", "x", "content-type", "application/json")
	for name, c := range map[string]struct {
		o       Options
		headers []kgo.RecordHeader
		in, out string
	}{
		"raw text":                             {Options{Format: Raw}, nil, "say \"hi\"\n\\ é", `{"text":"say \"hi\"\u000a\\ é"}`},
		"raw text in a field of a name":        {Options{Format: Raw, RawField: "line"}, nil, "x", `{"line":"x"}`},
		"raw bytes that are no text":           {Options{Format: Raw}, nil, "\xff", "\xff"},
		"CloudEvents in binary mode":           {Options{}, binary, `{"amount":3}`, `{"specversion":"1.0","id":"7","source":"a\"b","type":"com.example.pay","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","data":{"amount":3}}`},
		"a value that would be the envelope":   {Options{}, binary, `{},"type":"admin"`, `{},"type":"admin"`},
		"CloudEvents in structured mode":       {Options{}, h("content-type", "application/cloudevents+json"), `{"specversion":"1.0"}`, `{"specversion":"1.0"}`},
		"headers that have nothing to say":     {Options{}, h("trace", "1"), `{"a":1}`, `{"a":1}`},
		"CSV is handed on as it is":            {Options{Format: CSV, Columns: "a,b"}, nil, "1,2", "1,2"},
		"headers do not make events of rows":   {Options{Format: CSV, Columns: "a,b"}, binary, "1,2", "1,2"},
		"a JSON record goes through untouched": {Options{}, nil, `{"a": 1 }`, `{"a": 1 }`},
	} {
		t.Run(name, func(t *testing.T) {
			topic := r.topic(t, 1)
			r.produce(t, &kgo.Record{Topic: topic, Value: []byte(c.in), Headers: c.headers})
			var b event.Batch
			if err := r.source(t, c.o, topic).Next(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]got{{Value: c.out}}, collect(&b, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.o.Format == CSV && (len(b.Header) != 1 || string(b.Header[0]) != c.o.Columns) {
				t.Errorf("header %q", b.Header)
			}
		})
	}
}

// keysAndHeaders has rules read what stands beside records of every form.
func keysAndHeaders(t *testing.T, r *rig) {
	const rules = `event pay (time: at(ms)) { at int  n int? }
rule r { from pay emit { n: n, key: meta.key, trace: meta.headers["trace-id"], type: meta.headers.ce_type, gone: meta.headers.gone } }`
	headers := func(pairs ...string) (all []kgo.RecordHeader) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return append(all, kgo.RecordHeader{Key: "gone"})
	}
	for name, c := range map[string]struct {
		o      Options
		decode event.Options
		record kgo.Record
		want   string
	}{
		"JSON": {
			Options{},
			event.Options{},
			kgo.Record{Key: []byte("c1"), Value: []byte(`{"type":"pay","at":1,"n":2}`), Headers: headers("trace-id", "a", "gone", "x", "trace-id", "b")},
			`{"n":2,"key":"c1","trace":"b","type":null,"gone":null}`,
		},
		"nothing beside it": {
			Options{},
			event.Options{},
			kgo.Record{Value: []byte(`{"type":"pay","at":1,"n":2}`)},
			`{"n":2,"key":null,"trace":null,"type":null,"gone":null}`,
		},
		"a key that is empty, and one that is no text": {
			Options{},
			event.Options{},
			kgo.Record{Key: []byte{}, Value: []byte(`{"type":"pay","at":1}`), Headers: headers("trace-id", "\xff")},
			`{"n":null,"key":"","trace":null,"type":null,"gone":null}`,
		},
		"CloudEvents in binary mode": {
			Options{},
			event.Options{},
			kgo.Record{
				Key: []byte("c1"), Value: []byte(`{"at":1,"n":2}`),
				Headers: headers("ce_specversion", "1.0", "ce_id", "7", "ce_source", "s", "ce_type", "com.example.pay", "content-type", "application/json", "trace-id", "a"),
			},
			`{"n":2,"key":"c1","trace":"a","type":"com.example.pay","gone":null}`,
		},
		"CloudEvents in structured mode": {
			Options{},
			event.Options{},
			kgo.Record{
				Key: []byte("c1"), Headers: headers("content-type", "application/cloudevents+json", "trace-id", "a"),
				Value: []byte(`{"specversion":"1.0","id":"7","source":"s","type":"com.example.pay","data":{"at":1,"n":2}}`),
			},
			`{"n":2,"key":"c1","trace":"a","type":null,"gone":null}`,
		},
		"CSV": {
			Options{Format: CSV, Columns: "at,n"},
			event.Options{Format: event.FormatCSV, Type: "pay"},
			kgo.Record{Key: []byte("c1"), Value: []byte("1,2"), Headers: headers("trace-id", "a")},
			`{"n":2,"key":"c1","trace":"a","type":null,"gone":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			topic := r.topic(t, 1)
			c.record.Topic = topic
			r.produce(t, &c.record)
			if got := fieldsOf(t, rules, r.source(t, c.o, topic), c.decode); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("raw text", func(t *testing.T) {
		topic := r.topic(t, 1)
		r.produce(t, &kgo.Record{Topic: topic, Key: []byte("c1"), Value: []byte("hello"), Headers: headers("trace-id", "a")})
		got := fieldsOf(t, `event line { text string }
rule r { from line where meta.key == "c1" emit { text: text, trace: meta.headers["trace-id"] } }`, r.source(t, Options{Format: Raw}, topic), event.Options{Type: "line"})
		if want := `{"text":"hello","trace":"a"}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func starts(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	base := time.UnixMilli(1_700_000_000_000)
	for i := range 5 {
		r.produce(t, &kgo.Record{Topic: topic, Value: []byte{byte('0' + i)}, Timestamp: base.Add(time.Duration(i) * time.Minute)})
	}
	for name, c := range map[string]struct {
		start Start
		want  string
	}{
		"earliest":               {Start{}, "01234"},
		"latest":                 {Start{From: Latest}, ""},
		"the time of a record":   {Start{At: base.Add(2 * time.Minute)}, "234"},
		"between two":            {Start{At: base.Add(2*time.Minute + time.Second)}, "34"},
		"after the last of them": {Start{At: base.Add(time.Hour)}, ""},
	} {
		s := r.source(t, Options{Start: c.start}, topic)
		if all := strings.Join(texts(toEnd(t, s)), ""); all != c.want || s.Position() != 5 {
			t.Errorf("%s: %q at %d, want %q at 5", name, all, s.Position(), c.want)
		}
	}
}

func outOfRange(t *testing.T, r *rig) {
	for name, c := range map[string]struct {
		policy Policy
		want   string
		lost   uint64
		err    string
	}{
		"earliest": {Earliest, "56789", 4, ""},
		"latest":   {Latest, "", 9, ""},
		"stop":     {Stop, "", 0, "4 records are gone by retention; set out_of_range: earliest"},
	} {
		t.Run(name, func(t *testing.T) {
			topic := r.topic(t, 1)
			r.values(t, topic, strings.Split("0123456789", "")...)
			r.trim(t, topic, 5)
			var log logged
			s := r.source(t, Options{OutOfRange: c.policy, Log: slog.New(slog.NewTextHandler(&log, nil))}, topic)
			if err := s.Resume(t.Context(), 1, nil); err != nil {
				t.Fatal(err)
			}
			all, err := tryToEnd(t.Context(), s)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if got := strings.Join(texts(all), ""); got != c.want || s.Stats().Lost != c.lost || s.Stats().OutOfRange != 1 {
				t.Errorf("%q, stats %+v, want %q and %d lost", got, s.Stats(), c.want, c.lost)
			}
			told := fmt.Sprintf(`level=ERROR msg="offset is out of range: reading goes on elsewhere" topic=%s partition=0 offset=1 first=5 end=10 next=%d lost=%d`, topic, 1+c.lost, c.lost)
			if strings.Contains(log.String(), told) != (err == nil) {
				t.Errorf("log: %s\nwant %s", log.String(), told)
			}
		})
	}
}

func truncated(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	r.values(t, topic, "0", "1")
	s := r.source(t, Options{}, topic)
	if err := s.Resume(t.Context(), 7, nil); err != nil {
		t.Fatal(err)
	}
	var e *RangeError
	if _, err := tryToEnd(t.Context(), s); !errors.As(err, &e) || e.End != 2 || !strings.Contains(err.Error(), "out_of_range: latest") {
		t.Fatalf("error %v", err)
	}
	s = r.source(t, Options{OutOfRange: Latest}, topic)
	if err := s.Resume(t.Context(), 7, nil); err != nil {
		t.Fatal(err)
	}
	toEnd(t, s)
	r.values(t, topic, "2")
	if diff := cmp.Diff([]got{{Offset: 2, Value: "2"}}, toEnd(t, s)); diff != "" || s.Position() != 3 {
		t.Errorf("position %d (-want +got):\n%s", s.Position(), diff)
	}
}

func madeAgain(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	r.values(t, topic, "0", "1")
	c := r.open(t, Options{}, topic)
	print := c.Sources()[0].Fingerprint()
	c.Close()
	if len(print) != 17 {
		t.Fatalf("fingerprint %x", print)
	}
	r.delete(t, topic)
	r.create(t, topic, 1)
	r.values(t, topic, "a", "b", "c")
	var e *ReplacedError
	if err := r.source(t, Options{}, topic).Resume(t.Context(), 2, print); !errors.As(err, &e) || !strings.Contains(err.Error(), "deleted and made again") {
		t.Errorf("error %v", err)
	}
}

func madeAgainMeanwhile(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	r.values(t, topic, "0", "1")
	s := r.source(t, Options{}, topic)
	toEnd(t, s)
	r.delete(t, topic)
	r.create(t, topic, 1)
	r.values(t, topic, "a", "b", "c")
	var e *ReplacedError
	var b event.Batch
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := s.Next(ctx, &b)
	if err == nil && !b.AtEnd { // first the end is in doubt
		err = s.Next(ctx, &b)
	}
	if !errors.As(err, &e) || len(b.Records) != 0 {
		t.Errorf("%d records, error %v", len(b.Records), err)
	}
}

func appears(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	r.values(t, topic, "0")
	c := r.open(t, Options{Pattern: topic + ".*", Start: Start{From: Latest}, Refresh: 50 * time.Millisecond})
	if n := len(c.Sources()); n != 1 {
		t.Fatalf("%d sources", n)
	}
	toEnd(t, c.Sources()[0])
	r.widen(t, topic, 2)
	r.produce(t, &kgo.Record{Topic: topic, Partition: 1, Value: []byte("p")})
	r.create(t, topic+"b", 1)
	r.values(t, topic+"b", "t")
	servers.Eventually(t, "three sources", func() bool {
		select {
		case <-c.Grown():
		default:
		}
		return len(c.Sources()) == 3
	})
	for i, want := range []string{"p", "t"} {
		if all := texts(toEnd(t, c.Sources()[i+1])); !slices.Equal(all, []string{want}) {
			t.Errorf("source %d: %q, want %q", i+1, all, want)
		}
	}
}

func compacted(t *testing.T, r *rig) {
	topic := r.topic(t, 1, "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "100", "min.compaction.lag.ms", "0", "delete.retention.ms", "0")
	for i := range 60 {
		r.produce(t, &kgo.Record{Topic: topic, Key: []byte{byte('a' + i%3)}, Value: []byte(fmt.Sprint(i))})
	}
	clean := func() bool {
		time.Sleep(120 * time.Millisecond)
		r.produce(t, &kgo.Record{Topic: topic, Key: []byte("roll"), Value: []byte("r")})
		r.compact(t, topic)
		s := r.source(t, Options{}, topic)
		all := toEnd(t, s)
		return len(all) < 30
	}
	servers.Eventually(t, "the log is cleaned", clean)
	s := r.source(t, Options{FetchBytes: 1}, topic)
	last := map[string]bool{}
	for _, v := range texts(toEnd(t, s)) {
		last[v] = true
	}
	if !last["57"] || !last["58"] || !last["59"] {
		t.Errorf("left are %v", last)
	}
	for offset := range int64(60) { // a start within any gap
		c := r.open(t, Options{}, topic)
		s := c.Sources()[0]
		if err := s.Resume(t.Context(), offset, nil); err != nil {
			t.Fatal(err)
		}
		if all := toEnd(t, s); len(all) == 0 || all[0].Offset < offset {
			t.Fatalf("from %d: %v", offset, all)
		}
		c.Close()
	}
}

func huge(t *testing.T, r *rig) {
	topic := r.topic(t, 1, "max.message.bytes", "30000000")
	want := `"` + strings.Repeat("0123456789", 2<<20) + `"`
	r.values(t, topic, "before")
	r.values(t, topic, want)
	r.values(t, topic, "behind")
	all := toEnd(t, r.source(t, Options{}, topic))
	if len(all) != 3 || all[1].Value != want || all[2].Value != "behind" {
		t.Errorf("%d records", len(all))
	}
}

func tooLong(t *testing.T, r *rig) {
	topic := r.topic(t, 1)
	r.values(t, topic, strings.Repeat("x", 10_000), "y")
	all := toEnd(t, r.source(t, Options{MaxRecord: 9_999}, topic))
	want := []got{{0, strings.Repeat("x", 4096), event.FaultTooLong}, {1, "y", 0}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func bounded(t *testing.T, r *rig) {
	topic := r.topic(t, 2)
	value := bytes.Repeat([]byte("x"), 1000)
	p := r.producer(t, kgo.ProducerBatchMaxBytes(20_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	var records []*kgo.Record
	for i := range 4000 {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: value})
	}
	if err := p.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c := r.open(t, Options{FetchBytes: 50_000, Prefetch: 400_000}, topic)
	slow, quick := c.Sources()[0], c.Sources()[1]
	var b event.Batch
	if err := slow.Next(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	n := len(b.Records)
	if all := toEnd(t, quick); len(all) != 2000 { // though the other has no room
		t.Errorf("%d records", len(all))
	}
	slow.mu.Lock()
	held := slow.held
	slow.mu.Unlock()
	if held > 200_000 || held == 0 {
		t.Errorf("%d bytes wait, at most 200000 may", held)
	}
	if all := toEnd(t, slow); len(all)+n != 2000 {
		t.Errorf("%d records", len(all)+n)
	}
}

func published(t *testing.T, r *rig) {
	topic := r.topic(t, 2)
	group := topic + "-group"
	c := r.open(t, Options{Group: group}, topic)
	at := []event.Position{{Partition: c.Sources()[1].Partition(), Offset: 42}, {Partition: event.Partition{Source: "another"}, Offset: 7}}
	servers.Eventually(t, "the group has a coordinator", func() bool { return c.Publish(t.Context(), at) == nil })
	found := servers.GroupOffsets(t, r.admin, group, topic)
	if diff := cmp.Diff(map[int32]int64{1: 42}, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func wrongTopics(t *testing.T, r *rig) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"one that is not there":     {Options{Topics: []string{"nosuch"}}, `topic "nosuch" does not exist; mend topics`},
		"a pattern that none has":   {Options{Pattern: "nosuch.*"}, "no topic matches nosuch.*; mend topics"},
		"a pattern that is no such": {Options{Pattern: "("}, "pattern"},
		"a name that cannot be":     {Options{Topics: []string{"a b"}}, "mend topics"},
	} {
		c.o.Brokers = r.brokers
		if err := Probe(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// logins is defined over listeners that only a real broker has.
func logins(t *testing.T, k *servers.Kafka) {
	r := newRig(t, k.Plain())
	topic := r.topic(t, 1)
	r.values(t, topic, "x")
	ca := &TLS{CA: k.File("ca.pem")}
	login := func(m, user, password string) *SASL { return &SASL{Mechanism: m, User: user, Password: password} }
	alice := login("SCRAM-SHA-256", "alice", "alice-secret")
	denied := r.topic(t, 1)
	servers.AllowOnly(t, r.admin, kmsg.ACLResourceTypeTopic, denied, "bob", kmsg.ACLOperationDescribe)
	for name, c := range map[string]struct {
		brokers []string
		topic   string
		tls     *TLS
		sasl    *SASL
		want    string // empty: it is read
	}{
		"PLAIN":                   {k.SASL(), topic, ca, login("PLAIN", "alice", "alice-secret"), ""},
		"SCRAM-SHA-256":           {k.SASL(), topic, ca, alice, ""},
		"SCRAM-SHA-512":           {k.SASL(), topic, ca, login("SCRAM-SHA-512", "alice", "alice-secret"), ""},
		"a client's certificate":  {k.SSL(), topic, &TLS{CA: k.File("ca.pem"), Cert: k.File("client.pem"), Key: k.File("client.key")}, nil, ""},
		"no certificate":          {k.SSL(), topic, ca, nil, "mend tls.cert and tls.key"},
		"wrong password":          {k.SASL(), topic, ca, login("PLAIN", "alice", "wrong-secret"), `refuse the login of user "alice" by PLAIN; mend sasl.user and sasl.password`},
		"wrong SCRAM password":    {k.SASL(), topic, ca, login("SCRAM-SHA-512", "alice", "wrong-secret"), `refuse the login of user "alice" by SCRAM-SHA-512; mend sasl.user and sasl.password`},
		"unknown SCRAM user":      {k.SASL(), topic, ca, login("SCRAM-SHA-256", "eve", "wrong-secret"), "mend sasl.user and sasl.password"},
		"unknown mechanism":       {k.SASL(), topic, ca, login("GSSAPI", "alice", "alice-secret"), "sasl.mechanism"},
		"unknown CA":              {k.SASL(), topic, &TLS{}, alice, "mend tls.ca"},
		"another name":            {k.SASL(), topic, &TLS{CA: k.File("ca.pem"), ServerName: "example.org"}, alice, "mend tls.server_name"},
		"CA file not there":       {k.SASL(), topic, &TLS{CA: k.File("none.pem")}, alice, "tls.ca"},
		"CA file without any":     {k.SASL(), topic, &TLS{CA: k.File("client.key")}, alice, "tls.ca"},
		"TLS to a plain listener": {k.Plain(), topic, ca, nil, "tls (it may not speak it)"},
		"plain to a TLS listener": {k.SASL(), topic, nil, nil, "mend tls or sasl, or the port in brokers"},
		"no login":                {k.SASL(), topic, ca, nil, "mend sasl"},
		"nobody listens":          {[]string{"127.0.0.1:9"}, topic, nil, nil, "mend brokers"},
		"no such host":            {[]string{"nosuch.invalid:9092"}, topic, nil, nil, "mend brokers"},
		"a topic not allowed":     {k.SASL(), denied, ca, login("PLAIN", "bob", "bob-secret"), `user "bob" may not read topic`},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Brokers: c.brokers, Topics: []string{c.topic}, TLS: c.tls, SASL: c.sasl, StartTimeout: 2 * time.Second, Wait: 100 * time.Millisecond}
			client, err := Open(t.Context(), o)
			if c.want != "" {
				if err == nil {
					client.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "-secret") {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if all := texts(toEnd(t, client.Sources()[0])); !slices.Equal(all, []string{"x"}) {
				t.Errorf("read %q", all)
			}
		})
	}
}

// brokerAway kills the only broker for a time (CEPHEUS_KAFKA_LONG=1: a minute) while one
// source waits at its end, and another, of another cluster, is written and read all the
// while. Memory does not grow, the log has one line for the failure and one for its end, and
// all that is written then is read.
func brokerAway(t *testing.T, k *servers.Kafka) {
	away := 2 * time.Second
	if os.Getenv("CEPHEUS_KAFKA_LONG") != "" {
		away = time.Minute
	}
	r := newRig(t, k.Plain())
	topic := r.topic(t, 1)
	r.values(t, topic, "a", "b")
	var log logged
	s := r.source(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, topic)
	toEnd(t, s)
	k.Kill(t, 1)
	var b event.Batch
	if err := s.Next(t.Context(), &b); err != nil || b.AtEnd || len(b.Records) != 0 {
		t.Fatalf("%d records, at end %t, %v; want to hear that the end is not known", len(b.Records), b.AtEnd, err)
	}
	type next struct {
		all []got
		err error
	}
	coming := make(chan next, 1)
	go func() {
		all, err := tryToEndWithin(t.Context(), s, away+2*time.Minute)
		coming <- next{all, err}
	}()
	other := otherGoesOn(t, away)
	k.Again(t, 1)
	var want []string
	for i := range 5000 {
		want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat("x", 100)))
	}
	r.values(t, topic, want...)
	n := <-coming
	for n.err == nil && len(n.all) < len(want) {
		var more []got
		more, n.err = tryToEnd(t.Context(), s)
		n.all = append(n.all, more...)
	}
	if n.err != nil || !slices.Equal(texts(n.all), want) {
		t.Errorf("after the broker was back: %d records of %d, %v", len(n.all), len(want), n.err)
	}
	for _, line := range []string{"partition cannot be fetched", "partition is fetched again"} {
		if n := strings.Count(log.String(), line); n < 1 || n > 3 { // once more where the broker falls silent while it starts
			t.Errorf("%q is logged %d times:\n%s", line, n, log.String())
		}
	}
	t.Logf("away for %s: the other source gave %d records, %d fetches failed", away, other, s.Stats().Failures)
}

// otherGoesOn writes and reads another cluster for a time and returns how many records it
// read; the heap must not grow by more than that cluster holds.
func otherGoesOn(t *testing.T, d time.Duration) (n int) {
	_, other := newFake(t)
	there := other.topic(t, 1, "retention.ms", "1000")
	s := other.source(t, Options{}, there)
	before := heapInUse()
	for end := time.Now().Add(d); time.Now().Before(end); {
		other.values(t, there, "c", "d", "e")
		n += len(toEnd(t, s))
		time.Sleep(5 * time.Millisecond)
	}
	if after := heapInUse(); after > before+32<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if n == 0 {
		t.Error("the other source gave nothing")
	}
	return n
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
