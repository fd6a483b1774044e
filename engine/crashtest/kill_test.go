package crashtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// receiver is where the alerts of a process go. It outlives it.
type receiver interface {
	// connect gives a process that is about to start its output, and arguments that say where
	// alerts go; done is to be called when the process has ended.
	connect(cmd *exec.Cmd) (done func() error, err error)
	// alerts returns all whole lines that came.
	alerts() ([]string, error)
}

// piped keeps what comes through a pipe.
type piped struct {
	lines []string
	first func(*os.Process) // called at the first line of a process; nil: nothing
}

func (p *piped) connect(cmd *exec.Cmd) (done func() error, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = in
	read := make(chan error, 1)
	go func() { read <- p.read(out, cmd) }()
	return func() error { return errors.Join(in.Close(), <-read, out.Close()) }, nil
}

// read keeps whole lines; of the last, if it is none, the sender will send it again.
func (p *piped) read(out io.Reader, cmd *exec.Cmd) error {
	in := bufio.NewReaderSize(out, 1<<20)
	return eachLine(in, func(line []byte) {
		if p.first != nil {
			p.first(cmd.Process)
			p.first = nil
		}
		p.lines = append(p.lines, digest(line))
	})
}

// eachLine gives all whole lines.
func eachLine(in *bufio.Reader, do func(line []byte)) error {
	for {
		line, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		do(line[:len(line)-1])
	}
}

func (p *piped) alerts() ([]string, error) { return p.lines, nil }

// appended is a file that the system appends the output to, as a shell's >> does.
type appended struct{ path string }

func (a *appended) connect(cmd *exec.Cmd) (done func() error, err error) {
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	cmd.Stdout = f
	return func() error { return errors.Join(f.Close(), a.mend()) }, nil
}

// mend cuts a last line off that is none.
func (a *appended) mend() error {
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, min(end, 1<<20))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return err
	}
	return f.Truncate(end - int64(len(tail)-1-bytes.LastIndexByte(tail, '\n')))
}

func (a *appended) alerts() (lines []string, err error) {
	f, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = eachLine(bufio.NewReaderSize(f, 1<<20), func(line []byte) { lines = append(lines, digest(line)) })
	return lines, err
}

// toFile is a file that the process's own sink writes.
type toFile struct{ appended }

func (f *toFile) connect(cmd *exec.Cmd) (done func() error, err error) {
	cmd.Args = append(cmd.Args, "--sink", f.path)
	return func() error { return nil }, nil
}

// toHTTP is a server that the process posts to. Now and then it takes an alert and is not
// heard, or does not take it.
type toHTTP struct {
	piped
	url string
	mu  sync.Mutex
	n   int
}

func newToHTTP(t *testing.T) *toHTTP {
	t.Helper()
	h := &toHTTP{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL + "/alerts"
	return h
}

func (h *toHTTP) connect(cmd *exec.Cmd) (done func() error, err error) {
	cmd.Args = append(cmd.Args, "--sink", h.url)
	return func() error { return nil }, nil
}

func (h *toHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	switch {
	case err != nil:
		return // killed while it sent: nobody hears an answer
	case h.n%1009 == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if key := r.Header.Get("Idempotency-Key"); !bytes.HasPrefix(body, []byte(`{"id":"`+key+`"`)) {
		body = fmt.Appendf(nil, "key %s of %s", key, body) // which distinct refuses
	}
	h.lines = append(h.lines, digest(body))
	if h.n%2003 == 0 {
		panic(http.ErrAbortHandler)
	}
}

func (h *toHTTP) alerts() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines), nil
}

// program is the command as it is shipped.
type program struct {
	path   string
	rules  string
	inputs []string
	epoch  int // records
}

// TestMain makes room for the binary.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "crashtest-*")
	if err != nil {
		panic(err)
	}
	shipped = filepath.Join(dir, "cepheus")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// shipped is where build puts it.
var shipped string

// build makes the binary, if no test before has done so.
func build(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(shipped); err == nil {
		return shipped
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", shipped, "../../cmd/cepheus")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return shipped
}

// command is one run over a place; what it says on standard error goes to said.
func (b *program) command(ctx context.Context, p place, dead string, said *bytes.Buffer) *exec.Cmd {
	args := []string{"run", "--rules", b.rules, "--state", p.state(), "--dead-letters", dead, "--epoch", strconv.Itoa(b.epoch)}
	for _, path := range b.inputs {
		args = append(args, "--input", path)
	}
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.Stderr = said
	return cmd
}

func (p place) dead() string { return filepath.Join(p.root, "dead.jsonl") }

// run runs to the end, or, where after is not negative, until it is killed; killed says
// that it came to that.
func (b *program) run(ctx context.Context, p place, to receiver, after time.Duration) (killed bool, err error) {
	return b.runWith(ctx, p, to, after, p.dead())
}

// runWith is run with dead letters elsewhere.
func (b *program) runWith(ctx context.Context, p place, to receiver, after time.Duration, dead string) (killed bool, err error) {
	var said bytes.Buffer
	cmd := b.command(ctx, p, dead, &said)
	done, err := to.connect(cmd)
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, errors.Join(err, done())
	}
	if after >= 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	if err := done(); err != nil {
		return false, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w\n%s", err, said.String())
	}
	return false, nil
}

