package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// broker is a cluster in this process, with one topic.
type broker struct {
	*kfake.Cluster
	client *kgo.Client
	topic  string
	sent   int
}

func startBroker(t *testing.T, partitions int32) *broker {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "payments"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &broker{Cluster: c, client: client, topic: "payments"}
}

// send writes events over all partitions.
func (b *broker) send(t *testing.T, events int, partitions int32) {
	t.Helper()
	for range events {
		b.sent++
		v := fmt.Appendf(nil, `{"at":"2026-01-01T00:%02d:%02dZ","key":"k","n":%d}`, b.sent/60, b.sent%60, b.sent)
		r := &kgo.Record{Topic: b.topic, Partition: int32(b.sent) % partitions, Value: v}
		if err := b.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// offsets are those of a group, by partition; -1: none; nil: the cluster does not know.
func (b *broker) offsets(t *testing.T, group string, partitions int32) (at []int64) {
	t.Helper()
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic = b.topic
	for n := range partitions {
		topic.Partitions = append(topic.Partitions, n)
	}
	q.Topics = append(q.Topics, topic)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = b.topic, topic.Partitions
	g.Topics = append(g.Topics, gt)
	q.Groups = append(q.Groups, g)
	r, err := q.RequestWith(t.Context(), b.client)
	if err != nil {
		t.Log(err) // a group that nobody has asked for yet has no coordinator
		return nil
	}
	for _, g := range r.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				at = append(at, p.Offset)
			}
		}
	}
	return at
}

// configOf writes a configuration into a folder, beside the rules of the process tests.
func configOf(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"r.cep": processRules, "cepheus.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cepheus.yaml")
}

// config is one that reads the topic, with further settings of the source.
func (b *broker) config(t *testing.T, source string) string {
	return configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 20ms }
sources:
  pay:
    kafka: { brokers: [%q], topics: [payments], group: lag, refresh: 100ms, wait: 50ms%s }
    type: e
    idle: 50ms
sinks:
  log: { file: { path: alerts.jsonl } }
