package wire

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// TopicID is what a cluster knows a topic by: one that is made again has another. It is
// zero where the brokers are too old to tell.
type TopicID [16]byte

// String is the id in hexadecimal.
func (id TopicID) String() string { return hex.EncodeToString(id[:]) }

// Request writes itself and reads its response from the connection. It becomes a message of
// the library's transport, which gives connections, TLS and logins: the transport's own
// messages lose what the source must know (where a batch ends whose last records were
// compacted away, the ids of topics) and copy the records twice.
type Request interface {
	// API is the number of the request in the protocol.
	API() int16
	// Exchange writes the request and reads the response.
	Exchange(rw io.ReadWriter) error
}

// routed is a request on its way to a broker; negative: to any of those named at the start.
type routed struct {
	Request
	broker int32
}

// ApiKey is of protocol.Message.
func (r routed) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.API()) } //nolint:staticcheck // the library's name

// Broker is of protocol.BrokerMessage.
func (r routed) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: r.broker}, nil
}

// Required is of protocol.RawExchanger.
func (r routed) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (r routed) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	return r, r.Exchange(rw)
}

// Cluster holds the connections to the brokers of one cluster. Its methods may be called
// from any goroutine.
type Cluster struct {
	addr      net.Addr
	transport *kafka.Transport
	conns     connections
	cancel    context.CancelFunc
}

// Connect reads the files that the access names. Nothing is sent before the first request.
// Close must follow.
func Connect(a *Access) (*Cluster, error) {
	encrypted, err := a.tlsConfig()
	if err != nil {
		return nil, err
	}
	login, err := a.mechanism()
	if err != nil {
		return nil, err
	}
	c := &Cluster{addr: kafka.TCP(a.Brokers...)}
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.transport = &kafka.Transport{
		Dial: c.conns.dial, DialTimeout: a.Timeout, IdleTimeout: time.Minute, ClientID: ClientID,
		// It is to know the brokers alone: topics are looked for by us.
		MetadataTTL: 2 * time.Second, MetadataTopics: []string{},
		TLS: encrypted, SASL: login, Context: ctx,
	}
	return c, nil
}

// Close ends all connections, and with them what waits for an answer.
func (c *Cluster) Close() {
	c.cancel()
	c.conns.close()
	c.transport.CloseIdleConnections()
}

// Send exchanges one request with a broker, or, negative, with any.
func (c *Cluster) Send(ctx context.Context, broker int32, r Request) error {
	_, err := c.transport.RoundTrip(ctx, c.addr, routed{r, broker})
	return err
}

// Client is the library's, over the same connections.
func (c *Cluster) Client() *kafka.Client {
	return &kafka.Client{Addr: c.addr, Transport: c.transport}
}

// Range is which versions of a request a broker knows; the zero one: it does not know it.
type Range struct{ Min, Max int16 }

// Versions asks a broker what it knows, by the numbers of requests. The login has succeeded
// where it answers.
func (c *Cluster) Versions(ctx context.Context) (map[int16]Range, error) {
	r, err := c.Client().ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		return nil, err
	}
	known := make(map[int16]Range, len(r.ApiKeys))
	for _, k := range r.ApiKeys {
		known[int16(k.ApiKey)] = Range{int16(k.MinVersion), int16(k.MaxVersion)}
	}
	return known, nil
}

// connections are all that the transport has open, so that Close can end them: the
// transport itself waits for answers to come.
type connections struct {
	mu     sync.Mutex
	open   map[*connection]bool
	closed bool
}

type connection struct {
	net.Conn
	of *connections
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	plain, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(net.ErrClosed, plain.Close())
	}
	if c.open == nil {
		c.open = map[*connection]bool{}
	}
	conn := &connection{plain, c}
	c.open[conn] = true
	return conn, nil
}

// Close forgets the connection as well.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		conn.Conn.Close() // ends what waits for an answer; there is nothing to be lost
	}
}
