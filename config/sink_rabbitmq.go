package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/rabbitmq"
)

// RabbitMQSink publishes to RabbitMQ.
type RabbitMQSink struct {
	URL        Secret `yaml:"url" required:"true" help:"amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS"`
	Exchange   string `yaml:"exchange" help:"The exchange, which must be there; without it the default one, whose routing key is a queue."`
	RoutingKey string `yaml:"routing_key" help:"The routing key; without it the name of the rule."`
}

func (r *RabbitMQSink) made(w World) (*rabbitmq.Sink, error) {
	return rabbitmq.New(rabbitmq.Options{URL: r.URL.Reveal(), Exchange: r.Exchange, RoutingKey: r.RoutingKey, Now: w.Now})
}

// Open makes the sink.
func (r *RabbitMQSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return r.made(w)
}

// Probe connects and logs in, and looks for the exchange.
func (r *RabbitMQSink) Probe(ctx context.Context, w World, _ string, s *Sink) error {
	made, err := r.made(w)
	return probe(ctx, s, made, err)
}

func (r *RabbitMQSink) check(at section) {
	if _, err := r.made(World{}); r.URL.IsSet() && err != nil {
		at.fault("url", "%v", err)
	}
}
