package redis

import (
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
		IDs: func(t testing.TB) (ids []string) {
			all, err := client.XRange(t.Context(), "cepheus:alerts", "-", "+").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				ids = append(ids, e.Values["id"].(string))
			}
			return ids
		},
	})
}
