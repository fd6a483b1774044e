package rabbitmq

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func open(t testing.TB, o Options) *Sink {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func channel(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func queue(t testing.TB, url, name string, args amqp.Table) {
	t.Helper()
	if _, err := channel(t, url).QueueDeclare(name, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
}

func drained(t testing.TB, url, name string) (all []amqp.Delivery) {
	t.Helper()
	c := channel(t, url)
	for {
		d, ok, err := c.Get(name, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// TestRabbitMQ is against a real one; its parts share it.
func TestRabbitMQ(t *testing.T) {
	server := servers.StartRabbitMQ(t)
	url := fmt.Sprintf("amqp://guest:guest@%s/", server.Addr())

	t.Run("alerts are messages, in order", func(t *testing.T) {
		queue(t, url, "card_testing", nil)
		if got := sinktest.Deliver(t, open(t, Options{URL: url}), sinks.Delivery{}, sinktest.Alerts(1200)); got.Err != nil || got.Stats.Delivered != 1200 {
			t.Fatalf("%+v", got)
		}
		all := drained(t, url, "card_testing")
		if len(all) != 1200 {
			t.Fatalf("%d messages", len(all))
		}
		for i, m := range all {
			if m.MessageId != sinktest.ID(i+1) || string(m.Body) != sinktest.Alert(i+1) || m.DeliveryMode != amqp.Persistent || m.Headers["severity"] != "high" {
				t.Fatalf("message %d: %+v", i, m)
			}
		}
	})

	t.Run("what is no alert is a dead letter", func(t *testing.T) {
		box := sinktest.Alerts(5)
		box[1] = "no alert"
		got := sinktest.Deliver(t, open(t, Options{URL: url}), sinks.Delivery{}, box)
		if got.Err != nil || len(got.Dead) != 1 || len(drained(t, url, "card_testing")) != 4 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("faults", func(t *testing.T) {
		for want, o := range map[string]Options{
			"no queue takes": {URL: url, RoutingKey: "nobody"},
			"no exchange":    {URL: url, Exchange: "none"},
			"403":            {URL: strings.Replace(url, "guest:guest", "guest:s3cretwrong", 1)},
			"vhost":          {URL: url + "none"},
		} {
			s := open(t, o)
			if err := s.Probe(t.Context()); (err == nil) != (o.RoutingKey == "nobody") {
				t.Errorf("%s: probe: %v", want, err)
			}
			got := sinktest.Deliver(t, s, sinks.Delivery{StopOnFault: true}, sinktest.Alerts(2))
			if fault := (*sinks.FaultError)(nil); !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), want) || strings.Contains(got.Err.Error(), "s3cret") {
				t.Errorf("%s: %v", want, got.Err)
			}
		}
	})

	t.Run("a queue that is full for a while", func(t *testing.T) {
		queue(t, url, "full", amqp.Table{"x-max-length": 3, "x-overflow": "reject-publish"})
		emptied := make(chan []amqp.Delivery, 1)
		go func() {
			time.Sleep(300 * time.Millisecond)
			emptied <- drained(t, url, "full")
		}()
		got := sinktest.Deliver(t, open(t, Options{URL: url, RoutingKey: "full"}), sinks.Delivery{Batch: 1, Backoff: 50 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}, sinktest.Alerts(5))
		if n := len(<-emptied) + len(drained(t, url, "full")); got.Err != nil || got.Stats.Retries == 0 || n != 5 {
			t.Errorf("%d messages, %+v", n, got)
		}
	})

	t.Run("killed and back", func(t *testing.T) {
		queue(t, url, "killed", nil)
		server.Stop(t) // it keeps a queue that is new in memory for a while, durable or not
		server.Start(t)
		sinktest.Survives(t, server, open(t, Options{URL: url, RoutingKey: "killed"}), sinks.Delivery{}, 2000, func() (ids []string) {
			known := map[string]bool{} // as a consumer that keeps ids
			for _, m := range drained(t, url, "killed") {
				if !known[m.MessageId] {
					ids = append(ids, m.MessageId)
				}
				known[m.MessageId] = true
			}
			return ids
		})
	})
}

// TestNoAnswerIsTriedAgain: someone who never answers.
func TestNoAnswerIsTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, Options{URL: "amqp://ann:s3cret@" + l.Addr().String() + "/"})
	got := sinktest.Deliver(t, s, sinks.Delivery{Timeout: 50 * time.Millisecond, MaxElapsed: 10 * time.Millisecond}, sinktest.Alerts(1))
	if got.Err != nil || got.Stats.Retries == 0 || !strings.Contains(got.Dead[1], "not taken for") || strings.Contains(got.Dead[1], "s3cret") {
		t.Errorf("%+v", got)
	}
}

func TestWrongOptions(t *testing.T) {
	if _, err := New(Options{URL: "http://u:s3cret@h"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
	if name := open(t, Options{URL: "amqp://u:s3cret@h/v", Exchange: "x"}).Name(); name != "amqp://h:5672#v/x/" {
		t.Errorf("name %s", name)
	}
}