`, b.ListenAddrs()[0], source))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// seen are the numbers of the events that alerts in a file tell of, in order.
func seen(t *testing.T, config string) (all []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(config), "alerts.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n int
		if _, rest, ok := strings.Cut(line, `"fields":{"n":`); ok {
			fmt.Sscanf(rest, "%d", &n)
			all = append(all, n)
		}
	}
	return all
}

// upTo are the numbers from 1.
func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

func TestKafkaIsReadOnceOverRunsAndItsOffsetsAreShown(t *testing.T) {
	const partitions, each = 3, 30
	b := startBroker(t, partitions)
	path := b.config(t, "")
	for round := range 3 {
		b.send(t, each, partitions)
		p := start(t, "run", "-c", path)
		eventually(t, "all events have alerted", func() bool { return len(seen(t, path)) >= (round+1)*each })
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.ends(t, 0)
		want := slices.Repeat([]int64{int64(round+1) * each / partitions}, partitions)
		if got := b.offsets(t, "lag", partitions); !slices.Equal(got, want) {
			t.Errorf("round %d: offsets of the group %v, want %v", round, got, want)
		}
	}
	got := seen(t, path)
	slices.Sort(got)
	if !slices.Equal(got, upTo(3*each)) {
		t.Errorf("%d alerts of %d events: %v", len(got), 3*each, got)
	}
}

func TestOffsetsAreShownWhileARunGoesOn(t *testing.T) {
	b := startBroker(t, 1)
	path := b.config(t, "")
	b.send(t, 10, 1)
	p := start(t, "run", "-c", path)
	eventually(t, "the offset is shown", func() bool { return slices.Equal(b.offsets(t, "lag", 1), []int64{10}) })
	b.send(t, 5, 1)
	eventually(t, "the next offset is shown", func() bool { return slices.Equal(b.offsets(t, "lag", 1), []int64{15}) })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestOffsetsOfTheRunBeforeAreShown where it was killed before it showed them, and nothing
// new is read.
func TestOffsetsOfTheRunBeforeAreShown(t *testing.T) {
	b := startBroker(t, 1)
	var deaf atomic.Bool
	b.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		return nil, io.ErrUnexpectedEOF, deaf.Load()
	})
	deaf.Store(true)
	path := b.config(t, "")
	b.send(t, 10, 1)
	p := start(t, "run", "-c", path)
	eventually(t, "all events have alerted", func() bool { return len(seen(t, path)) == 10 })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if got := b.offsets(t, "lag", 1); slices.Equal(got, []int64{10}) {
		t.Fatal("the offset is shown, though it was refused")
	}
	deaf.Store(false)
	p = start(t, "run", "-c", path)
	eventually(t, "the offset is shown", func() bool { return slices.Equal(b.offsets(t, "lag", 1), []int64{10}) })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

func TestStateInMemoryReadsKafkaToo(t *testing.T) {
	b := startBroker(t, 2)
	path := b.config(t, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("state: { dir: data, commit: 20ms }"), nil, 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.send(t, 10, 2)
	p := start(t, "run", "-c", path)
	eventually(t, "all events have alerted", func() bool { return len(seen(t, path)) == 10 })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if got := p.messages.String(); !strings.Contains(got, "offsets are not shown to the group") {
		t.Errorf("nothing says that no offsets are shown:\n%s", got)
	}
}

// partitions makes the topic so many partitions large, and has the client see it.
func (b *broker) partitions(t *testing.T, n int32) {
	t.Helper()
	q := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = b.topic, n
	q.Topics, q.TimeoutMillis = append(q.Topics, topic), 5000
	if _, err := q.RequestWith(t.Context(), b.client); err != nil {
		t.Fatal(err)
	}
	b.client.PurgeTopicsFromClient(b.topic)
}

// TestPartitionsThatAppearAreRead, from their oldest record; the next run goes on where this
// one has left them, and their offsets are shown too.
func TestPartitionsThatAppearAreRead(t *testing.T) {
	b := startBroker(t, 1)
	path := b.config(t, "")
	b.send(t, 4, 1)
	p := start(t, "run", "-c", path)
	eventually(t, "it runs", func() bool { return len(seen(t, path)) == 4 })
	b.partitions(t, 3)
	b.send(t, 6, 3)
	eventually(t, "all is read", func() bool { return len(seen(t, path)) == 10 })
	eventually(t, "offsets are shown", func() bool { return slices.Equal(b.offsets(t, "lag", 3), []int64{6, 2, 2}) })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if got := p.messages.String(); !strings.Contains(got, "partitions have appeared, and are read") {
		t.Errorf("nothing tells of it:\n%s", got)
	}

	b.send(t, 3, 3)
	p = start(t, "run", "-c", path)
	eventually(t, "the rest is read", func() bool { return len(seen(t, path)) >= 13 })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	got := seen(t, path)
	slices.Sort(got)
	if !slices.Equal(got, upTo(13)) {
		t.Errorf("alerts of the events %v", got)
	}
}

// TestBrokersThatGoAwayHoldNothingUp: a signal ends the run all the same, and soon.
func TestBrokersThatGoAwayHoldNothingUp(t *testing.T) {
	b := startBroker(t, 1)
	path := b.config(t, "")
	b.send(t, 4, 1)
	p := start(t, "run", "-c", path)
	eventually(t, "it runs", func() bool { return len(seen(t, path)) == 4 })
	b.Close()
	eventually(t, "it is told", func() bool { return strings.Contains(p.messages.String(), "no broker answers") })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestStartWithoutBrokersEnds: with the code of a failure once the deadline has passed, with
// that of wrong usage where waiting would not help.
func TestStartWithoutBrokersEnds(t *testing.T) {
	b := startBroker(t, 1)
	for name, c := range map[string]struct {
		from, to string
		code     int
		want     string
	}{
		"nobody listens":     {b.ListenAddrs()[0], "127.0.0.1:1", 3, "mend brokers, tried for 300ms"},
		"no such topic":      {"[payments]", "[none]", 2, `source pay: kafka: topic "none" does not exist; mend topics`},
		"no topic matches":   {"topics: [payments]", "pattern: none.*", 2, "no topic matches none.*; mend topics"},
		"a CA that is not":   {"group: lag", "tls: { ca: ca.pem }", 2, "kafka: tls.ca: open"},
		"a login without it": {"group: lag", "sasl: { mechanism: PLAIN, user: u, password: s3cret }", 3, "mend "},
	} {
		t.Run(name, func(t *testing.T) {
			path := b.config(t, ", start_timeout: "+map[int]string{2: "30s", 3: "300ms"}[c.code])
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Replace(text, []byte(c.from), []byte(c.to), 1), 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, "run", "-c", path)
			p.ends(t, c.code)
			if got := p.messages.String(); !strings.Contains(got, c.want) || strings.Contains(got, "s3cret") {
				t.Errorf("said\n%s\nwant %q", got, c.want)
			}
			check := start(t, "check", "-c", path, "--probe")
			said, _ := check.out.ReadString('\n')
			check.ends(t, 1)
			if strings.Contains(said, "s3cret") || !strings.HasPrefix(said, path) {
				t.Errorf("check --probe says %s", said)
			}
		})
	}
}

// TestSignalsWhileBrokersAreTried: one that asks for a reload finds nothing to reload, one
// that asks for the end is obeyed.
func TestSignalsWhileBrokersAreTried(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := start(t, "run", "-c", configOf(t, fmt.Sprintf(`
rules: [r.cep]
sources: { pay: { kafka: { brokers: [%q], topics: [t], start_timeout: 1h } } }`, silent.Addr())))
	c, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Process.Signal(syscall.SIGHUP)
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestReloadSaysWhatNeedsARestart: rules change, and a file that is wrong changes nothing.
func TestReloadSaysWhatNeedsARestart(t *testing.T) {
	b := startBroker(t, 1)
	path := b.config(t, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := string(text) + "rules_watch: false\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	b.send(t, 1, 1)
	p := start(t, "run", "-c", path)
	eventually(t, "it runs", func() bool { return len(seen(t, path)) == 1 })
	hup := func(name, text, want string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if t.Failed() {
				t.Log(p.messages.String())
			}
		}()
		eventually(t, want, func() bool { return strings.Contains(p.messages.String(), want) })
	}
	hup("cepheus.yaml", before, `msg=reloaded changed="nothing has changed" version=1`)
	hup("cepheus.yaml", strings.Replace(before, "commit: 20ms", "commit: 1s", 1), "needs_restart=[state.commit]")
	hup("cepheus.yaml", strings.Replace(before, "commit: 20ms", "comit: 1s", 1), `not reloaded: what runs goes on`)
	hup("cepheus.yaml", before+"limits: { waiting: 5 }\n", "needs_restart=[limits.waiting]")
	hup("r.cep", strings.Replace(processRules, "n == 2", "n == 3", 1), "changed=rules version=2 needs_restart=[limits.waiting]")
	hup("r.cep", "rule", "r.cep:1:")
	b.send(t, 1, 1)
	eventually(t, "it goes on", func() bool { return len(seen(t, path)) == 2 })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestHowFarBehindATopicIs shows in the metrics.
func TestHowFarBehindATopicIs(t *testing.T) {
	b := startBroker(t, 1)
	p := start(t, "run", "-c", b.config(t, ""), "--listen", "127.0.0.1:0")
	at := p.address(t)
	b.send(t, 3, 1)
	const labels = `{partition="0",source="pay",topic="payments"}`
	eventually(t, "all is read", func() bool {
		text := body(t, at+"/metrics")
		return strings.Contains(text, "cepheus_records_total 3\n") && strings.Contains(text, "cepheus_source_lag_records"+labels+" 0\n") &&
			strings.Contains(text, "cepheus_source_lost_records_total"+labels+" 0\n")
	})
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}
