package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/cepheus-cep/cepheus/test/servers"
)

// TestAnAPIThatIsAsItsDocumentSays: a run with its state on disk is asked what its document
// says, and what it does not, by Schemathesis. CEPHEUS_SCHEMATHESIS=300 takes so many
// seconds, and draws other requests each time; else it is 25 seconds and the same ones. The stream of alerts never ends, so it has
// tests of its own.
func TestAnAPIThatIsAsItsDocumentSays(t *testing.T) {
	const hash = "$2a$04$SDK6i5.qqIMZDpga9zTOhOqxG1JyvWyPBBSdBeH4Ek44O5DJvm7oW" // of s3cret, by bcrypt
	path := configOf(t, fmt.Sprintf(`
rules: [r.cep]
state: { dir: data, commit: 10ms }
sources: { in: { http: {}, type_field: type } }
sinks: { log: { file: { path: alerts.jsonl } } }
api:
  listen: 127.0.0.1:0
  audit: audit.jsonl
  tokens:
    - { name: tester, hash: %q, scopes: [admin] }
`, hash))
	p := start(t, "run", "-c", path)
	at := p.address(t)
	c := &client{server: at, env: []string{"CEPHEUS_TOKEN=s3cret"}}
	c.does(t, 0, eventLine(1)+`{"type":"e"}`+"\n", "events", "push", "-") // an alert, and a dead letter
	examples, seconds, seed := "5", "25", 1
	if n := os.Getenv("CEPHEUS_SCHEMATHESIS"); n != "" {
		examples, seconds, seed = "50", n, 1+rand.IntN(10_000)
	}
	servers.Schemathesis(t, at+"/openapi.json", "-H", "Authorization: Bearer s3cret", "--exclude-path", "/v1/alerts/stream",
		"--max-examples", examples, "--max-time", seconds, "--seed", strconv.Itoa(seed), "--warnings", "off", "--output-truncate", "false")
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
}
