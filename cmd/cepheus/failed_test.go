package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSummaryOfAFailedRunTellsWhatIsCommitted runs over events of which a late one cannot
// be decoded, while there is nowhere to keep it: the epoch with it is not committed.
func TestSummaryOfAFailedRunTellsWhatIsCommitted(t *testing.T) {
	const events = 20_000
	for name, c := range map[string]struct {
		bad   int // after how many events
		state bool
	}{
		"the only epoch, state on disk": {50, true},
		"the first epoch":               {0, false},
		"the last epoch":                {events, false},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			for n := range events {
				if n == c.bad {
					text.WriteString("no event\n")
				}
				text.WriteString(`{"type":"e","at":"2026-01-01T00:00:00Z","key":"k","n":7}` + "\n")
			}
			if c.bad == events {
				text.WriteString("no event\n")
			}
			args := []string{}
			if c.state {
				args = []string{"--state", filepath.Join(t.TempDir(), "data")}
			}
			alerts, summary := runToFailure(t, text.Bytes(), args...)
			if c.bad == events && (alerts == 0 || alerts >= events) || c.bad < 1000 && alerts != 0 {
				t.Errorf("%d alerts of %d", alerts, events)
			}
			for _, line := range []string{"events", "alerts", "  event_seen"} {
				if !regexp.MustCompile(fmt.Sprintf(`(?m)^%s +%d\b`, line, alerts)).MatchString(summary) {
					t.Errorf("%d alerts came out; the summary differs in %q:\n%s", alerts, line, summary)
				}
			}
			if !strings.Contains(summary, "the run failed; what follows was committed before\n") {
				t.Errorf("the summary does not say what it is of:\n%s", summary)
			}
		})
	}
}

// TestDeliveryThatFailsEndsARunThatWaits: the input stays open and is silent, so nothing
// more is committed that would tell.
func TestDeliveryThatFailsEndsARunThatWaits(t *testing.T) {
	for name, args := range map[string][]string{
		"state in memory": nil,
		"state on disk":   {"--state", filepath.Join(t.TempDir(), "data"), "--commit", "1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.NotFoundHandler()) // refuses for good
			defer server.Close()
			nowhere := filepath.Join(t.TempDir(), "dead.jsonl")
			if err := os.Symlink(filepath.Join("no", "such", "folder"), nowhere); err != nil {
				t.Fatal(err)
			}
			p := start(t, append([]string{"run", "--rules", rulesFile(t), "--input", "-", "--sink", server.URL, "--dead-letters", nowhere}, args...)...)
			if _, err := fmt.Fprintln(p.in, `{"type":"e","at":"2026-01-01T00:00:01Z","key":"k","n":1}`); err != nil {
				t.Fatal(err)
			}
			p.ends(t, exitFailed)
			if got := p.messages.String(); !strings.Contains(got, "the run failed") || strings.Contains(got, "signal") {
				t.Errorf("standard error: %s", got)
			}
		})
	}
}

// runToFailure runs over events with nowhere to keep dead letters, and returns how many
// alerts came out and what standard error says.
func runToFailure(t *testing.T, events []byte, args ...string) (alerts int, summary string) {
	t.Helper()
	input := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(input, events, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var messages bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self)
	nowhere := filepath.Join(t.TempDir(), "dead.jsonl")
	if err := os.Symlink(filepath.Join("no", "such", "folder"), nowhere); err != nil {
		t.Fatal(err)
	}
	cmd.Args = append([]string{"cepheus", "run", "--rules", rulesFile(t), "--input", input, "--dead-letters", nowhere}, args...)
	cmd.Stderr = &messages
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Fatalf("%v, want exit code %d; standard error:\n%s", err, exitFailed, messages.String())
	}
	return bytes.Count(out, []byte("\n")), messages.String()
}
