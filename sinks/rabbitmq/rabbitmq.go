package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Options of a sink. URL must be given.
type Options struct {
	// URL is amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS.
	URL string

	// Exchange that messages are published to; it must be there. Empty: the default one,
	// whose routing key is a queue's name.
	Exchange string

	// RoutingKey of the messages. Default: the rule's name.
	RoutingKey string

	// Now is the wall clock, for the end of a connection. Default time.Now.
	Now func() time.Time
}

// Sink publishes by one channel.
type Sink struct {
	o     Options
	addr  string
	vhost string

	conn     *amqp.Connection // nil: none yet, or it broke
	channel  *amqp.Channel
	closed   chan *amqp.Error
	returned chan amqp.Return
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.Previewer = (*Sink)(nil)
)

// confirmed bounds the messages that wait for their confirmation.
const confirmed = 500

// New returns a sink. Nothing is connected yet.
func New(o Options) (*Sink, error) {
	u, err := amqp.ParseURI(o.URL)
	if err != nil {
		return nil, errors.New("rabbitmq: the URL cannot be read; it is amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS, with other characters than letters, digits and -._~ of a user, password or vhost escaped (%2F for /)")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sink{o: o, addr: net.JoinHostPort(u.Host, strconv.Itoa(u.Port)), vhost: u.Vhost}, nil
}

// Name is what the sink is called in messages and in the state.
func (s *Sink) Name() string {
	return fmt.Sprintf("amqp://%s#%s/%s/%s", s.addr, s.vhost, s.o.Exchange, s.o.RoutingKey)
}

// Deliver publishes the first rows, and waits until they are confirmed.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	alerts, err := sinks.ParseAlerts(rows[:min(len(rows), confirmed)])
	if len(alerts) == 0 {
		return 0, err
	}
	if err := s.connect(ctx); err != nil {
		return 0, s.meaning(err)
	}
	taken, err = s.publish(ctx, rows[:len(alerts)], alerts) // those before one that cannot be read
	if err != nil {
		s.drop()
		return taken, s.meaning(err)
	}
	return taken, nil
}

// Preview shows the message of the first row.
func (s *Sink) Preview(rows []sinks.Row) (text string, taken int, err error) {
	a, err := sinks.ParseAlert(rows[0].Alert)
	if err != nil {
		return "", 0, err
	}
	m := message(a, rows[0].Alert)
	return sinks.PreviewParts(fmt.Sprintf("publish to exchange %q, routing key %q", s.o.Exchange, s.key(a)),
		sinks.PreviewPart{Name: "message_id", Value: m.MessageId}, sinks.PreviewPart{Name: "timestamp", Value: m.Timestamp.UTC().Format(time.RFC3339)},
		sinks.PreviewPart{Name: "type", Value: m.Type}, sinks.PreviewPart{Name: "app_id", Value: m.AppId}, sinks.PreviewPart{Name: "content_type", Value: m.ContentType},
		sinks.PreviewPart{Name: "headers", Value: fmt.Sprintf("rule=%s severity=%s", a.Rule, a.Severity)}, sinks.PreviewPart{Name: "body", Value: string(m.Body)}), 1, nil
}

// publish returns how many were confirmed before the first that was not.
func (s *Sink) publish(ctx context.Context, rows []sinks.Row, alerts []*sinks.Alert) (taken int, err error) {
	var waits []*amqp.DeferredConfirmation
	for i, a := range alerts {
		wait, err := s.channel.PublishWithDeferredConfirm(s.o.Exchange, s.key(a), true, false, message(a, rows[i].Alert))
		if err != nil {
			return 0, s.why(err)
		}
		waits = append(waits, wait)
	}
	for i, wait := range waits {
		ok, err := wait.WaitContext(ctx)
		switch {
		case err != nil:
			return i, s.why(err)
		case !ok:
			return i, s.why(errors.New("the broker did not take a message"))
		}
	}
	return len(rows), s.unroutable()
}

