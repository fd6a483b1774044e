package sinktest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Door is a port before a server: what comes to it is passed on while the server is well, and
// not, or late, while it is in trouble. So any server can be in any trouble, and comes back at
// the place where it was.
type Door struct {
	to      string
	l       net.Listener
	trouble atomic.Int32

	mu    sync.Mutex
	open  map[net.Conn]bool
	going sync.WaitGroup
}

type trouble int32

// Troubles of a server.
const (
	well    trouble = iota
	down            // connections are reset
	hanging         // connections are taken, and nothing is answered
	slow            // each answer takes a second
)

const slowAnswer = time.Second

// NewDoor opens a door to a server, until the test ends.
func NewDoor(t testing.TB, to string) *Door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &Door{to: to, l: l, open: map[net.Conn]bool{}}
	d.going.Go(d.serve)
	t.Cleanup(func() {
		l.Close()
		d.set(down) // those that are being taken end too
		d.going.Wait()
	})
	return d
}

// Network is that of the door's address: with Addr it makes one of it.
func (d *Door) Network() string { return d.l.Addr().Network() }

// Addr is where to go instead of to the server.
func (d *Door) Addr() string { return d.l.Addr().String() }

// String is that address.
func (d *Door) String() string { return d.Addr() }

func (d *Door) serve() {
	for {
		c, err := d.l.Accept()
		if err != nil {
			return
		}
		d.going.Go(func() { d.pass(c) })
	}
}

// set begins a trouble, or ends it. Connections do not survive a server that is down, nor
// being hung up: they are reset at the beginning of one, and at the end of the other.
func (d *Door) set(now trouble) {
	if before := trouble(d.trouble.Swap(int32(now))); before == hanging || now == down {
		d.reset()
	}
}

func (d *Door) is(t trouble) bool { return trouble(d.trouble.Load()) == t }

func (d *Door) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		abort(c)
	}
}

func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // it goes either way
	}
	c.Close()
}

// enter keeps a connection where it can be reset.
func (d *Door) enter(c net.Conn) (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.open, c)
		c.Close()
	}
}

// pass passes on what two ends say.
func (d *Door) pass(c net.Conn) {
	defer d.enter(c)()
	if d.is(down) { // looked at once it can be reset, so that no trouble passes it by
		abort(c)
		return
	}
	server, err := net.Dial("tcp", d.to)
	if err != nil {
		abort(c)
		return
	}
	defer d.enter(server)()
	d.going.Go(func() {
		io.Copy(server, c) //nolint:errcheck // one end has gone
		server.Close()
		c.Close()
	})
	d.answer(c, server)
}

func (d *Door) answer(c, server net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := server.Read(b)
		if d.is(slow) {
			time.Sleep(slowAnswer)
		}
		if err != nil {
			return
		}
		if d.is(hanging) {
			continue
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}