// TestKilledAtRandom kills the binary again and again until it comes to the end of the
// events, and begins anew until there were enough kills.
func TestKilledAtRandom(t *testing.T) {
	r := chance(t)
	wanted, f := 20, traffic{events: 12_000, cards: 60, every: 50e6, fresh: 4_000}
	b := &program{path: build(t), rules: "testdata", epoch: 500}
	if long() {
		wanted, f.events, f.cards, f.fresh, b.epoch = 200, 1_000_000, 1_000, 50_000, 5_000
	}
	wanted, f.events = number(t, "CEPHEUS_CRASH_KILLS", wanted), number(t, "CEPHEUS_CRASH_EVENTS", f.events)
	b.inputs = f.write(t, r, t.TempDir())

	whole, to, began := place{t.TempDir()}, &piped{}, time.Now()
	if _, err := b.run(t.Context(), whole, to, -1); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	want := outcomeOf(t, whole, to)
	for kills, round := 0, 0; kills < wanted; round++ {
		p := place{t.TempDir()}
		to := receiverOf(t, round, p)
		n := b.killedUntilTheEnd(t, r, p, to, min(wanted-kills, (wanted+3)/4), took/time.Duration(wanted/4))
		got := outcomeOf(t, p, to)
		kills += n
		t.Logf("%d kills, %T: %d alerts, %d repeats", n, to, len(got.alerts), got.repeats)
		want.compare(t, got)
	}
}

// receiverOf is one of each kind in turn.
func receiverOf(t *testing.T, round int, p place) receiver {
	t.Helper()
	switch round % 4 {
	case 0:
		return &piped{}
	case 1:
		return newToHTTP(t)
	case 2:
		return &toFile{appended{p.alerts()}}
	}
	return &appended{p.alerts()}
}

// number is what the environment says, or else n.
func number(t *testing.T, name string, n int) int {
	t.Helper()
	if given := os.Getenv(name); given != "" {
		var err error
		if n, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// killedUntilTheEnd kills until there were enough of it, then lets it come to the end, and
// returns the number of kills.
func (b *program) killedUntilTheEnd(t *testing.T, r *rand.Rand, p place, to receiver, enough int, most time.Duration) (kills int) {
	t.Helper()
	most = max(most, 150*time.Millisecond)
	for {
		// Longer by and by, so that it ends however slow the machine is.
		after := time.Duration(r.Int64N(int64(most)))
		if kills == enough {
			after = -1
		}
		killed, err := b.run(t.Context(), p, to, after)
		if err != nil {
			t.Fatalf("after %d kills: %v", kills, err)
		}
		if !killed {
			return kills
		}
		kills++
		most += most / 20
	}
}

// outcome is what came of a run.
type outcome struct {
	alerts  []string // without repeats
	repeats int
	dead    []string // dead letters, sorted, without repeats
}

// arrival is the time of a record that has none of its own: of the clock.
var arrival = regexp.MustCompile(`"time":"[^"]*",`)

func outcomeOf(t *testing.T, p place, to receiver) *outcome {
	t.Helper()
	lines, err := to.alerts()
	if err != nil {
		t.Fatal(err)
	}
	o := &outcome{}
	if o.alerts, o.repeats, err = distinct(lines); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.dead())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		o.dead = append(o.dead, arrival.ReplaceAllString(line, ""))
	}
	slices.Sort(o.dead)
	o.dead = slices.Compact(o.dead)
	return o
}

// compare wants of got the alerts of o in the same order, and the same dead letters.
func (o *outcome) compare(t *testing.T, got *outcome) {
	t.Helper()
	for i := range max(len(o.alerts), len(got.alerts)) {
		if i >= len(o.alerts) || i >= len(got.alerts) || o.alerts[i] != got.alerts[i] {
			t.Fatalf("alert %d of %d (killed: %d):\n%s\nkilled:\n%s", i, len(o.alerts), len(got.alerts), around(o.alerts, i), around(got.alerts, i))
		}
	}
	if diff := cmp.Diff(o.dead, got.dead); diff != "" {
		t.Fatalf("dead letters (-uninterrupted +killed):\n%s", diff)
	}
}

// around shows a few alerts.
func around(alerts []string, i int) string {
	var b strings.Builder
	for n := max(0, i-1); n < min(len(alerts), i+2); n++ {
		fmt.Fprintf(&b, "%d %.300s\n", n, alerts[n])
	}
	return b.String()
}
