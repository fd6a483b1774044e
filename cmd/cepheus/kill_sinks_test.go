package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"github.com/cepheus-cep/cepheus/test/servers"
)

// receiver is where alerts go in TestEngineKilledDuringDelivery.
type receiver struct {
	sink string                      // its settings
	once bool                        // it keeps ids itself
	ids  func(t *testing.T) []string // that it has, as often as it has them
}

// TestEngineKilledDuringDelivery kills the engine, as kill -9 does, while it delivers, again
// and again: each alert arrives, and each once by its id.
func TestEngineKilledDuringDelivery(t *testing.T) {
	if testing.Short() {
		t.Skip("kills runs for seconds")
	}
	events, kills := 5000, 4
	if os.Getenv("CEPHEUS_CRASH_LONG") != "" {
		events, kills = 100_000, 20
	}
	for name, open := range map[string]func(t *testing.T) receiver{
		"webhook": webhookReceiver, "file": fileReceiver, "postgres": postgresReceiver, "redis": redisReceiver, "rabbitmq": rabbitReceiver,
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			killed := killedRuns(t, r.sink, events, kills)
			ids := r.ids(t)
			different := map[string]bool{}
			for _, id := range ids {
				different[id] = true
			}
			lost, again := events-len(different), len(ids)-len(different)
			t.Logf("| %s | engine killed %d times | %d | %d | %d |", name, killed, events, lost, again)
			if lost != 0 || r.once && again != 0 || killed == 0 {
				t.Errorf("%d of %d alerts lost, %d came again, %d kills", lost, events, again, killed)
			}
		})
	}
}

// killedRuns runs until a run ends by itself, and kills those before it.
func killedRuns(t *testing.T, sink string, events, kills int) (killed int) {
	config := killConfig(t, sink, events)
	for ; ; killed++ {
		p := start(t, "run", "-c", config)
		if killed == kills {
			p.ends(t, 0)
			return killed
		}
		time.Sleep(time.Duration(300+100*(killed%3)) * time.Millisecond) // somewhere in it
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.Wait()
		if p.ProcessState.ExitCode() >= 0 { // it was done before
			return killed
		}
	}
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
`, rulesFile(t), sink, events/2)
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
		lines := bufio.NewScanner(r.Body)
		mu.Lock()
		defer mu.Unlock()
		for lines.Scan() {
			ids = append(ids, idIn(t, lines.Bytes()))
		}
		if lines.Err() == nil {
			w.WriteHeader(http.StatusNoContent)
		}
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
