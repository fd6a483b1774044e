package kafka

import (
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
)

// behind is a listener that says of itself that it is where a door to it is: brokers name
// that address to clients.
type behind struct {
	net.Listener
	door net.Addr
}

func (b behind) Addr() net.Addr { return b.door }

// TestFaults is of a broker behind a door, with transactions and without.
func TestFaults(t *testing.T) {
	for name, transactional := range map[string]bool{"kafka": false, "kafka, transactional": true} {
		t.Run(name, func(t *testing.T) {
			var door *sinktest.Door
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
				l, err := net.Listen(network, addr)
				if err != nil {
					return nil, err
				}
				door = sinktest.NewDoor(t, l.Addr().String())
				return behind{l, door}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			r := newRig(t, c.ListenAddrs())
			topic := r.topic(t, 3)
			sinktest.Faults(t, sinktest.Receiver{
				Name: name, Door: door, Once: transactional, Patient: true, InProcess: true,
				Open: func(t testing.TB, _ string) sinks.Sink {
					o := r.options(topic)
					if transactional {
						o = r.transactional(topic)
						o.TransactionalID = t.Name() // each fault's rows begin with 1
					}
					o.StartTimeout = 5 * time.Minute
					return open(t, o)
				},
				IDs: func(t testing.TB) (ids []string) {
					for _, rec := range r.read(t, topic) {
						for _, h := range rec.Headers {
							if h.Key == "id" {
								ids = append(ids, string(h.Value))
							}
						}
					}
					return ids
				},
			})
		})
	}
}
