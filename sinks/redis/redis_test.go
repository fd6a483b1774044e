package redis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// TestRedis is against a real one; its parts share it.
func TestRedis(t *testing.T) {
	server := servers.StartRedis(t)
	at := "redis://" + server.Addr()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { client.Close() })
	entries := func(stream string) []redis.XMessage {
		all, err := client.XRange(t.Context(), stream, "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	do := func(args ...any) {
		t.Helper()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("alerts are entries, in order and once", func(t *testing.T) {
		for range 2 {
			got := sinktest.Deliver(t, open(t, Options{URL: at}), sinks.Delivery{}, sinktest.Alerts(2500))
			if got.Err != nil || got.Stats.Delivered != 2500 {
				t.Fatalf("%+v", got)
			}
		}
		all := entries("cepheus:alerts")
		if len(all) != 2500 {
			t.Fatalf("%d entries", len(all))
		}
		for i, e := range all {
			if e.Values["id"] != sinktest.ID(i+1) || e.Values["alert"] != sinktest.Alert(i+1) || e.Values["rule"] != "card_testing" || e.Values["severity"] != "high" {
				t.Fatalf("entry %d: %v", i, e.Values)
			}
		}
	})

	t.Run("what is kept is bounded", func(t *testing.T) {
		s := open(t, Options{URL: at, Stream: "short{x}", MaxLen: 100, Known: 50})
		if got := sinktest.Deliver(t, s, sinks.Delivery{}, sinktest.Alerts(2000)); got.Err != nil {
			t.Fatal(got.Err)
		}
		known, err := client.ZCard(t.Context(), "short{x}:ids").Result()
		if n := len(entries("short{x}")); err != nil || known != 50 || n < 100 || n > 300 {
			t.Errorf("%d entries, %d known, %v", n, known, err)
		}
	})

	t.Run("what is no alert is a dead letter", func(t *testing.T) {
		box := sinktest.Alerts(5)
		box[1], box[2] = "no alert", "neither"
		got := sinktest.Deliver(t, open(t, Options{URL: at, Stream: "five"}), sinks.Delivery{}, box)
		if got.Err != nil || len(got.Dead) != 2 || len(entries("five")) != 3 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("faults", func(t *testing.T) {
		do("set", "text", "x")
		do("acl", "setuser", "ann", "on", ">right", "~*", "+ping", "+hello", "+client")
		for url, c := range map[string]struct{ stream, want string }{
			at: {"text", "WRONGTYPE"},
			"redis://ann:s3cretwrong@" + server.Addr(): {"s", "WRONGPASS"},
			"redis://ann:right@" + server.Addr():       {"s", "NOPERM"},
		} {
			s := open(t, Options{URL: url, Stream: c.stream})
			if err := s.Probe(t.Context()); (err != nil) != (c.want == "WRONGPASS") {
				t.Errorf("probe: %v", err)
			}
			got := sinktest.Deliver(t, s, sinks.Delivery{StopOnFault: true}, sinktest.Alerts(1))
			if fault := (*sinks.FaultError)(nil); !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), c.want) || strings.Contains(got.Err.Error(), "s3cret") {
				t.Errorf("%s: %v", c.want, got.Err)
			}
		}
	})

	t.Run("paused and full", func(t *testing.T) {
		do("config", "set", "maxmemory", "1")
		go func() {
			time.Sleep(200 * time.Millisecond)
			client.ConfigSet(t.Context(), "maxmemory", "0")
			client.Do(t.Context(), "client", "pause", "400", "all")
		}()
		got := sinktest.Deliver(t, open(t, Options{URL: at, Stream: "paused"}), sinks.Delivery{Batch: 1, Timeout: 100 * time.Millisecond}, sinktest.Alerts(100))
		if got.Err != nil || got.Stats.Retries == 0 || len(entries("paused")) != 100 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("killed and back", func(t *testing.T) {
		do("config", "set", "appendfsync", "always")
		sinktest.Survives(t, server, open(t, Options{URL: at, Stream: "killed"}), sinks.Delivery{}, 5000, func() (ids []string) {
			for _, e := range entries("killed") {
				ids = append(ids, e.Values["id"].(string))
			}
			return ids
		})
	})
}

func TestWrongOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no URL": {URL: "s3cret"}, "a bound": {URL: "redis://h", MaxLen: -1},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if name := open(t, Options{URL: "redis://u:s3cret@h:7/1"}).Name(); name != "redis://h:7#cepheus:alerts" {
		t.Errorf("name %s", name)
	}
}
