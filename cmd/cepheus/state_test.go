package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cepheus runs this test binary by the name cepheus, to its end.
func cepheusOutput(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := itself(t, args...)
	var out, messages strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &messages
	cmd.Run()
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

func TestBackupOfARunningProcess(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	backup, again := filepath.Join(t.TempDir(), "b.backup"), filepath.Join(t.TempDir(), "again")
	p := start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	p.send(t, 1)
	text, messages, code := cepheusOutput(t, "state", "info", "--json", dir)
	info := &stateInfo{}
	if err := json.Unmarshal([]byte(text), info); err != nil || code != 0 || info.Epoch == 0 || len(info.Rules) == 0 {
		t.Errorf("info: exit code %d, %v: %s%s", code, err, text, messages)
	}
	if text, messages, code := cepheusOutput(t, "state", "backup", dir, backup); code != 0 || !strings.Contains(text, "records") {
		t.Fatalf("backup: exit code %d: %s%s", code, text, messages)
	}
	for _, verb := range []string{"verify", "compact"} {
		if _, messages, code := cepheusOutput(t, "state", verb, dir); code != 2 || !strings.Contains(messages, "in use by another process (process ") {
			t.Errorf("%s of a folder in use: exit code %d: %s", verb, code, messages)
		}
	}
	p.send(t, 2)
	if line := p.line(t); !strings.Contains(line, `"rule":"pair"`) {
		t.Fatalf("after the backup: %s", line)
	}
	p.in.Close()
	p.ends(t, 0)

	if text, messages, code := cepheusOutput(t, "state", "restore", backup, again); code != 0 {
		t.Fatalf("restore: exit code %d: %s%s", code, text, messages)
	}
	p = start(t, "run", "--rules", rules, "--input", "-", "--state", again)
	p.send(t, 2) // what comes may be the alert of event 1 again: its delivery was not committed yet
	line := p.line(t)
	if strings.Contains(line, `"rule":"event_seen"`) {
		line = p.line(t)
	}
	if !strings.Contains(line, `"rule":"pair"`) {
		t.Errorf("the pattern begun before the backup did not complete after it: %s", line)
	}
	p.in.Close()
	p.ends(t, 0)
}

func TestStartAfterACrashSaysWhereItGoesOn(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	p := start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	p.send(t, 1)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if info, err := os.Lstat(filepath.Join(dir, "control")); err != nil || info.Mode()&os.ModeSocket == 0 {
		t.Errorf("no socket is left behind: %v", err)
	}
	p = start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	p.send(t, 2)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(t, 0)
	want := "did not end: nothing had to be undone; going on after epoch "
	if got := p.messages.String(); !strings.Contains(got, want) || strings.Count(got, "did not end") != 1 {
		t.Errorf("standard error does not say %q:\n%s", want, got)
	}
	p = start(t, "run", "--rules", rules, "--input", "-", "--state", dir)
	p.in.Close()
	p.ends(t, 0)
	if got := p.messages.String(); strings.Contains(got, "did not end") {
		t.Errorf("after a clean end: %s", got)
	}
}

// TestVerifyReadsTheJournal damages the journal of a run that was killed: a record before
// the last, which no crash does.
func TestVerifyReadsTheJournal(t *testing.T) {
	rules, dir := rulesFile(t), filepath.Join(t.TempDir(), "data")
	p := start(t, "run", "--rules", rules, "--input", "-", "--state", dir, "--commit", "1ms")
	p.send(t, 1)
	p.send(t, 2)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	path := filepath.Join(dir, "journal", "000001.log")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log[40]++
	if err := os.WriteFile(path, log, 0o600); err != nil {
		t.Fatal(err)
	}
	text, messages, code := cepheusOutput(t, "state", "verify", dir)
	if code != 1 || !strings.Contains(text, "journal/000001.log at byte 0: ") {
		t.Errorf("exit code %d: %s%s", code, text, messages)
	}
}
