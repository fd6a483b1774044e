package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// socketFile is the socket's name in the state directory.
const socketFile = "control"

const (
	longestRequest = 256 // bytes
	patience       = 10 * time.Second
)

// Handler answers a request. What it returns is told to who asks where nothing is written
// yet, and logged.
type Handler func(ctx context.Context, to io.Writer) error

// Server answers requests until it is closed.
type Server struct {
	listener net.Listener
	handlers map[string]Handler
	log      *slog.Logger
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Serve begins to answer, one request at a time a connection. dir is a state directory
// that this process has open.
func Serve(dir string, handlers map[string]Handler, log *slog.Logger) (*Server, error) {
	if err := os.Remove(filepath.Join(dir, socketFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	var listener net.Listener
	err := withPath(dir, func(path string) (err error) {
		listener, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // by a path that may be another's by then
	if err := os.Chmod(filepath.Join(dir, socketFile), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen in %s: %w", dir, err), listener.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{listener: listener, handlers: handlers, log: log, stop: stop}
	s.running.Go(func() { s.accept(ctx, dir) })
	return s, nil
}

// accept removes the socket when there are no more connections to come.
func (s *Server) accept(ctx context.Context, dir string) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			os.Remove(filepath.Join(dir, socketFile))
			return
		}
		s.running.Go(func() { s.answer(ctx, c) })
	}
}

// Close ends the answers under way and waits for them.
func (s *Server) Close() error {
	s.stop()
	err := s.listener.Close()
	s.running.Wait()
	return err
}

// answer answers one request.
func (s *Server) answer(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	impatient := time.AfterFunc(patience, func() { c.Close() })
	line, err := bufio.NewReader(io.LimitReader(c, longestRequest)).ReadString('\n')
	impatient.Stop()
	if err != nil {
		return
	}
	name := strings.TrimSuffix(line, "\n")
	handle := s.handlers[name]
	if handle == nil {
		fmt.Fprintf(c, "no request is named %q\n", name)
		return
	}
	to := &answer{to: c}
	err = handle(ctx, to)
	switch {
	case err == nil:
		to.begin() //nolint:errcheck // who asked sees it end
	case to.begun:
		s.log.Warn("answer ended early", "request", name, "err", err)
	default:
		fmt.Fprintln(c, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// answer puts "ok" before what is written.
type answer struct {
	to    io.Writer
	begun bool
}

func (a *answer) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	_, err := io.WriteString(a.to, "ok\n")
	return err
}

func (a *answer) Write(b []byte) (int, error) {
	if err := a.begin(); err != nil {
		return 0, err
	}
	return a.to.Write(b)
}

// ErrNobody says that no process serves in the directory.
var ErrNobody = errors.New("no process serves requests in it")

// Ask asks the process that has dir open, and returns its answer, which is to be closed.
func Ask(ctx context.Context, dir, request string) (io.ReadCloser, error) {
	var c net.Conn
	err := withPath(dir, func(path string) (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(c)
	line := ""
	if _, err = fmt.Fprintln(c, request); err == nil {
		line, err = r.ReadString('\n')
	}
	switch line = strings.TrimSuffix(line, "\n"); {
	case err == nil && line == "ok":
		return conn{r, c}, nil
	case err == nil:
		err = errors.New(line)
	}
	return nil, errors.Join(err, c.Close())
}

type conn struct {
	io.Reader
	io.Closer
}
