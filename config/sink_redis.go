package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/redis"
)

// RedisSink appends to a stream of Redis.
type RedisSink struct {
	URL    Secret `yaml:"url" required:"true" help:"redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS"`
	Stream string `yaml:"stream" default:"cepheus:alerts" help:"The key of the stream."`
	MaxLen int    `yaml:"max_len" default:"0" min:"0" help:"About how many alerts the stream keeps; 0: all."`
	Known  int    `yaml:"known" default:"100_000" min:"1" help:"How many ids are kept to tell repeats by."`
}

func (r *RedisSink) made() (*redis.Sink, error) {
	return redis.New(redis.Options{URL: r.URL.Reveal(), Stream: r.Stream, MaxLen: int64(r.MaxLen), Known: r.Known})
}

// Open makes the sink.
func (r *RedisSink) Open(context.Context, World, string, *Sink) (sinks.Sink, error) {
	return r.made()
}

// Probe connects and logs in.
func (r *RedisSink) Probe(ctx context.Context, _ World, _ string, s *Sink) error {
	made, err := r.made()
	return probe(ctx, s, made, err)
}

func (r *RedisSink) check(at section) {
	made, err := r.made()
	switch {
	case !r.URL.IsSet():
	case err != nil:
		at.fault("url", "%v", err)
	default:
		made.Close() // nothing was connected
	}
}
