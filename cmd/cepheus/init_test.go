package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/rules/packs"
)

// TestProjectsOfAllPacks runs the commands of the README that each project has, as they
// stand there, with every rule of the pack for RULE; and its configuration as it is when
// the lines that are commented out in it are not.
func TestProjectsOfAllPacks(t *testing.T) {
	for _, pack := range packs.Names() {
		t.Run(pack, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shell(t, dir, "cepheus init --pack "+pack+" shop")
			dir = filepath.Join(dir, "shop")
			for _, command := range commandsOf(t, filepath.Join(dir, "README.md")) {
				if strings.Contains(command, "RULE") {
					for _, rule := range rulesIn(t, dir) {
						says(t, dir, strings.ReplaceAll(command, "RULE", rule), rule+" fired ")
					}
					continue
				}
				shell(t, dir, command)
			}
			uncomment(t, filepath.Join(dir, "cepheus.yaml"))
			says(t, dir, "ALERTS_URL=http://localhost:1/ cepheus check -c cepheus.yaml", "")
		})
	}
}

// shell runs a command that is to be well, and returns what it prints.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("$ %s\n%s%v", command, out, err)
	}
	return string(out)
}

func says(t *testing.T, dir, command, text string) {
	t.Helper()
	if out := shell(t, dir, command); !strings.Contains(out, text) || text == "" && out != "" {
		t.Errorf("$ %s\n%swant %q", command, out, text)
	}
}

// commandsOf are the indented lines of a page.
func commandsOf(t *testing.T, path string) (out []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^    (cepheus .*)$`).FindAllStringSubmatch(read(t, path), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatalf("%s has no commands", path)
	}
	return out
}

func rulesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "rules", "*.cep"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		for _, m := range regexp.MustCompile(`(?m)^rule (\w+)`).FindAllStringSubmatch(read(t, path), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// uncomment takes in the keys of a configuration that are commented out.
func uncomment(t *testing.T, path string) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^( *)# ( *\w+:)`).ReplaceAllString(read(t, path), "$1$2")
	for _, key := range []string{"\n    kafka:", "\n    webhook:", "\nstate:"} {
		if !strings.Contains(text, key) {
			t.Errorf("%s does not show %q", path, strings.TrimSpace(key))
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
