package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cepheus-cep/cepheus/test/servers"
)

// networkSinks are settings of every sink that goes over a network, encrypted and with a login,
// where HOST is the receiver. What they hold that is secret begins with s3cret.
func networkSinks() map[string]string {
	return map[string]string{
		"webhook":      `webhook: { url: "https://u:s3cretword@HOST/s3cretpath?k=s3cretkey", secret: s3cretsign, headers: { Authorization: Bearer s3crettoken } }`,
		"slack":        `slack: { url: "https://HOST/s3cretpath" }`,
		"teams":        `teams: { url: "https://HOST/s3cretpath" }`,
		"discord":      `discord: { url: "https://HOST/s3cretpath" }`,
		"pagerduty":    `pagerduty: { url: "https://HOST/", routing_key: s3cretkey }`,
		"opsgenie":     `opsgenie: { url: "https://HOST/", api_key: s3cretkey }`,
		"alertmanager": `alertmanager: { url: "https://u:s3cretword@HOST" }`,
		"email":        `email: { host: "HOST", from: a@b, to: [c@d], encryption: tls, user: u, password: s3cretword }`,
		"postgres":     `postgres: { url: "postgres://u:s3cretword@HOST/db?sslmode=verify-full" }`,
		"redis":        `redis: { url: "rediss://u:s3cretword@HOST/0" }`,
		"rabbitmq":     `rabbitmq: { url: "amqps://u:s3cretword@HOST/" }`,
		"kafka":        `kafka: { brokers: ["HOST"], topic: t, tls: {}, sasl: { mechanism: PLAIN, user: u, password: s3cretword }, start_timeout: 400ms, answer_within: 300ms }`,
	}
}

// sinksAt is a configuration of sinks with one receiver.
func sinksAt(t *testing.T, host string, names []string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "rules: [%q]\nsources: { e: { file: { paths: [e.jsonl] } } }\nstate: { dir: data }\nsinks:\n", rulesFile(t))
	for _, name := range names {
		fmt.Fprintf(&b, "  %s: { %s, timeout: 1s, fault: wait }\n", name, strings.ReplaceAll(networkSinks()[name], "HOST", host))
	}
	path := configOf(t, b.String())
	event := `{"type":"e","at":"2026-01-01T00:00:00Z","key":"k","n":7}` + "\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "e.jsonl"), []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSinksInTrouble: whatever the sink, where its receiver is not known, not there, never
// answers or has a certificate that has expired, check says so of each by its name, with the
// mend; a run says so too, and loses nothing; and nothing that is secret is shown.
func TestSinksInTrouble(t *testing.T) {
	names := slices.Sorted(maps.Keys(networkSinks()))
	for name, c := range map[string]struct {
		host string
		want []string
	}{
		"no such host":   {"nobody.invalid:1234", []string{"nobody.invalid", "known"}},
		"nobody listens": {"127.0.0.1:1", []string{"127.0.0.1:1", "refused"}},
		"silent":         {silentServer(t), []string{"no answer"}},
		"expired":        {expiredServer(t), []string{"expired", "certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := sinksAt(t, c.host, names)
			said := checkSays(t, path)
			for _, sink := range names {
				if line := lineOf(said, "sinks."+sink); !hasAll(line, c.want) {
					t.Errorf("check of %s says %q, not %q", sink, line, c.want)
				}
			}
			if t.Failed() {
				t.Log(said)
			}
			for _, sink := range []string{"webhook", "email", "postgres", "kafka"} {
				testSays(t, path, sink, c.want)
			}
			without := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "kafka" }) // it is connected to at the start
			runSays(t, sinksAt(t, c.host, without), without, c.want)
		})
	}
}

