package rabbitmq

import (
	"fmt"
	"testing"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func TestFaults(t *testing.T) {
	server := servers.StartRabbitMQ(t)
	at := func(addr string) string { return fmt.Sprintf("amqp://guest:guest@%s/", addr) }
	queue(t, at(server.Addr()), "alerts", nil)
	sinktest.Faults(t, sinktest.Receiver{
		Name: "rabbitmq", Addr: server.Addr(), How: sinks.Delivery{Batch: 100},
		Open: func(t testing.TB, addr string) sinks.Sink {
			return open(t, Options{URL: at(addr), RoutingKey: "alerts"})
		},
		IDs: func(t testing.TB) (ids []string) {
			for _, m := range drained(t, at(server.Addr()), "alerts") {
				ids = append(ids, m.MessageId)
			}
			return ids
		},
	})
}
