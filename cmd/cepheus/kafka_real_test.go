package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cepheus-cep/cepheus/test/servers"
)

// TestRealBrokersWithTLSAndLogin: a configuration reads Apache Kafka over an encrypted
// listener with a password from the environment; with another one it says what to mend.
func TestRealBrokersWithTLSAndLogin(t *testing.T) {
	k := servers.StartKafka(t, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Plain()...), kgo.UnknownTopicRetries(-1), kgo.DefaultProduceTopic("payments"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "payments", 1, 1
	q.Topics = append(q.Topics, topic)
	if _, err := q.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		v := fmt.Appendf(nil, `{"at":"2026-01-01T00:00:%02dZ","key":"k","n":%d}`, n+1, n+1)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 20ms }
sources:
  pay:
    kafka:
      brokers: [%q]
      topics: [payments]
      group: lag
      start_timeout: 30s
      tls: { ca: %q }
      sasl: { mechanism: SCRAM-SHA-512, user: alice, password: "${KAFKA_PASSWORD}" }
    type: e
sinks: { log: { file: { path: alerts.jsonl } } }
`, k.SASL()[0], filepath.Join(k.Dir, "ca.pem")))

	t.Setenv("KAFKA_PASSWORD", "wr0ng")
	p := start(t, "check", "-c", path, "--probe")
	said, err := p.out.ReadString('\n')
	p.ends(t, exitNotWell)
	if err != nil || !strings.Contains(said, "sources.pay: kafka: the brokers refuse the login of user \"alice\" by SCRAM-SHA-512; mend sasl.user and sasl.password") {
		t.Errorf("check says %q, %v", said, err)
	}
	p = start(t, "run", "-c", path)
	p.ends(t, exitUsage)
	if got := p.messages.String(); strings.Contains(got, "wr0ng") || !strings.Contains(got, "mend sasl.user and sasl.password") {
		t.Errorf("run says\n%s", got)
	}

	t.Setenv("KAFKA_PASSWORD", "alice-secret")
	p = start(t, "check", "-c", path, "--probe")
	p.ends(t, exitWell)
	p = start(t, "run", "-c", path)
	eventually(t, "all events have alerted", func() bool { return len(seen(t, path)) == 20 })
	b := &broker{client: client, topic: "payments"}
	eventually(t, "the offset is shown", func() bool { return slices.Equal(b.offsets(t, "lag", 1), []int64{20}) })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, exitWell)
}
