package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/postgres"
)

// PostgresSink writes into a table of PostgreSQL.
type PostgresSink struct {
	URL   Secret `yaml:"url" required:"true" help:"postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"`
	Table string `yaml:"table" default:"cepheus_alerts" help:"The table, with a schema or without; made where it is not there."`
}

func (p *PostgresSink) made() (*postgres.Sink, error) {
	return postgres.New(postgres.Options{URL: p.URL.Reveal(), Table: p.Table})
}

// Open makes the sink.
func (p *PostgresSink) Open(context.Context, World, string, *Sink) (sinks.Sink, error) {
	return p.made()
}

// Probe connects and logs in.
func (p *PostgresSink) Probe(ctx context.Context, _ World, _ string, s *Sink) error {
	made, err := p.made()
	return probe(ctx, s, made, err)
}

func (p *PostgresSink) check(at section) {
	if _, err := p.made(); p.URL.IsSet() && err != nil {
		at.fault("url", "%v", err)
	}
}
