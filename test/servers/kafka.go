package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Kafka is a running cluster; see kafka.sh for its listeners and users.
type Kafka struct {
	Dir     string // its files: ca.pem, client.pem, client.key
	brokers int
	port    int
}

// StartKafka starts a cluster of one or three brokers and stops it when the test ends.
func StartKafka(t testing.TB, brokers int) *Kafka {
	t.Helper()
	if testing.Short() {
		t.Skip("a real Kafka takes seconds to start")
	}
	k := &Kafka{Dir: t.TempDir(), brokers: brokers}
	if out, err := k.script("install"); err != nil {
		missing(t, "Kafka cannot be installed", out, err)
	}
	var out string
	var err error
	for range 3 { // a port that is free now may be taken by the time it is wanted
		k.port = freePorts(10 * brokers)
		if out, err = k.script("start", k.Dir, strconv.Itoa(k.port), strconv.Itoa(brokers)); err == nil {
			break
		}
		_, _ = k.script("stop", k.Dir)
	}
	t.Cleanup(func() {
		if out, err := k.script("stop", k.Dir); err != nil {
			t.Errorf("stop Kafka: %v\n%s", err, out)
		}
	})
	if err != nil {
		t.Fatalf("start Kafka: %v\n%s", err, out)
	}
	return k
}

// missing skips the test, or fails it where servers must be there.
func missing(t testing.TB, what, out string, err error) {
	t.Helper()
	text := fmt.Sprintf("%s: %v: %s", what, err, strings.TrimSpace(out))
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// freePorts finds n ports in a row that nothing listens at, below those the system gives.
func freePorts(n int) int {
	for {
		port := 20000 + rand.IntN(1200)*10
		free := true
		for p := port; p < port+n && free; p++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
			if free = err == nil; free {
				free = l.Close() == nil
			}
		}
		if free {
			return port
		}
	}
}

func (k *Kafka) script(args ...string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	out, err := exec.Command(filepath.Join(filepath.Dir(here), "kafka.sh"), args...).CombinedOutput()
	return string(out), err
}

// Plain returns the addresses of the listeners without encryption and login.
func (k *Kafka) Plain() []string { return k.addresses(0) }

// SASL returns those of the listeners with TLS and login.
func (k *Kafka) SASL() []string { return k.addresses(2) }

// SSL returns those of the listeners with TLS that want a client's certificate.
func (k *Kafka) SSL() []string { return k.addresses(3) }

func (k *Kafka) addresses(offset int) []string {
	var all []string
	for n := range k.brokers {
		all = append(all, fmt.Sprintf("localhost:%d", k.port+10*n+offset))
	}
	return all
}

// File is the path of one of the cluster's files.
func (k *Kafka) File(name string) string { return filepath.Join(k.Dir, name) }

// Kill ends a broker, counted from 1, by SIGKILL, and returns when its process is gone.
func (k *Kafka) Kill(t testing.TB, broker int) { k.must(t, "kill", broker) }

// Again starts a broker that was killed, over its data.
func (k *Kafka) Again(t testing.TB, broker int) { k.must(t, "again", broker) }

func (k *Kafka) must(t testing.TB, verb string, broker int) {
	t.Helper()
	if out, err := k.script(verb, k.Dir, strconv.Itoa(broker)); err != nil {
		t.Fatalf("%s broker %d: %v\n%s", verb, broker, err, out)
	}
}
