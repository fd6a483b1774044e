package config

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/sources/kafka"
)

// KafkaSource reads topics.
type KafkaSource struct {
	Brokers []string   `yaml:"brokers" required:"true" help:"Some brokers, as host:port; they name the others."`
	Topics  []string   `yaml:"topics" help:"The topics; they, or pattern, must be there."`
	Pattern string     `yaml:"pattern" help:"A regular expression that a topic's whole name matches; besides topics."`
	Start   Start      `yaml:"start" default:"earliest" help:"Where a partition begins of which nothing is stored: earliest, latest, or a time as 2026-01-31T12:00:00Z."`
	Group   string     `yaml:"group" help:"What is committed to the state folder is shown as offsets of this group, for tools that watch lag. Nothing reads them back."`
	TLS     *ClientTLS `yaml:"tls" help:"Encrypt the connections. Without it, they are not."`
	SASL    *SASL      `yaml:"sasl" help:"A login. Without it, none."`

	OutOfRange  string `yaml:"out_of_range" enum:"earliest,latest,stop" default:"earliest" help:"What follows where the record to go on with is gone: the oldest that is left, what comes from now on, or the end of the run."`
	SkipDamaged bool   `yaml:"skip_damaged" default:"false" help:"Pass by a batch whose checksum is wrong twice, instead of ending the run."`
	MaxRecord   Size   `yaml:"max_record" default:"64MiB" min:"1KiB" max:"1GiB" help:"The greatest length of a value; a longer one is a dead letter."`

	Prefetch     Size     `yaml:"prefetch" default:"64MiB" min:"64KiB" max:"16GiB" help:"What may wait in memory for the engine, all partitions together."`
	FetchBytes   Size     `yaml:"fetch_bytes" default:"512KiB" min:"1KiB" max:"256MiB" help:"How much is asked of a partition at once."`
	Wait         Duration `yaml:"wait" default:"500ms" min:"1ms" max:"1m" help:"How long a broker may hold a fetch for which there is nothing."`
	Timeout      Duration `yaml:"timeout" default:"10s" min:"100ms" max:"10m" help:"How long an answer may take beyond wait, and a connection."`
	StartTimeout Duration `yaml:"start_timeout" default:"15s" min:"100ms" max:"1h" help:"How long brokers are tried at the start that do not answer; then the run ends with code 3."`
	Refresh      Duration `yaml:"refresh" default:"10s" min:"100ms" max:"1h" help:"How often new topics and partitions are looked for."`
}

// ClientTLS says how connections are encrypted.
type ClientTLS struct {
	CA         Path   `yaml:"ca" help:"PEM file of the certificates that sign the brokers'. Without it, those that the system trusts."`
	Cert       Path   `yaml:"cert" help:"PEM file of our own certificate, where the brokers ask for one."`
	Key        Path   `yaml:"key" help:"PEM file of the key of cert."`
	ServerName string `yaml:"server_name" help:"The name in the brokers' certificates, where that is not their host's."`
}

func (t *ClientTLS) check(at section) {
	if (t.Cert.Given == "") != (t.Key.Given == "") {
		at.fault("", "cert and key go together")
	}
}

// SASL is a login.
type SASL struct {
	Mechanism string `yaml:"mechanism" required:"true" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" help:"How to log in."`
	User      string `yaml:"user" required:"true" help:"The name."`
	Password  Secret `yaml:"password" required:"true" help:"The password."`
}

// Open connects to the brokers and finds the partitions.
func (k *KafkaSource) Open(ctx context.Context, w World, name string, s *Source) (*Feed, error) {
	c, err := kafka.Open(ctx, k.options(w, name, s))
	if err != nil {
		return nil, err
	}
	all := func() (in []engine.Input) {
		for _, part := range c.Sources() {
			in = append(in, s.input(part))
		}
		return in
	}
	feed := &Feed{Inputs: all(), All: all, Grown: c.Grown(), Close: c.Close}
	if k.Group != "" {
		feed.Publish = c.Publish
	}
	return feed, nil
}

// Probe connects to the brokers.
func (k *KafkaSource) Probe(ctx context.Context, w World, name string, s *Source) error {
	return kafka.Probe(ctx, k.options(w, name, s))
}

func (k *KafkaSource) options(w World, name string, s *Source) kafka.Options {
	o := kafka.Options{
		Name: name, Brokers: k.Brokers, Topics: k.Topics, Pattern: k.Pattern, Group: k.Group,
		Start:    kafka.Start{At: k.Start.At},
		Columns:  strings.Join(s.Columns, ","),
		RawField: s.RawField, SkipDamaged: k.SkipDamaged,
		MaxRecord: int(k.MaxRecord), Prefetch: int(k.Prefetch), FetchBytes: int(k.FetchBytes),
		Wait: time.Duration(k.Wait), Timeout: time.Duration(k.Timeout),
		StartTimeout: time.Duration(k.StartTimeout), Refresh: time.Duration(k.Refresh),
		Log: w.Log, Now: w.Now, TLS: k.TLS.wire(), SASL: k.SASL.wire(),
	}
	if k.Start.Latest {
		o.Start.From = kafka.Latest
	}
	o.OutOfRange = map[string]kafka.Policy{"latest": kafka.Latest, "stop": kafka.Stop}[k.OutOfRange]
	o.Format = map[string]kafka.Format{"csv": kafka.CSV, "raw": kafka.Raw}[s.Format]
	return o
}

func (k *KafkaSource) verify(s *Source, at section) {
	if s.Format == "csv" && len(s.Columns) == 0 {
		at.fault("columns", "the key columns is missing: CSV records of a topic have no first line that names them")
	}
	if s.Format != "csv" && len(s.Columns) > 0 {
		at.fault("columns", "is for format: csv")
	}
	for i, c := range s.Columns {
		if strings.ContainsAny(c, ",\"\r\n") {
			at.fault(fmt.Sprintf("columns[%d]", i), "%q cannot be a column here: no comma, quote or end of line", clip(c))
		}
	}
}

func (k *KafkaSource) check(at section) {
	if len(k.Topics) == 0 && k.Pattern == "" {
		at.fault("", "what is to be read? Name topics, or give a pattern")
	}
	if _, err := regexp.Compile(k.Pattern); err != nil {
		at.fault("pattern", "not a regular expression: %v", err)
	}
	checkBrokers(at, k.Brokers)
}

func isAddress(broker string) bool {
	_, port, err := net.SplitHostPort(broker)
	return err == nil && port != ""
}
