package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cepheusDo runs a verb and wants an exit code.
func cepheusDo(t *testing.T, code int, args ...string) (out, messages string) {
	t.Helper()
	cmd := itself(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%v, want exit code %d; standard error:\n%s", err, code, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// TestRefusedAlertsAreSentToASinkOfAConfiguration, which may hold what no command line should.
func TestRefusedAlertsAreSentToASinkOfAConfiguration(t *testing.T) {
	k, url := receive(t)
	k.answers(func(string) int { return http.StatusUnprocessableEntity })
	dead := filepath.Join(t.TempDir(), "dead.jsonl")
	if _, said := cepheusDo(t, 0, "dead-letters", "ls", "--dead-letters", dead); !strings.Contains(said, "there is no file "+dead) {
		t.Errorf("of a file that is not there: %s", said)
	}
	cepheusRun(t, 0, "--sink", url, "--dead-letters", dead)
	k.answers(nil)
	config := configOf(t, fmt.Sprintf("rules: [r.cep]\nsources: { e: { file: { paths: [r.cep] } } }\nsinks: { hook: { webhook: { url: %q, batch: 10 } } }\n", url))
	if _, said := cepheusDo(t, 2, "dead-letters", "replay", "--dead-letters", dead, "--all", "-c", config, "--sink", "other"); !strings.Contains(said, "no sink other; it has: hook") {
		t.Errorf("to a sink that is not there: %s", said)
	}
	if _, said := cepheusDo(t, 0, "dead-letters", "replay", "--dead-letters", dead, "--all", "-c", config, "--sink", "hook"); len(k.got()) != 1 || !strings.Contains(said, "6 letters replayed") {
		t.Errorf("%d posted; %s", len(k.got()), said)
	}
}

// TestRefusedAlertsAreSentAgain: the receiver refuses one still, then takes it.
func TestRefusedAlertsAreSentAgain(t *testing.T) {
	k, url := receive(t)
	k.answers(func(string) int { return http.StatusUnprocessableEntity })
	dead := filepath.Join(t.TempDir(), "dead.jsonl")
	cepheusRun(t, 0, "--sink", url, "--dead-letters", dead)
	if out, _ := cepheusDo(t, 0, "dead-letters", "ls", "--dead-letters", dead); strings.Count(out, "undeliverable") != 6 {
		t.Fatalf("letters:\n%s", out)
	}
	if _, said := cepheusDo(t, 2, "dead-letters", "replay", "--dead-letters", dead, "--all"); !strings.Contains(said, "6 of the letters are alerts") {
		t.Errorf("without a sink: %s", said)
	}
	k.answers(func(body string) int {
		if strings.Contains(body, `"n":8`) {
			return http.StatusUnprocessableEntity
		}
		return http.StatusNoContent
	})
	_, said := cepheusDo(t, 1, "dead-letters", "replay", "--dead-letters", dead, "--all", "--sink", url)
	if len(k.got()) != 5 || !strings.Contains(said, "is not taken") || !strings.Contains(said, "5 letters replayed") {
		t.Errorf("%d posted; %s", len(k.got()), said)
	}
	k.answers(nil)
	cepheusDo(t, 0, "dead-letters", "replay", "--dead-letters", dead, "--kind", "undeliverable", "--sink", url)
	out, _ := cepheusDo(t, 0, "dead-letters", "ls", "--dead-letters", dead)
	if len(k.got()) != 6 || out != "" {
		t.Errorf("%d posted; left:\n%s", len(k.got()), out)
	}
}
