package redis

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestFaults(t *testing.T) {
	server := servers.StartRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ReadTimeout: -1})
	t.Cleanup(func() { client.Close() })
	sinktest.Faults(t, sinktest.Receiver{
		Name: "redis", Addr: server.Addr(), Once: true,
		Open: func(t testing.TB, addr string) sinks.Sink { return open(t, Options{URL: "redis://" + addr}) },
		IDs:  func(t testing.TB) []string { return ids(t, client) },
	})
}

// ids reads those of all entries, a thousand at a time: all texts at once are much memory.
func ids(t testing.TB, client *redis.Client) (all []string) {
	t.Helper()
	for last := "-"; ; {
		entries, err := client.XRangeN(t.Context(), "cepheus:alerts", last, "+", 1000).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return all
		}
		for _, e := range entries {
			all = append(all, strings.Clone(e.Values["id"].(string)))
		}
		last = "(" + entries[len(entries)-1].ID
	}
}
