package config

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/webhook"
)

// WebhookSink posts alerts.
type WebhookSink struct {
	URL      Secret            `yaml:"url" required:"true" help:"http or https; may hold a user and password, and is shown without them, path and query."`
	Headers  map[string]Secret `yaml:"headers" help:"Headers that are added to each request."`
	Batch    int               `yaml:"batch" default:"1" min:"1" max:"10_000" help:"How many alerts a request carries at most: 1, as JSON; more, as lines of JSON."`
	Secret   Secret            `yaml:"secret" help:"Signs each request, with the time (HMAC-SHA-256)."`
	Method   string            `yaml:"method" enum:"POST,PUT,PATCH" default:"POST" help:"The method of the requests."`
	Template string            `yaml:"template" help:"Writes the body, which must be JSON; without it the alert itself. The page on sinks has its functions."`
}

// Open makes the sink.
func (h *WebhookSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	o := webhook.Options{Batch: h.Batch, Header: http.Header{}, Secret: h.Secret.Reveal(), Method: h.Method, Now: w.Now}
	for name, value := range h.Headers {
		o.Header.Set(name, value.Reveal())
	}
	if h.Template != "" {
		format, err := webhook.NewTemplate(h.Template, true, h.Batch)
		if err != nil {
			return nil, err
		}
		o.Format = format
	}
	return webhook.New(h.URL.Reveal(), o)
}

// Probe connects to the receiver.
func (h *WebhookSink) Probe(ctx context.Context, _ World, _ string, s *Sink) error {
	u, err := webhook.Parse(h.URL.Reveal())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	conn, err := dialer(u).DialContext(ctx, "tcp", address(u))
	if err != nil {
		return fmt.Errorf("webhook: %w; mend webhook.url", sinks.Unreached(u.Scheme+"://"+u.Host, err))
	}
	return conn.Close()
}

func dialer(u *url.URL) interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
} {
	if u.Scheme == "https" {
		return &tls.Dialer{}
	}
	return &net.Dialer{}
}

func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (h *WebhookSink) check(at section) {
	if _, err := webhook.NewTemplate(h.Template, true, 1); err != nil {
		at.fault("template", "%v", err)
	}
	if _, err := webhook.Parse(h.URL.Reveal()); h.URL.IsSet() && err != nil {
		at.fault("url", "%v", err)
	}
	checkHeaders(at, h.Headers)
}

// checkHeaders refuses what cannot be a header of a request, in the key headers.
func checkHeaders(at section, headers map[string]Secret) {
	for _, name := range sortedNames(headers) {
		if !isHeader(name) {
			at.fault("headers."+name, "cannot be the name of a header")
		}
		if strings.ContainsFunc(headers[name].Reveal(), isControl) {
			at.fault("headers."+name, "the value cannot be that of a header: it has a control character, such as an end of line")
		}
	}
}

// isHeader reports whether a name is a token of RFC 9110.
func isHeader(name string) bool {
	other := func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	return name != "" && !strings.ContainsFunc(name, other)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
