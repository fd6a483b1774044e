package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toTopic is a configuration from the topic to another one, exactly once.
func (b *broker) toTopic(t *testing.T, sink string) string {
	return configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 20ms }
sources:
  pay:
    kafka: { brokers: [%q], topics: [payments], wait: 50ms }
    type: e
    idle: 50ms
sinks:
  out: { kafka: { brokers: [%[1]q], topic: alerts, transactional: true, transactional_id: app%s } }
`, b.ListenAddrs()[0], sink))
}

func (b *broker) withAlerts(t *testing.T) *broker {
	t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "alerts", 1, 1
	q.Topics = append(q.Topics, topic)
	if _, err := q.RequestWith(t.Context(), b.client); err != nil {
		t.Fatal(err)
	}
	return b
}

// committed are the alerts that readers of committed records see in the topic, once nothing more
// has come for a while.
func (b *broker) committed(t *testing.T, while time.Duration) (all []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), while)
		fs := c.PollFetches(ctx)
		cancel()
		if fs.NumRecords() == 0 {
			return all
		}
		all = append(all, fs.Records()...)
	}
}

// alerted are the numbers that committed alerts in the topic tell of, in order.
func (b *broker) alerted(t *testing.T) (all []int) {
	t.Helper()
	for _, r := range b.committed(t, 300*time.Millisecond) {
		var n int
		if _, rest, ok := strings.Cut(string(r.Value), `"fields":{"n":`); ok {
			fmt.Sscanf(rest, "%d", &n)
			all = append(all, n)
		}
	}
	return all
}

// TestFromTopicToTopicOnce kills runs, and lets the last end well.
func TestFromTopicToTopicOnce(t *testing.T) {
	b := startBroker(t, 1).withAlerts(t)
	path := b.toTopic(t, "")
	const each = 40
	for round := range 4 {
		b.send(t, each, 1)
		p := start(t, "run", "-c", path)
		eventually(t, "all have alerted", func() bool { return len(b.alerted(t)) >= (round+1)*each })
		signal, code := syscall.SIGKILL, -1
		if round == 3 {
			signal, code = syscall.SIGTERM, 0
		}
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		p.ends(t, code)
	}
	if got := b.alerted(t); !slices.Equal(got, upTo(4*each)) {
		t.Errorf("%d alerts of %d events: %v", len(got), 4*each, got)
	}
}

// TestSecondProcessOfAnApplication: on a state of its own it is refused; on a copy of the
// state it goes on, and the first ends. Each says so.
func TestSecondProcessOfAnApplication(t *testing.T) {
	b := startBroker(t, 1).withAlerts(t)
	path := b.toTopic(t, "")
	b.send(t, 10, 1)
	first := start(t, "run", "-c", path)
	eventually(t, "alerts", func() bool { return len(b.alerted(t)) == 10 })

	for config, code := range map[string]int{path: 0, b.toTopic(t, ""): 1, b.toTopic(t, ", adopt: true"): 0} {
		check := start(t, "check", "-c", config, "--probe")
		said, _ := check.out.ReadString('\n')
		if check.ends(t, code); strings.Contains(said, `sinks.out: transactional id "app" belongs to the state`) != (code == 1) {
			t.Errorf("check --probe says %s, want code %d", said, code)
		}
	}
	other := start(t, "run", "-c", b.toTopic(t, ""))
	other.ends(t, 3)
	if got := other.messages.String(); !strings.Contains(got, `transactional id "app" belongs to the state`) || !strings.Contains(got, "adopt: true") {
		t.Errorf("the second says\n%s", got)
	}
	adopting := start(t, "run", "-c", b.toTopic(t, ", adopt: true"))
	eventually(t, "the second's alerts", func() bool { return len(b.alerted(t)) == 20 })
	b.send(t, 5, 1)
	first.ends(t, 3)
	if got := first.messages.String(); !strings.Contains(got, `another process has taken over transactional id "app"`) {
		t.Errorf("the first says\n%s", got)
	}
	eventually(t, "the last alerts, of the second alone", func() bool { return len(b.alerted(t)) == 25 })
	if err := adopting.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	adopting.ends(t, 0)
	if got, want := b.alerted(t), append(upTo(10), upTo(15)...); !slices.Equal(got, want) {
		t.Errorf("alerts %v, want %v", got, want)
	}
}

func TestKafkaSinkThatCannotBe(t *testing.T) {
	b := startBroker(t, 1).withAlerts(t)
	for name, c := range map[string]struct {
		from, to string
		code     int
		want     string
	}{
		"no such topic":       {"topic: alerts", "topic: none", 2, `kafka: topic "none" does not exist; mend topic`},
		"nobody listens":      {"topic: alerts", "topic: alerts, brokers: [127.0.0.1:1]", 3, "mend brokers, tried for 300ms"},
		"no state folder":     {"state: { dir: data, commit: 20ms }", "", 2, "needs a state"},
		"no transactional id": {"transactional_id: app", "compression: none", 2, "the key transactional_id is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := b.toTopic(t, ", start_timeout: 300ms")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if name == "nobody listens" {
				text = []byte(strings.Replace(string(text), fmt.Sprintf("out: { kafka: { brokers: [%q]", b.ListenAddrs()[0]), "out: { kafka: { brokers: [127.0.0.1:1]", 1))
			} else {
				text = []byte(strings.Replace(string(text), c.from, c.to, 1))
			}
			if err := os.WriteFile(filepath.Clean(path), text, 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, "run", "-c", path)
			p.ends(t, c.code)
			if got := p.messages.String(); !strings.Contains(got, c.want) {
				t.Errorf("said\n%s\nwant %q", got, c.want)
			}
		})
	}
}
