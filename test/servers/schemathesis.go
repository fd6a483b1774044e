package servers

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Schemathesis asks the API whose document is at a URL, and fails the test by what it finds.
// The arguments are those of its run; see schemathesis.toml for what is not held against an
// answer.
func Schemathesis(t testing.TB, url string, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	dir := t.TempDir() // where it and its libraries leave what they want to keep
	if out, err := schemathesis(dir, "install"); err != nil {
		missing(t, "schemathesis cannot be installed", out, err)
	}
	cmd := append([]string{"run", url, "--report-dir", dir}, args...)
	if out, err := schemathesis(dir, cmd...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func schemathesis(dir string, args ...string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command(filepath.Join(filepath.Dir(here), "schemathesis.sh"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
