package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tmpfs mounts a file system of so many MiB, for the time of a test.
func tmpfs(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size))
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("mounting a small file system is for root; CI=true makes this a failure")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func remount(t *testing.T, dir string, flags uintptr, size int) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Fatal(err)
	}
}

// heavyRules keep all that they see.
const heavyRules = `
event pay (time: at) {
    at   time
    card string
    n    int
    text string
}
rule waits { by card  match a: pay[n > 2] -> b: pay[n == 1]  within 30d }
rule seen { from pay where n == 7  by card  emit { n: n } }
`

// heavy makes inputs whose state is about as large as they are.
func heavy(t *testing.T, events int) (rules string, input string) {
	t.Helper()
	dir := t.TempDir()
	rules, input = filepath.Join(dir, "heavy.cep"), filepath.Join(dir, "events.jsonl")
	var b bytes.Buffer
	text := strings.Repeat("evidence ", 400)
	for i := range events {
		at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, `{"type":"pay","at":%q,"card":"c%d","n":%d,"text":"%d %s"}`+"\n", at, i%2999, 3+i%5, i, text)
	}
	for path, text := range map[string][]byte{rules: []byte(heavyRules), input: b.Bytes()} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return rules, input
}

// failure is how a run failed.
type failure struct {
	code int // of the exit; -1: a signal
	said string
}

func failureOf(t *testing.T, err error) failure {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got %v, want a failure", err)
	}
	return failure{exit.ExitCode(), err.Error()}
}

func (f failure) wants(t *testing.T, code int, said ...string) {
	t.Helper()
	if f.code != code {
		t.Errorf("exit code %d, want %d:\n%.3000s", f.code, code, f.said)
	}
	for _, s := range said {
		if !strings.Contains(f.said, s) {
			t.Errorf("no word of %q:\n%.3000s", s, f.said)
		}
	}
}

// uninterrupted is what comes of a run that nothing stops.
func (b *program) uninterrupted(t *testing.T) []string {
	t.Helper()
	to := &piped{}
	if _, err := b.run(t.Context(), place{t.TempDir()}, to, -1); err != nil {
		t.Fatal(err)
	}
	return b.delivered(t, to)
}

func (b *program) delivered(t *testing.T, to receiver) []string {
	t.Helper()
	lines, err := to.alerts()
	if err != nil {
		t.Fatal(err)
	}
	alerts, _, err := distinct(lines)
	if err != nil {
		t.Fatal(err)
	}
	return alerts
}

// goesOnTo runs to the end and wants all alerts.
func (b *program) goesOnTo(t *testing.T, p place, to receiver, want []string) {
	t.Helper()
	if _, err := b.run(t.Context(), p, to, -1); err != nil {
		t.Fatalf("after the mend: %v", err)
	}
	(&outcome{alerts: want}).compare(t, &outcome{alerts: b.delivered(t, to)})
}

func TestFullDiskStopsWithAMessageAndGoesOnWhenThereIsRoom(t *testing.T) {
	dir := tmpfs(t, 90)
	b := &program{path: build(t), epoch: 200}
	rules, input := heavy(t, 12_000)
	b.rules, b.inputs = rules, []string{input}
	p, to := place{dir}, &piped{}
	for range 3 { // a start on the full disk says the same again
		_, err := b.run(t.Context(), p, to, -1)
		failureOf(t, err).wants(t, 3, "nearly full", "make room", "nothing committed is lost")
	}
	remount(t, dir, 0, 600)
	b.goesOnTo(t, p, to, b.uninterrupted(t))
}

// TestDiskThatOthersFill: all room goes from one moment to the next, also in the middle of
// an epoch, where it may end in a signal.
func TestDiskThatOthersFill(t *testing.T) {
	dir := tmpfs(t, 200)
	b := &program{path: build(t), epoch: 100}
	rules, input := heavy(t, 3_000)
	b.rules, b.inputs = rules, []string{input}
	p, filler := place{dir}, filepath.Join(dir, "filler")
	to := &piped{first: func(*os.Process) { fillUp(filler) }}
	_, err := b.run(t.Context(), p, to, -1)
	if f := failureOf(t, err); f.code == 3 {
		f.wants(t, 3, "nearly full")
	} else {
		t.Logf("in the middle of an epoch: exit code %d, %.200s", f.code, f.said)
	}
	fillUp(filler)
	_, err = b.run(t.Context(), p, to, -1)
	failureOf(t, err).wants(t, 3, "nearly full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.goesOnTo(t, p, to, b.uninterrupted(t))
}

// fillUp writes until there is no room.
func fillUp(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func TestDiskThatCannotBeWritten(t *testing.T) {
	dir := tmpfs(t, 200)
	b := &program{path: build(t), epoch: 500}
	rules, input := heavy(t, 2_000)
	b.rules, b.inputs = rules, []string{input}
	to := &piped{first: func(p *os.Process) { p.Kill() }}
	before := place{dir}
	if killed, err := b.run(t.Context(), before, to, -1); err != nil || !killed {
		t.Fatal("not killed", err)
	}
	remount(t, dir, syscall.MS_RDONLY, 200)
	dead := place{t.TempDir()}.dead()
	_, err := b.runWith(t.Context(), before, to, -1, dead)
	failureOf(t, err).wants(t, 2, "read-only file system", before.state())
	remount(t, dir, 0, 200)
	b.goesOnTo(t, before, to, b.uninterrupted(t))
}

// refusing is a receiver that has no room.
type refusing struct{}

func (refusing) connect(cmd *exec.Cmd) (done func() error, err error) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	cmd.Stdout = f
	return f.Close, err
}

func (refusing) alerts() ([]string, error) { return nil, nil }

func TestReceiverWithoutRoomLosesNothing(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full: ", err)
	}
	b := &program{path: build(t), epoch: 200}
	rules, input := heavy(t, 2_000)
	b.rules, b.inputs = rules, []string{input}
	p, to := place{t.TempDir()}, &piped{}
	for range 2 {
		_, err := b.run(t.Context(), p, refusing{}, -1)
		failureOf(t, err).wants(t, 3, "sink stdout", "no space left on device")
	}
	b.goesOnTo(t, p, to, b.uninterrupted(t))
}

// TestDeadLettersWithoutRoom: what cannot be kept is not passed over.
func TestDeadLettersWithoutRoom(t *testing.T) {
	dir := tmpfs(t, 1)
	b := &program{path: build(t), rules: "testdata", epoch: 200}
	b.inputs = traffic{events: 6_000, cards: 60, every: 50e6}.write(t, chance(t), t.TempDir())
	whole, sent := place{t.TempDir()}, &piped{}
	if _, err := b.run(t.Context(), whole, sent, -1); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	fillUp(filler)
	p, to, dead := place{t.TempDir()}, &piped{}, filepath.Join(dir, "dead.jsonl")
	_, err := b.runWith(t.Context(), p, to, -1, dead)
	failureOf(t, err).wants(t, 3, "dead letters", "no space left on device")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, err := b.runWith(t.Context(), p, to, -1, dead); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dead)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.dead(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	outcomeOf(t, whole, sent).compare(t, outcomeOf(t, p, to))
}
