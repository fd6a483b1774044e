package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cepheus-cep/cepheus/config"
)

const manyRule = "rule many {\n  from e\n  by key\n  window last 12\n  having count() == 12\n  emit { total: sum(n) }\n}\n"

// TestARuleIsWarmedFromKafka: what the topic holds from before counts, and so does what comes
// after, once each.
func TestARuleIsWarmedFromKafka(t *testing.T) {
	const partitions = 2
	b := startBroker(t, partitions)
	path := b.config(t, "")
	appendText(t, path, "api: { listen: 127.0.0.1:0 }\n")
	b.send(t, 10, partitions)
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t), dir: filepath.Dir(path)}
	eventually(t, "all is read", func() bool {
		out, _ := c.does(t, 0, "", "rules", "ls")
		return out != "" && len(seen(t, path)) >= 10
	})
	rule := filepath.Join(c.dir, "many.txt")
	if err := os.WriteFile(rule, []byte(manyRule), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said := c.does(t, 0, "", "rules", "put", rule, "--name", "many.cep", "--warm-from", "2020-01-01T00:00:00Z")
	if !strings.Contains(out, "many  added") || !strings.Contains(said, "warm: 10 records of the past, 0 alerts") {
		t.Errorf("it says\n%s%s", out, said)
	}
	out, _ = c.does(t, 0, "", "rules", "warmings")
	if !strings.Contains(out, "warm   many") {
		t.Errorf("warmings\n%s", out)
	}
	b.send(t, 2, partitions)
	eventually(t, "the alert of twelve", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.dir, "alerts.jsonl"))
		return strings.Contains(string(text), `"total":78`)
	})
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

func appendText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestARuleIsWarmedByAFile of a folder that is allowed.
func TestARuleIsWarmedByAFile(t *testing.T) {
	path := configOf(t, `
rules: [r.cep]
sources: { in: { http: {}, type: e } }
sinks: { out: { stdout: {} } }
api: { listen: 127.0.0.1:0, past: [past] }
`)
	dir := filepath.Dir(path)
	if err := os.Mkdir(filepath.Join(dir, "past"), 0o700); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for n := range 11 {
		fmt.Fprintf(&lines, `{"at":"2025-01-01T00:00:%02dZ","key":"k","n":%d}`+"\n", n, n)
	}
	for name, text := range map[string]string{"past/old.jsonl": lines.String(), "many.txt": manyRule} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "run", "-c", path)
	c := &client{server: p.address(t), dir: dir}
	c.does(t, 0, "", "rules", "put", "many.txt", "--name", "many.cep", "--warm-file", "old.jsonl", "--no-wait")
	if out, _ := c.does(t, 0, "", "rules", "warmings"); !strings.Contains(out, "it waits for the first event that the engine reads") {
		t.Errorf("before any event\n%s", out)
	}
	c.does(t, 0, "", "rules", "warmings", "--end", "1")
	c.does(t, 0, eventLine(1), "events", "push", "-")
	p.line(t)
	eventually(t, "the warming has ended", func() bool {
		out, _ := c.does(t, 0, "", "rules", "warmings")
		return strings.Contains(out, "failed")
	})
	put := func(code int, args ...string) string {
		out, said := c.does(t, code, "", append([]string{"rules", "put", "many.txt", "--name", "many.cep"}, args...)...)
		return out + said
	}
	if said := put(3, "--warm-file", "../many.txt"); !strings.Contains(said, "api.past") {
		t.Error(said)
	}
	if said := put(0, "--warm-file", "old.jsonl"); !strings.Contains(said, "not read again: in") || !strings.Contains(said, "warm: 11 records") {
		t.Error(said)
	}
	c.does(t, 0, eventLine(30), "events", "push", "-")
	for {
		if line := p.line(t); strings.Contains(line, "many") {
			if !strings.Contains(line, `"total":85`) {
				t.Error(line)
			}
			break
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}

// TestFilesOfThePastLieInAllowedFolders, whatever their names say.
func TestFilesOfThePastLieInAllowedFolders(t *testing.T) {
	dir := t.TempDir()
	allowed, secret := filepath.Join(dir, "past"), filepath.Join(dir, "secret")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(allowed, "deep"), 0o700),
		os.WriteFile(filepath.Join(allowed, "deep", "a"), nil, 0o600),
		os.WriteFile(secret, nil, 0o600),
		os.Symlink(secret, filepath.Join(allowed, "link")),
		os.Symlink(filepath.Join("deep", "a"), filepath.Join(allowed, "inner")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v := &runVerb{file: &config.Config{API: &config.API{Past: []config.Path{{Name: filepath.Join(dir, "none")}, {Name: allowed}}}}}
	for path, ok := range map[string]bool{
		"deep/a": true, filepath.Join(allowed, "deep", "a"): true, "inner": true, "deep/../deep/a": true,
		"": false, ".": false, "deep": false, "link": false, "../secret": false, secret: false, "none": false, "a\x00b": false, "/etc/passwd": false,
	} {
		if _, err := v.pastFile(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := (&runVerb{}).pastFile(secret); err == nil {
		t.Error("no folder is allowed, and a file is")
	}
}
