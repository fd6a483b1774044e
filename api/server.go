package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Server serves the API. Make one with New.
type Server struct {
	o        Options
	gate     *gate
	ledger   *ledger
	meters   *meters
	router   http.Handler
	document []byte
	certs    *certificates // nil: connections are not encrypted
	started  time.Time
	streams  chan struct{} // one a stream that is open
	trials   chan struct{} // one a trial that runs
	bodies   atomic.Int64  // bytes of bodies that requests under way have read
	ending   atomic.Bool
	over     chan struct{} // closed when streams are to end
}

// New makes a server and checks its options. An error says what to mend. The audit log is
// open until Serve has returned, or Close.
func New(o Options) (*Server, error) {
	o.fill()
	s := &Server{o: o, started: o.Now(), over: make(chan struct{}), streams: make(chan struct{}, o.Limits.Streams), trials: make(chan struct{}, o.Limits.Trials)}
	var err error
	if s.gate, err = newGate(&o); err != nil {
		return nil, err
	}
	if err := s.mayListen(); err != nil {
		return nil, err
	}
	if o.TLS != nil {
		if s.certs, err = newCertificates(o.TLS, o.Log, o.Now); err != nil {
			return nil, err
		}
	}
	all := endpoints()
	if s.document, err = openAPI(all, o.Version, s.gate.scheme()); err != nil {
		return nil, err
	}
	if s.ledger, err = openLedger(o.Audit); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	s.meters = newMeters(s)
	s.router = s.routes(all)
	return s, nil
}

// mayListen refuses an address beyond this machine where anybody may ask.
func (s *Server) mayListen() error {
	host, _, err := net.SplitHostPort(s.o.Listen)
	if err != nil {
		return fmt.Errorf("listen on %q: write it as 127.0.0.1:8080: %w", s.o.Listen, err)
	}
	ip, err := netip.ParseAddr(host)
	if local := host == "localhost" || err == nil && ip.IsLoopback(); local || !s.gate.open() || s.o.Insecure {
		return nil
	}
	return fmt.Errorf("listen on %s: it would be open to the network; give tokens or certificates of clients, listen on 127.0.0.1, or say that it is to be insecure", s.o.Listen)
}

// released keeps gin from printing what it does; a mode is the process's.
var released = sync.OnceValue(func() bool {
	gin.SetMode(gin.ReleaseMode)
	return true
})

func (s *Server) routes(all []endpoint) http.Handler {
	released()
	r := gin.New()
	r.UseRawPath, r.UnescapePathValues = true, true
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	r.HandleMethodNotAllowed = true
	for i := range all {
		r.Handle(all[i].method, all[i].ginPath(), s.handle(&all[i]))
	}
	none := endpoint{id: "none", scope: scopeNone, serve: func(c *call) (*answer, error) {
		return nil, wrong(http.StatusNotFound, "not-found", "see /openapi.json for what there is", "there is nothing at "+clip(c.Request.URL.Path))
	}}
	method := endpoint{id: "none", scope: scopeNone, serve: func(c *call) (*answer, error) {
		c.allow(all)
		return nil, wrong(http.StatusMethodNotAllowed, "method", "use one of Allow", "%s is not for %s", clip(c.Request.Method), clip(c.Request.URL.Path))
	}}
	r.NoRoute(s.handle(&none))
	r.NoMethod(s.handle(&method))
	return r
}

// allow says which methods a path of the table has that is without parameters: the router
// also names those of a path with one that it could be an instance of.
func (c *call) allow(all []endpoint) {
	var methods []string
	for i := range all {
		if all[i].path == c.Request.URL.Path {
			methods = append(methods, all[i].method)
		}
	}
	if methods != nil {
		c.Writer.Header().Set("Allow", strings.Join(methods, ", "))
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Listen opens the address of the options.
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Listen)
}

// Close closes the audit log of a server that is not served.
func (s *Server) Close() error { return s.ledger.close() }

const (
	headMost = 64 << 10         // bytes of headers
	lastWait = 10 * time.Second // that requests under way have at the end
)

// Serve answers requests until ctx ends; then it takes no more, and waits for those under
// way, but for streams, which end at once. It closes the listener and the audit log.
func (s *Server) Serve(ctx context.Context, on net.Listener) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	crowd := newCrowd(s.o.Limits.Connections)
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: s.o.Limits.Head, IdleTimeout: s.o.Limits.Idle, MaxHeaderBytes: headMost,
		BaseContext: func(net.Listener) context.Context { return running },
		ConnState:   crowd.changed,
		ErrorLog:    log.New(io.Discard, "", 0), // what scanners do to TLS is no news
	}
	if s.certs != nil {
		on = tls.NewListener(on, s.certs.config())
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(on) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		s.ending.Store(true)
		err = s.shutDown(h, stop, ended)
	}
	return errors.Join(err, s.ledger.close())
}

// shutDown waits for requests under way; streams are told first.
func (s *Server) shutDown(h *http.Server, stop func(), ended <-chan error) error {
	close(s.over)
	ctx, cancel := context.WithTimeout(context.Background(), lastWait)
	defer cancel()
	err := h.Shutdown(ctx)
	stop()
	if err != nil {
		err = h.Close()
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// crowd bounds connections: beyond the bound the one that has been idle for longest is
// closed, or, where none is, the new one.
type crowd struct {
	mu   sync.Mutex
	most int
	all  map[net.Conn]bool
	idle []net.Conn // new ones too, the longest first
}

func newCrowd(most int) *crowd { return &crowd{most: most, all: map[net.Conn]bool{}} }

func (w *crowd) changed(c net.Conn, to http.ConnState) {
	if out := w.note(c, to); out != nil {
		_ = out.Close() // the server hears of it
	}
}

// note returns the connection that must go.
func (w *crowd) note(c net.Conn, to http.ConnState) (out net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch to {
	case http.StateNew:
		w.all[c] = true
		w.idle = append(w.idle, c)
		if len(w.all) > w.most {
			out = w.idle[0]
			w.leave(out)
			delete(w.all, out)
		}
	case http.StateIdle:
		if w.all[c] {
			w.idle = append(w.idle, c)
		}
	case http.StateActive:
		w.leave(c)
	case http.StateClosed, http.StateHijacked:
		w.leave(c)
		delete(w.all, c)
	}
	return out
}

func (w *crowd) leave(c net.Conn) {
	for i, other := range w.idle {
		if other == c {
			w.idle = append(w.idle[:i], w.idle[i+1:]...)
			return
		}
	}
}
