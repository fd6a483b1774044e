package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// Server is one of the small servers of server.sh, which says what is in it.
type Server struct {
	kind string
	dir  string
	Port int
}

// StartPostgres starts PostgreSQL and stops it when the test ends, as the functions below.
func StartPostgres(t testing.TB) *Server { return startSmall(t, "postgres", 1) }

// StartRedis starts Redis, which keeps what it took over Kill and Start.
func StartRedis(t testing.TB) *Server { return startSmall(t, "redis", 1) }

// StartRabbitMQ starts RabbitMQ.
func StartRabbitMQ(t testing.TB) *Server { return startSmall(t, "rabbitmq", 3) }

// StartAlertmanager starts Prometheus' Alertmanager.
func StartAlertmanager(t testing.TB) *Server { return startSmall(t, "alertmanager", 2) }

func startSmall(t testing.TB, kind string, ports int) *Server {
	t.Helper()
	return startOver(t, kind, ports, nil)
}

// startOver is startSmall over files, by their names in the server's folder.
func startOver(t testing.TB, kind string, ports int, files map[string]string) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("a real server takes seconds to start")
	}
	s := &Server{kind: kind, dir: folder(t)}
	if out, err := s.script("install", kind); err != nil {
		missing(t, kind+" cannot be installed", out, err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out string
	var err error
	for range 3 { // a port that is free now may be taken by the time it is wanted
		s.Port = freePorts(ports)
		if out, err = s.script("start", kind, s.dir, strconv.Itoa(s.Port)); err == nil {
			break
		}
		_, _ = s.script("stop", s.dir)
	}
	t.Cleanup(func() { s.Stop(t) })
	if err != nil {
		t.Fatalf("start %s: %v\n%s", kind, err, out)
	}
	return s
}

// folder is one that servers which run as users of their own can reach, which t.TempDir is
// not.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cepheus-server-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// script runs server.sh, whose servers write to files of their own.
func (s *Server) script(args ...string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	out, err := exec.Command(filepath.Join(filepath.Dir(here), "server.sh"), args...).CombinedOutput()
	return string(out), err
}

// Addr is where it listens.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// URL is its address for HTTP.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Stop ends it in good order. It does nothing where it was ended.
func (s *Server) Stop(t testing.TB) { s.must(t, "stop", s.dir) }

// Kill ends it by SIGKILL.
func (s *Server) Kill(t testing.TB) { s.must(t, "kill", s.dir) }

// Start starts it again, over its data and at its port.
func (s *Server) Start(t testing.TB) { s.must(t, "start", s.kind, s.dir, strconv.Itoa(s.Port)) }

func (s *Server) must(t testing.TB, args ...string) {
	t.Helper()
	if out, err := s.script(args...); err != nil {
		t.Fatalf("%s %s: %v\n%s", args[0], s.kind, err, out)
	}
}