// unroutable says that the broker has returned a message, which it does before it confirms
// it. All of the call are handed over again: which one it was is in its id alone.
func (s *Sink) unroutable() error {
	select {
	case r := <-s.returned:
		return &sinks.FaultError{Err: fmt.Errorf("%s: no queue takes messages of exchange %q with the routing key %q (%s); bind one", s.addr, r.Exchange, r.RoutingKey, r.ReplyText)}
	default:
		return nil
	}
}

func (s *Sink) key(a *sinks.Alert) string {
	if s.o.RoutingKey != "" {
		return s.o.RoutingKey
	}
	return a.Rule
}

func message(a *sinks.Alert, text []byte) amqp.Publishing {
	return amqp.Publishing{
		MessageId: a.ID, Timestamp: a.Time, Type: "alert", AppId: "cepheus", ContentType: "application/json",
		DeliveryMode: amqp.Persistent, Body: text, Headers: amqp.Table{"rule": a.Rule, "severity": a.Severity},
	}
}

// connect makes a connection and a channel where there is none.
func (s *Sink) connect(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() && !s.channel.IsClosed() {
		return nil
	}
	s.drop()
	dial := func(network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		until, _ := ctx.Deadline()
		return conn, conn.SetDeadline(until) // until the connection is open, which lifts it
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("cepheus")
	conn, err := amqp.DialConfig(s.o.URL, amqp.Config{Heartbeat: 10 * time.Second, Properties: properties, Dial: dial})
	if err != nil {
		return err
	}
	s.conn = conn
	if s.channel, err = conn.Channel(); err != nil {
		return err
	}
	s.closed = s.channel.NotifyClose(make(chan *amqp.Error, 1))
	s.returned = s.channel.NotifyReturn(make(chan amqp.Return, confirmed))
	return s.channel.Confirm(false)
}

// drop ends the connection.
func (s *Sink) drop() {
	if s.conn != nil {
		s.conn.CloseDeadline(s.o.Now().Add(time.Second)) //nolint:errcheck // what was not confirmed is sent again
		s.conn = nil
	}
}

// why prefers what the broker said when it closed the channel to what came of that.
func (s *Sink) why(err error) error {
	select {
	case said := <-s.closed:
		if said != nil {
			return said
		}
	case <-time.After(50 * time.Millisecond):
	}
	return err
}

// meaning is what an error says of the rows that were to be published.
func (s *Sink) meaning(err error) error {
	var (
		fault *sinks.FaultError
		said  *amqp.Error
	)
	switch {
	case errors.As(err, &fault):
		return err
	case !errors.As(err, &said):
		return sinks.Unreached(s.addr, err)
	}
	told := fmt.Errorf("%s answered %d %s", s.addr, said.Code, said.Reason)
	switch said.Code {
	case amqp.NotFound, amqp.AccessRefused, amqp.NotAllowed, amqp.PreconditionFailed, amqp.NotImplemented:
		return &sinks.FaultError{Err: fmt.Errorf("%w; look at the user, password and vhost in the URL, at the exchange, and at their rights", told)}
	case amqp.ContentTooLarge:
		return &sinks.RejectedError{Err: told, Batch: true}
	}
	return &sinks.RetryError{Err: told}
}

// Flush has nothing to do: what was taken was confirmed.
func (s *Sink) Flush(context.Context) error { return nil }

// Close ends the connection.
func (s *Sink) Close() error {
	s.drop()
	return nil
}

// Probe connects, logs in, and looks whether the exchange is there.
func (s *Sink) Probe(ctx context.Context) error {
	defer s.drop()
	if err := s.connect(ctx); err != nil {
		return s.meaning(err)
	}
	if s.o.Exchange == "" {
		return nil
	}
	if err := s.channel.ExchangeDeclarePassive(s.o.Exchange, "", true, false, false, false, nil); err != nil {
		return s.meaning(err)
	}
	return nil
}
