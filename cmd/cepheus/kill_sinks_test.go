package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// receiver is where alerts go in TestEngineKilledDuringDelivery.
type receiver struct {
	sink string                      // its settings
	once bool                        // it keeps ids itself
	most int                         // alerts that it is sent at most, where it is slow by itself; 0: no bound
	ids  func(t *testing.T) []string // that it has, as often as it has them
}

// TestEngineKilledDuringDelivery kills the engine, as kill -9 does, while it delivers, again
// and again: each alert arrives, and each once by its id.
func TestEngineKilledDuringDelivery(t *testing.T) {
	if testing.Short() {
		t.Skip("kills runs for seconds")
	}
	events, kills := 5000, 4
	if sinktest.Long() {
		events, kills = 100_000, 20
	}
	for name, open := range map[string]func(t *testing.T) receiver{
		"webhook": webhookReceiver, "file": fileReceiver, "postgres": postgresReceiver, "redis": redisReceiver, "rabbitmq": rabbitReceiver, "email": mailReceiver,
		"kafka": topicReceiver, "kafka, transactional": onceReceiver,
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			events := min(events, cmp.Or(r.most, events))
			killed, memory := killedRuns(t, r.sink, events, kills)
			ids := r.ids(t)
			different := map[string]bool{}
			for _, id := range ids {
				different[id] = true
			}
			lost, again := events-len(different), len(ids)-len(different)
			sinktest.Tell(t, name, fmt.Sprintf("engine killed %d times", killed), events, lost, again, memory)
			if lost != 0 || r.once && again != 0 || killed == 0 {
				t.Errorf("%d of %d alerts lost, %d came again, %d kills", lost, events, again, killed)
			}
		})
	}
}

// killedRuns runs until a run ends by itself, and kills those before it. memory is the most
// that a whole process took.
func killedRuns(t *testing.T, sink string, events, kills int) (killed int, memory string) {
	config := killConfig(t, sink, events)
	var most int64
	for ; ; killed++ {
		p := start(t, "run", "-c", config)
		if killed == kills {
			p.ends(t, 0)
			return killed, fmt.Sprintf("%d MiB", max(most, resident(p))>>20)
		}
		time.Sleep(time.Duration(300+100*(killed%8)) * time.Millisecond) // somewhere in it
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.Wait()
		most = max(most, resident(p))
		if p.ProcessState.ExitCode() >= 0 { // it was done before
			return killed, fmt.Sprintf("%d MiB", most>>20)
		}
	}
}

// resident is the most memory that a process had that is gone, in bytes.
func resident(p *process) int64 {
	if usage, ok := p.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10 // of Linux, in KiB
	}
	return 0
}

// killConfig is a run whose delivery takes about as long as its kills.
func killConfig(t *testing.T, sink string, events int) string {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "e.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	for n := range events {
		fmt.Fprintf(w, `{"type":"e","at":"2026-01-01T00:00:00Z","key":"k%d","n":7}`+"\n", n)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`
rules: [%q]
state: { dir: data, commit: 50ms }
sources: { e: { file: { paths: [e.jsonl] } } }
sinks: { s: { %s, rate: %d, burst: 100 } }
`, rulesFile(t), sink, min(5000, events/2))
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func idIn(t *testing.T, alert []byte) string {
	var a struct{ ID string }
	if err := json.Unmarshal(alert, &a); err != nil {
		t.Errorf("%v: %s", err, alert)
	}
	return a.ID
}

func webhookReceiver(t *testing.T) receiver {
	var mu sync.Mutex
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // whoever sent it was killed in the middle
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for line := range bytes.Lines(body) {
			ids = append(ids, idIn(t, line))
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return receiver{sink: fmt.Sprintf("webhook: { url: %q, batch: 20 }", server.URL), ids: func(*testing.T) []string {
		mu.Lock()
		defer mu.Unlock()
		return ids
	}}
}

func fileReceiver(t *testing.T) receiver {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	return receiver{sink: fmt.Sprintf("file: { path: %q }", path), ids: func(t *testing.T) (ids []string) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			ids = append(ids, idIn(t, lines.Bytes()))
		}
		return ids
	}}
}

func postgresReceiver(t *testing.T) receiver {
	url := fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", servers.StartPostgres(t).Addr())
	return receiver{sink: fmt.Sprintf("postgres: { url: %q }", url), once: true, ids: func(t *testing.T) []string {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		rows, err := conn.Query(t.Context(), "SELECT id FROM cepheus_alerts")
		if err != nil {
			t.Fatal(err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}}
}

func redisReceiver(t *testing.T) receiver {
	addr := servers.StartRedis(t).Addr()
	return receiver{sink: fmt.Sprintf("redis: { url: %q }", "redis://"+addr), once: true, ids: func(t *testing.T) (ids []string) {
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer client.Close()
		entries, err := client.XRange(t.Context(), "cepheus:alerts", "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			ids = append(ids, fmt.Sprint(e.Values["id"]))
		}
		return ids
	}}
}

func rabbitReceiver(t *testing.T) receiver {
	url := "amqp://guest:guest@" + servers.StartRabbitMQ(t).Addr()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	channel, err := conn.Channel()
	if err == nil {
		_, err = channel.QueueDeclare("alerts", true, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return receiver{sink: fmt.Sprintf("rabbitmq: { url: %q, routing_key: alerts }", url), ids: func(t *testing.T) (ids []string) {
		for {
			d, ok, err := channel.Get("alerts", true)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return ids
			}
			ids = append(ids, d.MessageId)
		}
	}}
}

func topicReceiver(t *testing.T) receiver {
	b := startBroker(t, 1).withAlerts(t)
	return receiver{sink: fmt.Sprintf("kafka: { brokers: [%q], topic: alerts }", b.ListenAddrs()[0]), ids: b.alertIDs}
}

func onceReceiver(t *testing.T) receiver {
	b := startBroker(t, 1).withAlerts(t)
	return receiver{sink: fmt.Sprintf("kafka: { brokers: [%q], topic: alerts, transactional: true, transactional_id: app }", b.ListenAddrs()[0]), once: true, ids: b.alertIDs}
}

// alertIDs are those of the alerts that readers of committed records see.
func (b *broker) alertIDs(t *testing.T) (ids []string) {
	t.Helper()
	for _, r := range b.committed(t, time.Second) {
		ids = append(ids, idIn(t, r.Value))
	}
	return ids
}

// mailbox is an SMTP server in this process that keeps what messages call themselves.
type mailbox struct {
	smtp.Session
	mu  sync.Mutex
	ids []string
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m *mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m *mailbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (m *mailbox) Reset()                                      {}
func (m *mailbox) Logout() error                               { return nil }

func (m *mailbox) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, message.Body); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = append(m.ids, message.Header.Get("Message-ID"))
	return nil
}

func mailReceiver(t *testing.T) receiver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{}
	server := smtp.NewServer(box)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	sink := fmt.Sprintf("email: { host: %q, from: a@example.org, to: [b@example.org], encryption: none }, concurrency: 8", l.Addr())
	return receiver{sink: sink, most: 20_000, ids: func(*testing.T) []string {
		box.mu.Lock()
		defer box.mu.Unlock()
		return box.ids
	}}
}
