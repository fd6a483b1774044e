package chaos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// job is what a command is told to do.
type job struct {
	Binary       string
	Brokers      []string
	Topic        string
	Exact, Plain string // topics of alerts
	Dir          string // of its configuration and its state
}

// group is what committed positions are shown as offsets of.
func (j *job) group() string { return "read-for-" + j.Exact }

// command builds the command.
func command(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cepheus")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/cepheus").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// configuration is of a job. Nothing is ever idle in it.
const configuration = `
rules: [%q]
rules_watch: false
state: { dir: state, commit: 100ms }
sources:
  in:
    kafka: { brokers: [%q], topics: [%q], group: %q, start_timeout: 1m }
    idle: 24h
sinks:
  exact: { kafka: { brokers: [%[2]q], topic: %[5]q, transactional: true, transactional_id: %[5]q, start_timeout: 1m } }
  plain: { kafka: { brokers: [%[2]q], topic: %[6]q, start_timeout: 1m } }
dead_letter: { file: { dir: dead } }
`

// configure writes the configuration.
func (j *job) configure(t *testing.T) {
	t.Helper()
	rules, err := filepath.Abs(filepath.Join("..", "..", "engine", "crashtest", "testdata"))
	if err == nil {
		text := fmt.Sprintf(configuration, rules, j.Brokers[0], j.Topic, j.group(), j.Exact, j.Plain)
		err = os.WriteFile(filepath.Join(j.Dir, "cepheus.yaml"), []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// process is a running command.
type process struct {
	cmd   *exec.Cmd
	said  bytes.Buffer // to be read when it has ended
	ended chan error
	gone  chan struct{}
}

func (j *job) start(t *testing.T) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), j.Binary, "run", "-c", filepath.Join(j.Dir, "cepheus.yaml")), ended: make(chan error, 1), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { // before its folder is removed, also where the test has failed
		_ = p.cmd.Process.Kill()
		<-p.gone
	})
	return p
}

// kill ends it, unless it has ended by itself, which it must not.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Logf("kill: %v", err)
	}
	<-p.ended
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the engine has ended by itself:\n%s", p.tail())
	}
}

// stop asks it to end, and tells whether alerts wait for the next run.
func (p *process) stop(t *testing.T) (waiting bool) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Logf("signal: %v", err)
	}
	if err := <-p.ended; err != nil {
		t.Fatalf("%v\n%s", err, p.tail())
	}
	return strings.Contains(p.said.String(), "alerts wait for sink")
}

func (p *process) tail() []byte { return p.said.Bytes()[max(0, p.said.Len()-8000):] }

// finish runs the command until all is read and delivered.
func (j *job) finish(t *testing.T, c *cluster, ends map[int32]int64) {
	t.Helper()
	for deadline, again := time.Now().Add(20*time.Minute), false; ; again = true {
		before := c.size(t, j.Exact, j.Plain)
		p := j.start(t)
		for !c.reached(t, j.group(), j.Topic, ends) {
			select {
			case err := <-p.ended:
				t.Fatalf("the engine has ended by itself: %v\n%s", err, p.tail())
			case <-time.After(100 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				p.kill(t)
				t.Fatalf("not all is read in time:\n%s", p.tail())
			}
		}
		if again { // alerts wait, so that some must come
			c.until(t, func() bool { return c.size(t, j.Exact, j.Plain) > before })
		}
		c.settle(t, j.Exact, j.Plain)
		waiting := p.stop(t)
		t.Logf("engine to the end: CPU %s", p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())
		if !waiting {
			return
		}
	}
}
