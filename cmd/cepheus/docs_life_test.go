package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestLifeOfARuleInTheDocuments runs the commands of docs/life-of-a-rule.md, as those of
// consolePages are, against an engine that runs with the page's configuration, at a port of
// its own.
func TestLifeOfARuleInTheDocuments(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	path := filepath.Join("..", "..", "docs", "life-of-a-rule.md")
	page := read(t, path)
	port := freePort(t)
	text := strings.ReplaceAll(page, ":8080", ":"+port)
	dir := t.TempDir()
	begin, _, _ := strings.Cut(text, "```console")
	layFiles(t, dir, begin)
	p := startIn(t, dir, "run", "-c", "cepheus.yaml")
	p.address(t)
	t.Setenv("CEPHEUS_SERVER", "http://127.0.0.1:"+port)
	got := strings.ReplaceAll(playedIn(t, dir, text), ":"+port, ":8080")
	if got = settled(got); got != page && os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	http.DefaultClient.CloseIdleConnections()
}

func settled(page string) string {
	page = regexp.MustCompile(`("epoch":)[0-9]+`).ReplaceAllString(page, "$1…")
	page = regexp.MustCompile(`20[0-9-]{8}T[0-9:]+Z( +)(anonymous|folder)`).ReplaceAllString(page, "…$1$2")
	return unsettled.ReplaceAllString(page, "$1…$2")
}

// unsettled is what differs from run to run: times of our making, durations, versions of texts.
var unsettled = regexp.MustCompile(`("(?:time|set|version|pause_seconds|id)":\s*"?)(?:20[0-9T:.Z-]+|[0-9a-f]{16,}|0\.[0-9e-]+|[0-9]e-[0-9]+)("?)`)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
