package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const processRules = `
event e (time: at) {
    at  time
    key string
    n   int
}
rule event_seen {
    from e
    emit { n: n }
}
rule pair {
    by key
    match a: e[n == 1] -> b: e[n == 2]
    within 1h
}
`

// process is a running cepheus whose standard input is open, and which has answered.
type process struct {
	*exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	messages said
}

// said is what a process has written so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// itself is this test binary by the name cepheus, to be run.
func itself(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"cepheus"}, args...)
	return cmd
}

// start runs this test binary by the name cepheus.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startIn(t, "", args...)
}

// startIn does that in a folder.
func startIn(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: itself(t, args...)}
	p.Dir, p.Stderr = dir, &p.messages
	var err error
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// send writes one event and waits for the alert of the rule event_seen.
func (p *process) send(t *testing.T, n int) {
	t.Helper()
	if _, err := fmt.Fprintf(p.in, `{"type":"e","at":"2026-01-01T00:00:0%dZ","key":"k","n":%d}`+"\n", n, n); err != nil {
		t.Fatal(err)
	}
	if line := p.line(t); !strings.Contains(line, `"rule":"event_seen"`) {
		t.Fatalf("first alert after event %d: %s", n, line)
	}
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.Wait()
		t.Fatalf("read an alert: %v; standard error:\n%s", err, p.messages.String())
	}
	return line
}

// ends waits for the process and wants its exit code.
func (p *process) ends(t *testing.T, code int) {
	t.Helper()
	io.Copy(io.Discard, p.out)
	p.Wait()
	if got := p.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, want %d; standard error:\n%s", got, code, p.messages.String())
	}
}

func rulesFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.cep")
	if err := os.WriteFile(path, []byte(processRules), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSignalsEndARunCleanlyAndKeepItsState(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
			p := start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
			p.send(t, 1)
			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			p.ends(t, 0)
			if got := p.messages.String(); !strings.Contains(got, "stopped by a signal") || !strings.Contains(got, "event_seen") {
				t.Errorf("standard error has no summary:\n%s", got)
			}

			p = start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
			p.send(t, 2)
			if line := p.line(t); !strings.Contains(line, `"rule":"pair"`) {
				t.Errorf("the pattern begun before the signal did not complete after it: %s", line)
			}
			p.in.Close()
			p.ends(t, 0)
		})
	}
}

func TestStateFolderOfARunningProcessIsRefused(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	first := start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	first.send(t, 1)
	second := start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	second.ends(t, 2)
	if got := second.messages.String(); !strings.Contains(got, dir) || !strings.Contains(got, "in use") {
		t.Errorf("the refusal does not say what is in use: %s", got)
	}
	first.in.Close()
	first.ends(t, 0)
}

func TestReaderOfAlertsThatGoesAwayIsACleanEnd(t *testing.T) {
	var events bytes.Buffer
	for range 100_000 {
		events.WriteString(`{"type":"e","at":"2026-01-01T00:00:00Z","key":"k","n":7}` + "\n")
	}
	input := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(input, events.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var messages bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = []string{"cepheus", "run", "--rules", rulesFile(t), "--input", input}
	cmd.Stdout, cmd.Stderr = w, &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v, want exit code 0; standard error:\n%s", err, messages.String())
	}
}
