package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestATokenThatWasMade is known by the run whose configuration has its line.
func TestATokenThatWasMade(t *testing.T) {
	token, line, code := cepheusOutput(t, "token", "ci", "--scope", "rules:read")
	if code != exitWell || strings.Contains(line, strings.TrimSpace(token)) {
		t.Fatalf("exit code %d: %s", code, line)
	}
	_, line, _ = strings.Cut(line, "\n")
	rules, dir := rulesFile(t), t.TempDir()
	writeFile(t, filepath.Join(dir, "cepheus.yaml"), "rules: ["+rules+"]\nsources: { a: { http: {} } }\napi:\n  listen: 127.0.0.1:0\n  tokens:\n    "+line)
	p := start(t, "run", "-c", filepath.Join(dir, "cepheus.yaml"))
	c := &client{server: p.address(t), dir: dir}
	if _, said := c.does(t, exitFailed, "", "rules", "ls"); !strings.Contains(said, "token") {
		t.Errorf("without it: %s", said)
	}
	c.env = []string{"CEPHEUS_TOKEN=" + strings.TrimSpace(token)}
	c.does(t, exitWell, "", "rules", "ls")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(t, exitWell)
	if strings.Contains(p.messages.String(), strings.TrimSpace(token)) || strings.Contains(p.messages.String(), "$argon2id$") {
		t.Errorf("the log has it: %s", p.messages.String())
	}
	if _, said, code := cepheusOutput(t, "token", "ci", "--scope", "rules:reed"); code != exitUsage {
		t.Errorf("a scope that is none: exit code %d: %s", code, said)
	}
}
