package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configuration leaves little room in the queue: what is not worked at once is soon refused,
// and nothing else is.
const configuration = `
rules: [rules]
state: { dir: data, commit: 100ms }
sources: { in: { http: { records: 50_000 }, type: e } }
sinks: { log: { file: { path: alerts.jsonl } } }
api: { listen: 127.0.0.1:0, rate: 100_000 }
`

// steady are the rules that nothing changes. Events have the time at which they came.
const steady = `
event e { batch int  n int  key int  place string }

rule tally {
    from e
    by key
    window tumbling 1s
    emit { count: count(), sum: sum(n), from: window.start }
}
rule pair {
    by batch
    match first: e[place == "first"] -> last: e[place == "last"]
    within 1h
    emit { batch: last.batch }
}
rule seen {
    from e where place == "first"
    emit { batch: batch }
}
`

// cepheus is a running engine.
type cepheus struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	url  string
	http *http.Client
	said said
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

func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "cepheus")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/cepheus").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func start(t *testing.T) *cepheus {
	t.Helper()
	c := &cepheus{t: t, dir: t.TempDir(), http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	c.write("cepheus.yaml", configuration)
	c.write("rules/steady.cep", steady)
	c.write("rules/other.cep", other(0))
	c.cmd = exec.CommandContext(t.Context(), built(t), "run", "-c", "cepheus.yaml")
	c.cmd.Dir, c.cmd.Stderr = c.dir, &c.said
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	served := regexp.MustCompile(`msg="the API is served" address=(\S+)`)
	c.until("the API is served", func() bool { return served.MatchString(c.said.String()) })
	c.url = "http://" + served.FindStringSubmatch(c.said.String())[1]
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// end ends what has not ended, before its folder is removed.
func (c *cepheus) end() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

func (c *cepheus) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cepheus) until(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("it does not come to this: %s; it says\n%s", what, c.said.String())
		}
	}
}

// ask sends a request and returns what a success says.
func (c *cepheus) ask(method, path, body string, headers ...string) ([]byte, error) {
	q, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	a, err := c.http.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, a.Status, text)
	}
	return text, err
}

// stop ends the run in good order, and returns its alerts.
func (c *cepheus) stop() (alerts []alert) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("%v\n%s", err, c.said.String())
	}
	f, err := os.Open(filepath.Join(c.dir, "alerts.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var a alert
		if err := d.Decode(&a); err != nil {
			c.t.Fatal(err)
		}
		alerts = append(alerts, a)
	}
	return alerts
}

// alert is what the test reads of one.
type alert struct {
	ID     string
	Rule   string
	Key    map[string]any
	Fields struct {
		Batch, Count, Sum int64
		From              string
	}
}

// other is the file of the n-th change. It begins with each kind of change in turn: a
// threshold, the last step of a pattern, a window, a rule of another name.
func other(n int) string {
	return fmt.Sprintf(`
rule threshold { from e where n < 0 - %d  emit { n: n } }
rule walk {
    by key
    match a: e[n %% 1000 == 1] -> b: e[n %% 1000 == 1 and n < 0 - %d]
    within 1m
    emit { n: b.n }
}
rule mean { from e  by key  window sliding %dms  having avg(n) < 0  emit { mean: avg(n) } }
rule named_%d { from e where n < 0  emit { n: n } }
`, (n+3)/4, (n+2)/4, 100+(n+1)/4, n/4)
}
