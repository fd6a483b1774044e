package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// posted is a receiver that can be told what to answer.
type posted struct {
	mu     sync.Mutex
	status func(body string) int
	bodies []string // of what was accepted
	asked  chan struct{}
}

func receive(t *testing.T) (k *posted, url string) {
	t.Helper()
	k = &posted{asked: make(chan struct{}, 1000)}
	s := httptest.NewServer(k)
	t.Cleanup(s.Close)
	return k, s.URL + "/hook"
}

func (k *posted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	status := http.StatusNoContent
	if k.status != nil {
		status = k.status(string(body))
	}
	if err == nil && status == http.StatusNoContent {
		k.bodies = append(k.bodies, string(body))
	}
	w.WriteHeader(status)
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

func (k *posted) answers(status func(body string) int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = status
}

func (k *posted) got() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bodies
}

// cepheusRun runs over events and wants an exit code.
func cepheusRun(t *testing.T, code int, args ...string) (out, messages string) {
	t.Helper()
	cmd := run(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%v, want exit code %d; standard error:\n%s", err, code, stderr.String())
	}
	return stdout.String(), stderr.String()
}

func run(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	input := filepath.Join(dir, "events.jsonl")
	events := strings.Repeat(`{"type":"e","at":"2026-01-01T00:00:00Z","key":"k","n":7}`+"\n", 5) + `{"type":"e","at":"2026-01-01T00:00:00Z","key":"k","n":8}` + "\n"
	if err := os.WriteFile(input, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"cepheus", "run", "--rules", rulesFile(t), "--input", input, "--dead-letters", filepath.Join(dir, "dead.jsonl")}, args...)
	cmd.Dir = dir
	return cmd
}

func TestAlertsArePosted(t *testing.T) {
	k, url := receive(t)
	out, _ := cepheusRun(t, 0, "--sink", url, "--sink", "stdout")
	if got := strings.Join(k.got(), "\n") + "\n"; got != out || len(k.got()) != 6 {
		t.Errorf("posted:\n%sstandard output:\n%s", got, out)
	}
}

// TestSinkLeftAwayWhileAlertsWait: the receiver is down when a signal ends the run.
func TestSinkLeftAwayWhileAlertsWait(t *testing.T) {
	k, url := receive(t)
	url = strings.Replace(url, "http://", "http://ann:s3cret@", 1)
	k.answers(func(string) int { return 503 })
	dir := filepath.Join(t.TempDir(), "data")
	cmd := run(t, "--state", dir, "--sink", url, "--sink", "stdout")
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-k.asked:
	case <-time.After(20 * time.Second):
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("the receiver was never asked\n%s", messages.String())
	}
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, messages.String())
	}
	t.Logf("SIGTERM to the end: %v", time.Since(began))
	if !strings.Contains(messages.String(), "6 alerts wait for sink http://127.0.0.1:") || strings.Count(out.String(), "\n") != 6 {
		t.Errorf("standard error:\n%s\nstandard output:\n%s", messages.String(), out.String())
	}

	_, refused := cepheusRun(t, 2, "--state", dir)
	if !strings.Contains(refused, "6 alerts wait for sink http://127.0.0.1:") || !strings.Contains(refused, "--drop-sink") {
		t.Errorf("left away: %s", refused)
	}
	if said := messages.String() + refused; strings.Contains(said, "s3cret") || strings.Contains(said, "/hook") {
		t.Errorf("secrets are told: %s", said)
	}
	k.answers(nil)
	if t.Run("given again", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		cepheusRun(t, 0, "--state", copied, "--sink", url, "--sink", "stdout")
	}); len(k.got()) < 6 {
		t.Errorf("posted %d alerts", len(k.got()))
	}
	if _, dropped := cepheusRun(t, 0, "--state", dir, "--drop-sink", url); !strings.Contains(dropped, "is dropped, and 6 alerts") {
		t.Errorf("dropped: %s", dropped)
	}
	cepheusRun(t, 0, "--state", dir)
}

func TestRefusedAlertsAreDeadLetters(t *testing.T) {
	k, url := receive(t)
	k.answers(func(body string) int {
		if strings.Contains(body, `"n":8`) {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusNoContent
	})
	dead := filepath.Join(t.TempDir(), "dead.jsonl")
	_, messages := cepheusRun(t, 0, "--sink", url, "--dead-letters", dead)
	text, err := os.ReadFile(dead)
	if err != nil || len(k.got()) != 5 || bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte("answered 413 Request Entity Too Large")) {
		t.Errorf("%v; %d posted; dead letters:\n%s", err, len(k.got()), text)
	}
	if !strings.Contains(messages, "refused for good") {
		t.Errorf("standard error:\n%s", messages)
	}
}

// TestWrongReceiverEndsTheRunAndLosesNothing: a path that is not there is put right.
func TestWrongReceiverEndsTheRunAndLosesNothing(t *testing.T) {
	k, url := receive(t)
	k.answers(func(string) int { return http.StatusNotFound })
	dir := filepath.Join(t.TempDir(), "data")
	_, messages := cepheusRun(t, 3, "--state", dir, "--sink", url)
	if !strings.Contains(messages, "answered 404 Not Found; look at the path") {
		t.Errorf("standard error:\n%s", messages)
	}
	k.answers(nil)
	cepheusRun(t, 0, "--state", dir, "--sink", url)
	if len(k.got()) != 12 { // those that waited, and those of another input
		t.Errorf("%d posted, want 12", len(k.got()))
	}
}
