package config

import (
	"context"
	"reflect"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Sink is one receiver of alerts.
type Sink struct {
	Stdout  *StdoutSink  `yaml:"stdout" kind:"true" help:"Standard output, one JSON object a line."`
	File    *FileSink    `yaml:"file" kind:"true" help:"A file, one JSON object a line."`
	Webhook *WebhookSink `yaml:"webhook" kind:"true" help:"An http or https URL to which alerts are posted."`
	Kafka   *KafkaSink   `yaml:"kafka" kind:"true" help:"A topic of Apache Kafka, and of what speaks its protocol."`

	Postgres     *PostgresSink     `yaml:"postgres" kind:"true" help:"A table of PostgreSQL."`
	Redis        *RedisSink        `yaml:"redis" kind:"true" help:"A stream of Redis."`
	RabbitMQ     *RabbitMQSink     `yaml:"rabbitmq" kind:"true" help:"An exchange of RabbitMQ."`
	Email        *EmailSink        `yaml:"email" kind:"true" help:"E-mail."`
	Slack        *SlackSink        `yaml:"slack" kind:"true" help:"A channel of Slack."`
	Teams        *TeamsSink        `yaml:"teams" kind:"true" help:"A channel of Microsoft Teams."`
	Discord      *DiscordSink      `yaml:"discord" kind:"true" help:"A channel of Discord."`
	PagerDuty    *PagerDutySink    `yaml:"pagerduty" kind:"true" help:"Incidents of PagerDuty."`
	Opsgenie     *OpsgenieSink     `yaml:"opsgenie" kind:"true" help:"Alerts of Opsgenie."`
	Alertmanager *AlertmanagerSink `yaml:"alertmanager" kind:"true" help:"Alerts of Prometheus' Alertmanager."`

	Timeout     Duration `yaml:"timeout" default:"30s" min:"10ms" max:"1h" help:"How long one attempt to deliver may take."`
	Concurrency int      `yaml:"concurrency" default:"1" min:"1" max:"1_000" help:"How many attempts may be under way at once, for kinds that can. Alerts of one key still arrive in order."`
	AnyOrder    bool     `yaml:"any_order" default:"false" help:"With concurrency: gives the order of alerts of one key up, so that few keys do not make few attempts."`
	Rate        int      `yaml:"rate" default:"0" min:"0" help:"How many alerts a second it may be sent at most; 0: no bound."`
	Burst       int      `yaml:"burst" default:"0" min:"0" help:"With rate: how many alerts may be sent at once; 0: as many as rate."`
	Fault       string   `yaml:"fault" enum:"stop,wait" default:"stop" help:"What follows where the receiver is not what was meant, or does not know us: the run ends, or alerts wait until that is mended."`
	Retry       *Retry   `yaml:"retry" help:"How a receiver is tried again that does not take alerts."`
	Breaker     *Breaker `yaml:"breaker" help:"When a receiver that does not take alerts is left alone for a while."`
	Backlog     *Backlog `yaml:"backlog" help:"How many alerts may wait for it, on disk."`
}

// Retry says how long to wait between attempts.
type Retry struct {
	Initial Duration `yaml:"initial" default:"200ms" min:"1ms" max:"1h" help:"The first wait, which doubles; each is drawn between half and one and a half of it."`
	Max     Duration `yaml:"max" default:"30s" min:"1ms" max:"24h" help:"The greatest wait."`
	After   Duration `yaml:"after" default:"5m" min:"1ms" max:"24h" help:"What a receiver may ask for at most (Retry-After)."`
	Elapsed Duration `yaml:"elapsed" default:"0s" min:"0s" help:"After how long an alert goes to the dead letters that could not be delivered; 0s: never."`
}

func (r *Retry) check(at section) {
	if r.Max < r.Initial {
		at.fault("max", "is less than initial, %s", r.Initial)
	}
}

// Breaker says when a receiver is left alone.
type Breaker struct {
	Failures int      `yaml:"failures" default:"5" min:"1" help:"After how many attempts in a row that came to nothing."`
	Open     Duration `yaml:"open" default:"30s" min:"10ms" max:"24h" help:"For how long nothing is tried then."`
}

// Backlog bounds what waits for a sink.
type Backlog struct {
	Alerts int    `yaml:"alerts" default:"100_000" min:"1" help:"How many alerts."`
	Bytes  Size   `yaml:"bytes" default:"1GiB" min:"1MiB" help:"How many bytes of them."`
	Full   string `yaml:"full" enum:"wait,drop_oldest" default:"wait" help:"What follows beyond that: the engine waits, and with it its sources; or the oldest are dropped, and counted."`
}

// Target opens the sink. Nothing is sent yet.
func (s *Sink) Target(ctx context.Context, w World, name string) (sinks.Target, error) {
	sink, err := s.Kind().Open(ctx, w, name, s)
	return sinks.Target{Name: name, Sink: sink, Delivery: s.delivery()}, err
}

// delivery is how the sink is delivered to.
func (s *Sink) delivery() sinks.Delivery {
	d := sinks.Delivery{Timeout: time.Duration(s.Timeout), Concurrency: s.Concurrency, AnyOrder: s.AnyOrder, Rate: float64(s.Rate), Burst: s.Burst, StopOnFault: s.Fault == "stop"}
	if r := s.Retry; r != nil {
		d.Backoff, d.MaxBackoff = time.Duration(r.Initial), time.Duration(r.Max)
		d.MaxRetryAfter, d.MaxElapsed = time.Duration(r.After), time.Duration(r.Elapsed)
	}
	if b := s.Breaker; b != nil {
		d.Failures, d.Open = b.Failures, time.Duration(b.Open)
	}
	if b := s.Backlog; b != nil {
		d.MaxRows, d.MaxBytes, d.DropOldest = b.Alerts, int64(b.Bytes), b.Full == "drop_oldest"
	}
	return d
}

// SinkKind is one way to send alerts: what the settings of a kind are for.
type SinkKind interface {
	// Open makes the sink. Nothing is sent yet.
	Open(ctx context.Context, w World, name string, s *Sink) (sinks.Sink, error)
	// Probe finds out whether the receiver is there, and sends it nothing.
	Probe(ctx context.Context, w World, name string, s *Sink) error
}

// Kind returns what the sink is.
func (s *Sink) Kind() SinkKind { return kind[SinkKind](s) }

func (s *Sink) check(at section) {
	oneKind(at, reflect.ValueOf(s).Elem())
	if s.AnyOrder && s.Concurrency == 1 {
		at.fault("any_order", "does nothing without concurrency: one attempt at a time keeps the order")
	}
	if s.Burst > 0 && s.Rate == 0 {
		at.fault("burst", "does nothing without rate")
	}
}
