package config

import (
	"context"
	"net/http"
	"strings"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/webhook"
)

// A service is a webhook with a format of its own.

// ChatSink is a channel of Slack, Microsoft Teams or Discord.
type ChatSink struct {
	URL Secret `yaml:"url" required:"true" help:"The webhook's URL, as the service shows it."`
}

func (c *ChatSink) check(at section) { checkURL(c.URL, at) }

func checkURL(url Secret, at section) {
	if _, err := webhook.Parse(url.Reveal()); url.IsSet() && err != nil {
		at.fault("url", "%v", err)
	}
}

func (c *ChatSink) open(w World, f webhook.Format) (sinks.Sink, error) {
	return webhook.New(c.URL.Reveal(), webhook.Options{Format: f, Now: w.Now})
}

func (c *ChatSink) probe(ctx context.Context, w World, name string, s *Sink) error {
	return (&WebhookSink{URL: c.URL}).Probe(ctx, w, name, s)
}

// SlackSink is a channel of Slack.
type SlackSink ChatSink

// TeamsSink is a channel of Microsoft Teams.
type TeamsSink ChatSink

// DiscordSink is a channel of Discord.
type DiscordSink ChatSink

// Open makes the sink.
func (c *SlackSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return (*ChatSink)(c).open(w, webhook.Slack{})
}

// Open makes the sink.
func (c *TeamsSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return (*ChatSink)(c).open(w, webhook.Teams{})
}

// Open makes the sink.
func (c *DiscordSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return (*ChatSink)(c).open(w, webhook.Discord{})
}

// Probe connects.
func (c *SlackSink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (*ChatSink)(c).probe(ctx, w, name, s)
}

// Probe connects.
func (c *TeamsSink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (*ChatSink)(c).probe(ctx, w, name, s)
}

// Probe connects.
func (c *DiscordSink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (*ChatSink)(c).probe(ctx, w, name, s)
}

func (c *SlackSink) check(at section)   { checkURL(c.URL, at) }
func (c *TeamsSink) check(at section)   { checkURL(c.URL, at) }
func (c *DiscordSink) check(at section) { checkURL(c.URL, at) }

// PagerDutySink makes incidents.
type PagerDutySink struct {
	RoutingKey Secret `yaml:"routing_key" required:"true" help:"The integration's key (Events API v2)."`
	URL        string `yaml:"url" default:"https://events.pagerduty.com/v2/enqueue" help:"Where events go."`
}

// Open makes the sink.
func (p *PagerDutySink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return webhook.New(p.URL, webhook.Options{Format: webhook.PagerDuty{RoutingKey: p.RoutingKey.Reveal()}, Now: w.Now})
}

// Probe connects.
func (p *PagerDutySink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (&WebhookSink{URL: NewSecret(p.URL)}).Probe(ctx, w, name, s)
}

func (p *PagerDutySink) check(at section) { checkURL(NewSecret(p.URL), at) }

// OpsgenieSink makes alerts of Opsgenie.
type OpsgenieSink struct {
	APIKey Secret `yaml:"api_key" required:"true" help:"A key of an API integration."`
	URL    string `yaml:"url" default:"https://api.opsgenie.com/v2/alerts" help:"Where alerts go; in Europe https://api.eu.opsgenie.com/v2/alerts."`
}

// Open makes the sink.
func (o *OpsgenieSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return webhook.New(o.URL, webhook.Options{Format: webhook.Opsgenie{}, Header: webhook.OpsgenieHeader(o.APIKey.Reveal()), Now: w.Now})
}

// Probe connects.
func (o *OpsgenieSink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (&WebhookSink{URL: NewSecret(o.URL)}).Probe(ctx, w, name, s)
}

func (o *OpsgenieSink) check(at section) { checkURL(NewSecret(o.URL), at) }

// AlertmanagerSink hands alerts to Prometheus' Alertmanager.
type AlertmanagerSink struct {
	URL     Secret            `yaml:"url" required:"true" help:"Its address, such as http://alertmanager:9093; may hold a user and password."`
	Headers map[string]Secret `yaml:"headers" help:"Headers that are added to each request."`
	Batch   int               `yaml:"batch" default:"50" min:"1" max:"100" help:"How many alerts a request carries at most."`
}

func (a *AlertmanagerSink) url() Secret {
	return NewSecret(strings.TrimRight(a.URL.Reveal(), "/") + "/api/v2/alerts")
}

// Open makes the sink.
func (a *AlertmanagerSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	o := webhook.Options{Format: webhook.Alertmanager{}, Batch: a.Batch, Header: http.Header{}, Now: w.Now}
	for name, value := range a.Headers {
		o.Header.Set(name, value.Reveal())
	}
	return webhook.New(a.url().Reveal(), o)
}

// Probe connects.
func (a *AlertmanagerSink) Probe(ctx context.Context, w World, name string, s *Sink) error {
	return (&WebhookSink{URL: a.url()}).Probe(ctx, w, name, s)
}

func (a *AlertmanagerSink) check(at section) { checkURL(a.URL, at) }
