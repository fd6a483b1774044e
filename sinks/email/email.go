package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Encryption of the connection.
type Encryption string

// The ways to encrypt.
const (
	StartTLS Encryption = "starttls" // after a greeting; port 587 or 25
	TLS      Encryption = "tls"      // from the start; port 465
	None     Encryption = "none"     // for a relay on the same machine; no login
)

// Options of a sink. Host, From and To must be given.
type Options struct {
	Host string // with its port: mail.example:587
	From string // an address, with a name or without: Cepheus <alerts@example.org>
	To   []string

	// Encryption of the connection. Default StartTLS.
	Encryption Encryption

	// User and Password of the login; empty: none.
	User, Password string

	// Roots are the certificates that the server's must come from; nil: those of the system.
	Roots *x509.CertPool

	// Now is the wall clock, for the date of messages. Default time.Now.
	Now func() time.Time
}

// Sink sends to some recipients.
type Sink struct {
	o    Options
	name string // of the host
	from *mail.Address
	to   []*mail.Address
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.Previewer = (*Sink)(nil)
)

// alertsAMessage bounds the alerts of a group in one message.
const alertsAMessage = 100

// New returns a sink. Nothing is connected yet.
func New(o Options) (*Sink, error) {
	name, _, err := net.SplitHostPort(o.Host)
	if err != nil || name == "" {
		return nil, fmt.Errorf("email: the host %q is not NAME:PORT", o.Host)
	}
	if o.Encryption == "" {
		o.Encryption = StartTLS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sink{o: o, name: name}
	switch {
	case o.Encryption != StartTLS && o.Encryption != TLS && o.Encryption != None:
		return nil, fmt.Errorf("email: there is no encryption %q; there are starttls, tls and none", o.Encryption)
	case o.Encryption == None && o.User != "":
		return nil, errors.New("email: a password is not sent without encryption")
	case len(o.To) == 0:
		return nil, errors.New("email: there is no recipient")
	}
	if s.from, err = mail.ParseAddress(o.From); err != nil {
		return nil, fmt.Errorf("email: the sender %q is no address: %w", o.From, err)
	}
	for _, text := range o.To {
		to, err := mail.ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("email: the recipient %q is no address: %w", text, err)
		}
		s.to = append(s.to, to)
	}
	return s, nil
}

// Name is what the sink is called in messages and in the state.
func (s *Sink) Name() string { return "smtp://" + s.o.Host + "#" + s.to[0].Address }

// Concurrent says that several messages may be under way: each has a connection of its own.
func (s *Sink) Concurrent() bool { return true }

// Deliver sends the first row, or all of a group.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	text, taken, err := s.write(rows)
	if err != nil {
		return 0, err
	}
	if err := s.send(ctx, text); err != nil {
		return 0, s.meaning(err, taken)
	}
	return taken, nil
}

// Preview shows the message for the first row, or for all of a group.
func (s *Sink) Preview(rows []sinks.Row) (text string, taken int, err error) {
	message, taken, err := s.write(rows)
	return strings.ReplaceAll(string(message), "\r\n", "\n"), taken, err
}

// write writes the message for the first rows, and returns how many they are.
func (s *Sink) write(rows []sinks.Row) (text []byte, taken int, err error) {
	rows = rows[:min(len(rows), alertsAMessage)]
	if rows[0].Group == "" {
		rows = rows[:1]
	}
	alerts, err := sinks.ParseAlerts(rows)
	if err == nil {
		text, err = s.message(alerts, rows[0].Group)
	}
	if err != nil {
		return nil, 0, &sinks.RejectedError{Err: sinks.Refusal(err), Batch: len(rows) > 1}
	}
	return text, len(rows), nil
}

// saidTo is an answer, and what it was to.
type saidTo struct {
	what string
	err  error
}

func (e *saidTo) Error() string { return e.what + ": " + e.err.Error() }
func (e *saidTo) Unwrap() error { return e.err }

func to(what string, err error) error {
	if err == nil {
		return nil
	}
	return &saidTo{what, err}
}

const theMessage = "the message"

// send has one conversation.
func (s *Sink) send(ctx context.Context, text []byte) (err error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // which has closed the connection
		}
	}()
	c, err := smtp.NewClient(conn, s.name)
	if err != nil {
		return to("the connection", err)
	}
	if err := s.greet(c); err != nil {
		return err
	}
	if err := to("the sender "+s.from.Address, c.Mail(s.from.Address)); err != nil {
		return err
	}
	for _, r := range s.to {
		if err := to("the recipient "+r.Address, c.Rcpt(r.Address)); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return to(theMessage, err)
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := to(theMessage, w.Close()); err != nil {
		return err
	}
	c.Quit() //nolint:errcheck // the message is taken
	return nil
}

func (s *Sink) dial(ctx context.Context) (net.Conn, error) {
	if s.o.Encryption == TLS {
		return (&tls.Dialer{Config: s.tls()}).DialContext(ctx, "tcp", s.o.Host)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.o.Host)
}

func (s *Sink) tls() *tls.Config {
	return &tls.Config{ServerName: s.name, RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12}
}

// greet encrypts the connection and logs in.
func (s *Sink) greet(c *smtp.Client) error {
	if s.o.Encryption == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return &sinks.FaultError{Err: fmt.Errorf("%s does not offer STARTTLS; look at host and port, or at encryption", s.o.Host)}
		}
		if err := to("STARTTLS", c.StartTLS(s.tls())); err != nil {
			return err
		}
	}
	if s.o.User == "" {
		return nil
	}
	_, ways := c.Extension("AUTH")
	return to("the login", c.Auth(login(ways, s.o.User, s.o.Password, s.name)))
}

// meaning is what an error says of the rows that were to be sent.
func (s *Sink) meaning(err error, rows int) error {
	var (
		fault *sinks.FaultError
		said  *textproto.Error
		at    *saidTo
	)
	switch {
	case errors.As(err, &fault):
		return err
	case !errors.As(err, &said):
		return sinks.Unreached(s.o.Host, err)
	case said.Code < 500, said.Code == 521, said.Code >= 600:
		return &sinks.RetryError{Err: fmt.Errorf("%s: %w", s.o.Host, err)}
	case errors.As(err, &at) && at.what == theMessage:
		return &sinks.RejectedError{Err: fmt.Errorf("%s: %w", s.o.Host, err), Batch: rows > 1}
	}
	return &sinks.FaultError{Err: fmt.Errorf("%s: %w; look at user and password, from and to", s.o.Host, err)}
}

// Flush has nothing to do: what was taken was accepted.
func (s *Sink) Flush(context.Context) error { return nil }

// Close has nothing to do: no connection is kept.
func (s *Sink) Close() error { return nil }

// Probe connects and logs in.
func (s *Sink) Probe(ctx context.Context) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return s.meaning(err, 1)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, err := smtp.NewClient(conn, s.name)
	if err == nil {
		err = s.greet(c)
	}
	if err != nil {
		return s.meaning(err, 1)
	}
	return c.Quit()
}
