package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// apiElsewhere are commands of docs/api.md that are run by other tests, by what is in them.
var apiElsewhere = map[string]string{
	"warm_from":           "reads Kafka; warm_test.go",
	"dead-letters:replay": "names a letter of the reader's own; resend_test.go",
}

// TestCommandsOfTheAPI runs what docs/api.md shows against a run that serves the API, one
// command after the other. The page shows no answers: each must be one of success, in JSON.
func TestCommandsOfTheAPI(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page's commands are of curl, which is not here")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rules/e.cep":  "event payment { amount float  card string? }\nrule velocity { from payment by card window sliding 1h having count() > 9 }\n",
		"over.cep":     "rule over { mode shadow  from payment where amount > 500 }\n",
		"draft.json":   `{"files": {"over.cep": "rule over { from payment where amount > 500 }"}, "events": [{"type": "payment", "amount": 700}]}`,
		"events.jsonl": `{"type":"payment","amount":7}` + "\n" + `{"type":"payment","amount":900}` + "\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "run", "--rules", filepath.Join(dir, "rules"), "--state", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0",
		"--commit", "10ms", "--sink", filepath.Join(dir, "alerts.jsonl"), "--dead-letters", filepath.Join(dir, "dead.jsonl"))
	at := strings.TrimPrefix(p.address(t), "http://")
	ran := 0
	for _, m := range regexp.MustCompile(`(?m)^\$ (curl .*)$`).FindAllStringSubmatch(read(t, filepath.Join("..", "..", "docs", "api.md")), -1) {
		if isElsewhere(m[1]) {
			continue
		}
		ran++
		command := strings.ReplaceAll(m[1], "localhost:8080", at)
		out := shell(t, dir, strings.Replace(command, "curl ", "curl --max-time 20 --fail-with-body ", 1)+` || echo " exit code $?"`)
		if strings.Contains(out, "exit code") || !strings.Contains(out, "{") {
			t.Errorf("$ %s\n%s", m[1], out)
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	if ran < 5 {
		t.Errorf("only %d commands: this test looks in the wrong place", ran)
	}
}

func isElsewhere(command string) bool {
	for part := range apiElsewhere {
		if strings.Contains(command, part) {
			return true
		}
	}
	return false
}
