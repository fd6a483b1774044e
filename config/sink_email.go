package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/email"
)

// EmailSink sends e-mail.
type EmailSink struct {
	Host       string   `yaml:"host" required:"true" help:"The mail server, NAME:PORT."`
	From       string   `yaml:"from" required:"true" help:"The sender: an address, or Name <address>."`
	To         []string `yaml:"to" required:"true" help:"The recipients."`
	Encryption string   `yaml:"encryption" enum:"starttls,tls,none" default:"starttls" help:"starttls (port 587 or 25), tls (port 465), or none, without a login."`
	User       string   `yaml:"user" help:"The user of the login; without it there is none."`
	Password   Secret   `yaml:"password" help:"Its password."`
}

func (e *EmailSink) made(w World) (*email.Sink, error) {
	return email.New(email.Options{
		Host: e.Host, From: e.From, To: e.To, Encryption: email.Encryption(e.Encryption),
		User: e.User, Password: e.Password.Reveal(), Now: w.Now,
	})
}

// Open makes the sink.
func (e *EmailSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return e.made(w)
}

// Probe connects and logs in.
func (e *EmailSink) Probe(ctx context.Context, w World, _ string, s *Sink) error {
	made, err := e.made(w)
	return probe(ctx, s, made, err)
}

func (e *EmailSink) check(at section) {
	if _, err := e.made(World{}); err != nil && e.Host != "" && e.From != "" && len(e.To) > 0 {
		at.fault("", "%v", err)
	}
}
