package config

import (
	"context"
	"fmt"
	"time"

	"github.com/cepheus-cep/cepheus/internal/wire"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/kafka"
)

// KafkaSink writes alerts to a topic.
type KafkaSink struct {
	Brokers []string   `yaml:"brokers" required:"true" help:"Some brokers, as host:port; they name the others."`
	Topic   string     `yaml:"topic" required:"true" help:"The topic, which must exist."`
	TLS     *ClientTLS `yaml:"tls" help:"Encrypt the connections. Without it, they are not."`
	SASL    *SASL      `yaml:"sasl" help:"A login. Without it, none."`

	Transactional      bool     `yaml:"transactional" default:"false" help:"Readers of committed records see each alert exactly once, whatever crashes. Needs a state folder."`
	TransactionalID    string   `yaml:"transactional_id" help:"Needed with transactional: a name of this application and this sink alone, and of a group. Who starts under it shuts out whoever used it before."`
	TransactionTimeout Duration `yaml:"transaction_timeout" default:"1m" min:"1s" max:"24h" help:"For how long a process that is gone can hold up readers of committed records, unless another starts."`
	Adopt              bool     `yaml:"adopt" default:"false" help:"Take the transactional_id over from another state folder, though alerts may then come twice."`

	Compression  string   `yaml:"compression" enum:"none,gzip,snappy,lz4,zstd" default:"lz4" help:"How batches are compressed."`
	BatchBytes   Size     `yaml:"batch_bytes" default:"512KiB" min:"1KiB" max:"256MiB" help:"The size of a batch before compression; where the topic takes less, that is found out."`
	AnswerWithin Duration `yaml:"answer_within" default:"10s" min:"100ms" max:"10m" help:"How long a broker may take to answer."`
	StartTimeout Duration `yaml:"start_timeout" default:"15s" min:"100ms" max:"1h" help:"How long brokers are tried at the start that do not answer; then the run ends with code 3."`
}

// Open connects to the brokers; with transactions it shuts out whoever used the id before.
func (k *KafkaSink) Open(ctx context.Context, w World, name string, _ *Sink) (sinks.Sink, error) {
	o, err := k.ofState(ctx, w, name)
	if err != nil {
		return nil, err
	}
	return kafka.Open(ctx, o)
}

// Probe connects to the brokers, and shuts nobody out.
func (k *KafkaSink) Probe(ctx context.Context, w World, name string, _ *Sink) error {
	o, err := k.ofState(ctx, w, name)
	if err != nil {
		return err
	}
	return kafka.Probe(ctx, o)
}

// ofState are the options, with the state that a transactional sink's position is of.
func (k *KafkaSink) ofState(ctx context.Context, w World, name string) (o kafka.Options, err error) {
	o = k.options(w, name)
	if k.Transactional && w.State != nil {
		o.State, o.LastRow, err = w.State(ctx)
	}
	return o, err
}

func (k *KafkaSink) options(w World, name string) kafka.Options {
	o := kafka.Options{
		Name: name, Brokers: k.Brokers, Topic: k.Topic, TLS: k.TLS.wire(), SASL: k.SASL.wire(),
		Transactional: k.Transactional, TransactionalID: k.TransactionalID, TransactionTimeout: time.Duration(k.TransactionTimeout), Adopt: k.Adopt,
		Compression: k.Compression, BatchBytes: int(k.BatchBytes),
		Timeout: time.Duration(k.AnswerWithin), StartTimeout: time.Duration(k.StartTimeout), Log: w.Log, Now: w.Now,
	}
	return o
}

// wire is nil where there is nothing.
func (t *ClientTLS) wire() *wire.TLS {
	if t == nil {
		return nil
	}
	return &wire.TLS{CA: t.CA.Name, Cert: t.Cert.Name, Key: t.Key.Name, ServerName: t.ServerName}
}

func (s *SASL) wire() *wire.SASL {
	if s == nil {
		return nil
	}
	return &wire.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password.Reveal()}
}

func (k *KafkaSink) check(at section) {
	if k.Transactional && k.TransactionalID == "" {
		at.fault("transactional_id", "the key transactional_id is missing: a transactional sink needs a name of this application and this sink alone")
	}
	checkBrokers(at, k.Brokers)
}

func checkBrokers(at section, brokers []string) {
	for i, b := range brokers {
		if !isAddress(b) {
			at.fault(fmt.Sprintf("brokers[%d]", i), "%q: write a broker as host:port", clip(b))
		}
	}
}
