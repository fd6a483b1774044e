package servers

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// Reluctant is an address before another one that resets the first connections, as a server
// that is being killed does, and hands the others on.
func Reluctant(t testing.TB, to string, resets int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var left atomic.Int64
	left.Store(resets)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer c.Close()
				if left.Add(-1) >= 0 {
					reset(c)
					return
				}
				handOn(c, to)
			}()
		}
	}()
	return l.Addr().String()
}

// reset ends a connection with what was sent unread, which the other side hears as a reset.
func reset(c net.Conn) {
	_, _ = c.Read(make([]byte, 1))
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// handOn copies both ways until one side ends.
func handOn(c net.Conn, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, c)
		server.Close()
	}()
	_, _ = io.Copy(c, server)
	c.Close()
	<-done
}