// TestSinksThatAreNotLetIn: a test of the sink says so, what to look at, and no secret; check
// does where the receiver can be asked without an alert.
func TestSinksThatAreNotLetIn(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(hook.Close)
	for name, c := range map[string]struct {
		settings string
		checked  bool
		want     []string
	}{
		"webhook":  {fmt.Sprintf(`webhook: { url: %q, headers: { Authorization: Bearer s3crettoken } }`, hook.URL+"/s3cretpath"), false, []string{"401", "credentials"}},
		"opsgenie": {fmt.Sprintf(`opsgenie: { url: %q, api_key: s3cretkey }`, hook.URL), false, []string{"401", "credentials"}},
		"postgres": {fmt.Sprintf(`postgres: { url: "postgres://u:s3cretword@%s/postgres?sslmode=disable" }`, servers.StartPostgres(t).Addr()), true, []string{"look at the user and password"}},
		"redis":    {fmt.Sprintf(`redis: { url: "redis://u:s3cretword@%s" }`, servers.StartRedis(t).Addr()), true, []string{"WRONGPASS", "look at the user and password"}},
		"rabbitmq": {fmt.Sprintf(`rabbitmq: { url: "amqp://u:s3cretword@%s/" }`, servers.StartRabbitMQ(t).Addr()), true, []string{"403", "look at the user, password"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := configOf(t, fmt.Sprintf("rules: [r.cep]\nsources: { e: { file: { paths: [r.cep] } } }\nsinks: { %s: { %s } }\n", name, c.settings))
			testSays(t, path, name, c.want)
			if said := checkSays(t, path); c.checked && !hasAll(said, append(c.want, "sinks."+name)) {
				t.Errorf("check says %q, not %q", said, c.want)
			}
		})
	}
}

func checkSays(t *testing.T, path string) string {
	t.Helper()
	p := start(t, "check", "-c", path, "--probe")
	out, _ := io.ReadAll(p.out)
	p.Wait()
	said := string(out) + p.messages.String()
	noSecret(t, "check", said)
	return said
}

func testSays(t *testing.T, path, sink string, want []string) {
	t.Helper()
	p := start(t, "sink", "test", "-c", path, sink)
	out, _ := io.ReadAll(p.out)
	p.Wait()
	said := string(out) + p.messages.String()
	noSecret(t, "sink test", said)
	if code := p.ProcessState.ExitCode(); code == 0 || !hasAll(said, append(want, "sink "+sink)) {
		t.Errorf("sink test %s: code %d: %s does not say %q", sink, code, said, want)
	}
}

// runSays waits until a run has warned of each sink.
func runSays(t *testing.T, path string, names, want []string) {
	t.Helper()
	p := start(t, "run", "-c", path)
	for _, sink := range names {
		eventually(t, "the run warns of "+sink, func() bool {
			return slices.ContainsFunc(strings.Split(p.messages.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "sink="+sink+" ") && hasAll(line, want)
			})
		})
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	noSecret(t, "run", p.messages.String())
}

func noSecret(t *testing.T, verb, said string) {
	t.Helper()
	if strings.Contains(said, "s3cret") {
		t.Errorf("%s shows a secret:\n%s", verb, said)
	}
}

func lineOf(text, what string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what) {
			return line
		}
	}
	return ""
}

func hasAll(text string, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) })
}

// silentServer takes connections, and answers nothing.
func silentServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// expiredServer has a certificate that was good until an hour ago. Processes that are started
// trust who signed it.
func expiredServer(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-25 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", trusted)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go shakeHands(c, config)
		}
	}()
	return l.Addr().String()
}

// shakeHands encrypts a connection; one of PostgreSQL asks in words of its own first.
func shakeHands(c net.Conn, config *tls.Config) {
	defer c.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if first[0] == 0 {
		if _, err := io.ReadFull(c, make([]byte, 7)); err != nil {
			return
		}
		c.Write([]byte("S"))
		first = nil
	}
	tls.Server(&halfRead{c, first}, config).Handshake() // the other end breaks it off
}

// halfRead is a connection of which the first bytes were read.
type halfRead struct {
	net.Conn
	first []byte
}

func (b *halfRead) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
