package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keyFiles are two keys in files.
func keyFiles(t *testing.T) (key, other string) {
	t.Helper()
	dir := t.TempDir()
	key, other = filepath.Join(dir, "state.key"), filepath.Join(dir, "other.key")
	writeFile(t, key, strings.Repeat("5a", 32)+"\n")
	writeFile(t, other, strings.Repeat("5b", 16)+"\n")
	return key, other
}

// well runs a verb that must go well, and returns what it prints.
func well(t *testing.T, args ...string) string {
	t.Helper()
	text, messages, code := cepheusOutput(t, args...)
	if code != exitWell {
		t.Fatalf("%v: exit code %d: %s%s", args, code, text, messages)
	}
	return text
}

// TestLifeOfAnEncryptedFolder takes one through every verb.
func TestLifeOfAnEncryptedFolder(t *testing.T) {
	key, other := keyFiles(t)
	rules, temp := rulesFile(t), t.TempDir()
	dir, backup := filepath.Join(temp, "data"), filepath.Join(temp, "b.backup")
	p := start(t, "run", "--rules", rules, "--input", "-", "--state", dir, "--state-key", key)
	p.send(t, 1)
	well(t, "state", "backup", dir, backup, "--state-key", key) // of a run that goes on
	for _, k := range []string{"", other} {
		args := []string{"state", "backup", dir, backup + "2"}
		if k != "" {
			args = append(args, "--state-key", k)
		}
		if _, messages, code := cepheusOutput(t, args...); code != exitUsage || !strings.Contains(messages, "--state-key") || !strings.Contains(messages, dir) {
			t.Errorf("backup with the key %q: exit code %d: %s", k, code, messages)
		}
	}
	if text := well(t, "state", "info", dir); !strings.Contains(text, "encrypted  yes") {
		t.Errorf("info of a run: %s", text)
	}
	p.in.Close()
	p.ends(t, 0)

	for _, args := range [][]string{
		{"state", "info", dir},
		{"state", "info", dir, "--state-key", other},
		{"state", "verify", dir},
		{"state", "compact", dir},
		{"state", "rekey", dir, "--to", other},
		{"run", "--rules", rules, "--input", "/dev/null", "--state", dir},
		{"run", "--rules", rules, "--input", "/dev/null", "--state", dir, "--state-key", other},
		{"state", "restore", backup, filepath.Join(temp, "x")},
		{"state", "restore", backup, filepath.Join(temp, "x"), "--state-key", other},
	} {
		if _, messages, code := cepheusOutput(t, args...); code != exitUsage || !strings.Contains(messages, "--state-key") || strings.Contains(messages, "5a5a") {
			t.Errorf("%v: exit code %d: %s", args, code, messages)
		}
	}

	well(t, "state", "info", dir, "--state-key", key)
	well(t, "state", "verify", dir, "--state-key", key, "--rules", rules)
	well(t, "state", "compact", dir, "--state-key", key)
	well(t, "state", "rekey", dir, "--state-key", key, "--to", other)
	if _, _, code := cepheusOutput(t, "state", "info", dir, "--state-key", key); code != exitUsage {
		t.Errorf("the former key: exit code %d", code)
	}
	again, plain := filepath.Join(temp, "again"), filepath.Join(temp, "plain")
	well(t, "state", "restore", backup, again, "--state-key", other, "--backup-key", key)
	well(t, "state", "restore", backup, plain, "--state-key", key, "--plain")
	well(t, "state", "info", plain)
	for _, folder := range []string{dir, again} {
		p = start(t, "run", "--rules", rules, "--input", "-", "--state", folder, "--state-key", other)
		p.send(t, 2)
		p.in.Close()
		p.ends(t, 0)
	}
	if _, messages, code := cepheusOutput(t, "state", "info", plain, "--state-key", key); code != exitUsage || !strings.Contains(messages, "is not encrypted") {
		t.Errorf("a key for a folder that is not encrypted: exit code %d: %s", code, messages)
	}
}

func TestKeyOfTheConfiguration(t *testing.T) {
	_, other := keyFiles(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "events.jsonl"), "")
	writeFile(t, filepath.Join(dir, "state.key"), strings.Repeat("5a", 32))
	writeFile(t, filepath.Join(dir, "bad.key"), "hunter2hunter2")
	file := filepath.Join(dir, "cepheus.yaml")
	with := func(key string) string {
		return "rules: [" + rulesFile(t) + "]\nstate: { dir: data, encryption: { key: " + key + " } }\nsources: { a: { file: { paths: [events.jsonl] } } }\n"
	}
	writeFile(t, file, with("{ file: state.key }"))
	well(t, "run", "-c", file)
	well(t, "state", "info", filepath.Join(dir, "data"), "--state-key", filepath.Join(dir, "state.key"))
	well(t, "run", "-c", file)
	writeFile(t, file, with(strings.Repeat("5b", 16)))
	if _, messages, code := cepheusOutput(t, "run", "-c", file); code != exitUsage || !strings.Contains(messages, "state.encryption.key") || strings.Contains(messages, "5b5b") {
		t.Errorf("another key: exit code %d: %s", code, messages)
	}
	writeFile(t, file, with("{ file: bad.key }"))
	if text, messages, code := cepheusOutput(t, "check", "-c", file); code == exitWell || !strings.Contains(text, "state.encryption.key") || strings.Contains(text+messages, "hunter") {
		t.Errorf("no key: exit code %d: %s%s", code, text, messages)
	}
	t.Setenv("CEPHEUS_STATE_KEY", strings.Repeat("5a", 32))
	well(t, "state", "verify", filepath.Join(dir, "data"))
	if _, messages, code := cepheusOutput(t, "state", "verify", filepath.Join(dir, "data"), "--state-key", other); code != exitUsage {
		t.Errorf("the flag goes before the environment: exit code %d: %s", code, messages)
	}
	t.Setenv("CEPHEUS_STATE_KEY", "hunter2")
	if _, messages, code := cepheusOutput(t, "state", "verify", filepath.Join(dir, "data")); code != exitUsage || !strings.Contains(messages, "CEPHEUS_STATE_KEY") || strings.Contains(messages, "hunter") {
		t.Errorf("no key in the environment: exit code %d: %s", code, messages)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
