package servers

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// StartPrometheus starts Prometheus with a configuration, whose paths are best absolute, and
// stops it when the test ends.
func StartPrometheus(t testing.TB, config string) *Server {
	t.Helper()
	return startOver(t, "prometheus", 1, map[string]string{"prometheus.yml": config})
}

// Promtool runs promtool, which is installed with Prometheus, and returns what it says.
func Promtool(t testing.TB, args ...string) (said string, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("Prometheus would have to be installed")
	}
	_, here, _, _ := runtime.Caller(0)
	if out, err := exec.Command(filepath.Join(filepath.Dir(here), "server.sh"), "install", "prometheus").CombinedOutput(); err != nil {
		missing(t, "prometheus cannot be installed", string(out), err)
	}
	out, err := exec.Command("promtool", args...).CombinedOutput()
	return string(out), err
}
