package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var configurationPages = []string{"configuration.md", "kafka.md", "kafka-sink.md", "sinks.md", "state.md", "add-a-sink.md"}

// TestConfigurationsOfDocuments checks every configuration that the documents show: a whole
// one as it stands, and what they show of a Kafka source as that of a source.
func TestConfigurationsOfDocuments(t *testing.T) {
	shown := 0
	for _, page := range configurationPages {
		text := read(t, filepath.Join("..", "..", "docs", page))
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(text, -1) {
			shown++
			dir := surroundings(t)
			if err := os.WriteFile(filepath.Join(dir, "cepheus.yaml"), []byte(whole(m[1])), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, dir, "KAFKA_PASSWORD=x HOOK_TOKEN=x cepheus check -c cepheus.yaml", "")
		}
	}
	if shown == 0 {
		t.Error("the documents show no configuration: this test looks in the wrong place")
	}
}

// whole is a configuration that has what a document shows.
func whole(text string) string {
	if !strings.HasPrefix(text, "brokers:") {
		return text
	}
	text = strings.ReplaceAll(text, "…", "x")
	return "rules: [rules]\nsources:\n  s:\n    type: e\n    kafka:\n      topics: [t]\n      " +
		strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ") + "\n"
}

// surroundings is a folder with the rules and files that configurations name.
func surroundings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"rules/e.cep":          "event e (time: at) { at time }\nevent payment (time: at) { at time }\nrule port_scan { from e }\nrule host_down { from e  emit { host: \"h\" } }\n",
		"rules/fraud/e.cep":    "event payment (time: at) { at time }\n",
		"rules/security/e.cep": "rule r { from payment }\n",
		"secrets/hook-url":     "https://hooks.example.com/x\n",
		"conf/state.key":       strings.Repeat("a7", 32),
		"conf/redact.key":      strings.Repeat("a8", 32),
		"ca.pem":               "",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
