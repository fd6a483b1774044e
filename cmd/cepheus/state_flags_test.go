package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]size{"1MiB": 1 << 20, "1.5GiB": 3 << 29, "2 MB": 2e6, "1048576B": 1 << 20} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"512": "needs its unit", "5x": "not a size", "": "not a size", "-1MiB": "not a size", "NaNMiB": "not a size",
		"9e30GiB": "not a size", "12KiB": "the least", "MiB": "not a size",
	} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestCommitIntervals(t *testing.T) {
	var got every
	if err := got.UnmarshalText([]byte("250ms")); err != nil || time.Duration(got) != 250*time.Millisecond {
		t.Errorf("250ms: %v, %v", time.Duration(got), err)
	}
	for text, want := range map[string]string{"0": "out of bounds", "-1s": "out of bounds", "2h": "out of bounds", "1": "not a duration", "soon": "not a duration"} {
		if err := got.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestFlagsOfStateNeedState(t *testing.T) {
	rules := rulesFile(t)
	for _, flags := range [][]string{{"--cache", "64MiB"}, {"--commit", "2s"}, {"--no-sync"}, {"--state-key", rules}} {
		args := append([]string{"run", "--rules", rules, "--input", "/dev/null"}, flags...)
		if _, messages, code := cepheusOutput(t, args...); code != exitUsage || !strings.Contains(messages, "--state DIR") {
			t.Errorf("%v without --state: exit code %d: %s", flags, code, messages)
		}
	}
	args := []string{"run", "--rules", rules, "--input", "/dev/null", "--state", filepath.Join(t.TempDir(), "data"), "--cache", "64MiB", "--commit", "2s", "--no-sync"}
	if _, messages, code := cepheusOutput(t, args...); code != exitWell {
		t.Errorf("with --state: exit code %d: %s", code, messages)
	}
}
