package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlpReceiver is a collector: it keeps the spans that it gets by OTLP over HTTP.
type otlpReceiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
	login string // of the last request
}

func (c *otlpReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, err := io.ReadAll(body)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(text, &sent)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.login = r.Header.Get("Authorization")
	for _, of := range sent.ResourceSpans {
		for _, in := range of.ScopeSpans {
			c.spans = append(c.spans, in.Spans...)
		}
	}
}

// named are the spans of a name.
func (c *otlpReceiver) named(name string) (all []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

// collected starts a collector of traces, which runs send to from then on, and the receiver of a
// webhook, which hands out what it is told of a trace.
func collected(t *testing.T) (kept *otlpReceiver, hook string, asked chan string) {
	t.Helper()
	kept, asked = &otlpReceiver{}, make(chan string, 10)
	collector := httptest.NewServer(kept)
	t.Cleanup(collector.Close)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Traceparent") }))
	t.Cleanup(receiver.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	return kept, receiver.URL, asked
}

// TestTracesGoFromTheEventToTheReceiver: an event that is pushed in a trace, its alert, the
// delivery, and the request that a webhook gets.
func TestTracesGoFromTheEventToTheReceiver(t *testing.T) {
	kept, hook, asked := collected(t)

	p := start(t, "run", "--rules", rulesFile(t), "--listen", "127.0.0.1:0", "--sink", "stdout", "--sink", hook)
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	body := strings.NewReader(eventLine(1))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.address(t)+"/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-"+trace+"-"+span+"-01")
	eventually(t, "the event is taken", func() bool {
		req.Body = io.NopCloser(strings.NewReader(eventLine(1)))
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusAccepted
	})
	line := p.line(t)
	sent := <-asked
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)

	alerts := kept.named("alert event_seen")
	if len(alerts) != 1 {
		t.Fatalf("%d spans of alerts, want 1; standard error:\n%s", len(alerts), p.messages.String())
	}
	a := alerts[0]
	if id := hex.EncodeToString(a.TraceId); !strings.Contains(line, `"id":"`+id+`"`) {
		t.Errorf("the trace is %s, the alert %s", id, line)
	}
	if len(a.Links) != 1 || hex.EncodeToString(a.Links[0].TraceId) != trace || hex.EncodeToString(a.Links[0].SpanId) != span {
		t.Errorf("links %v, want one to the request's trace", a.Links)
	}
	deliveries := kept.named("deliver stdout")
	for _, s := range kept.spans {
		if strings.HasPrefix(s.Name, "deliver http://") {
			deliveries = append(deliveries, s)
			if want := "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"; sent != want {
				t.Errorf("the webhook was asked with %q, want %q", sent, want)
			}
		}
	}
	if len(deliveries) != 2 {
		t.Errorf("%d spans of deliveries, want one a sink", len(deliveries))
	}
	for _, s := range deliveries {
		if string(s.TraceId) != string(a.TraceId) || string(s.ParentSpanId) != string(a.SpanId) {
			t.Errorf("the delivery %s is not below the alert", s.Name)
		}
	}
}

// TestACollectorThatIsAwayHoldsNothingUp: a run does its work, says so, and ends well.
func TestACollectorThatIsAwayHoldsNothingUp(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.URL)
	p := start(t, "run", "--rules", rulesFile(t), "--input", "-")
	p.send(t, 1)
	p.in.Close()
	p.ends(t, 0)
	if !strings.Contains(p.messages.String(), "traces are not sent") {
		t.Errorf("nothing is told of the collector:\n%s", p.messages.String())
	}
}

// TestTracesComeInHeadersOfKafka, and in the attribute of a CloudEvent; for a pattern and for a
// window, which keep events each in their way.
func TestTracesComeInHeadersOfKafka(t *testing.T) {
	var kept otlpReceiver
	collector := httptest.NewServer(&kept)
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL+"/v1/traces")
	b := startBroker(t, 1)
	path := b.config(t, "")
	text := processRules + "rule both {\n  from e\n  by key\n  window last 2\n  having count() == 2\n}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "r.cep"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "-c", path)
	trace := func(n int) string { return strings.Repeat(strconv.Itoa(n), 32) }
	parent := func(n int) string { return "00-" + trace(n) + "-1234567890123456-01" }
	for _, r := range []*kgo.Record{
		{Value: []byte(" {\"at\":\"2026-01-01T00:00:01Z\",\n \"key\":\"k\",\"n\":1}"), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(parent(1))}}},
		{Value: []byte(`{"specversion":"1.0","id":"2","source":"s","type":"e","traceparent":"` + parent(2) + `","data":{"at":"2026-01-01T00:00:02Z","key":"k","n":2}}`)},
	} {
		r.Topic = b.topic
		if err := b.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all alerts are there", func() bool {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "alerts.jsonl"))
		return bytes.Count(text, []byte("\n")) == 4
	})
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	for _, rule := range []string{"pair", "both"} {
		all := kept.named("alert " + rule)
		if len(all) != 1 {
			t.Errorf("%s: %d spans, want 1", rule, len(all))
			continue
		}
		var linked []string
		for _, l := range all[0].Links {
			linked = append(linked, hex.EncodeToString(l.TraceId))
		}
		if want := []string{trace(1), trace(2)}; !slices.Equal(linked, want) {
			t.Errorf("%s: linked to %v, want %v", rule, linked, want)
		}
	}
}

// TestTracesOfTheConfiguration go before what the environment says; records of a topic bear the
// context of their alert.
func TestTracesOfTheConfiguration(t *testing.T) {
	var kept otlpReceiver
	collector := httptest.NewServer(&kept)
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=wrong")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	b := startBroker(t, 1).withAlerts(t)
	path := b.toTopic(t, "1")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, string(text)+"traces: { endpoint: \""+collector.URL+"\", headers: { Authorization: hunter2 }, ratio: 1 }\n")
	p := start(t, "run", "-c", path)
	b.send(t, 5, 1)
	var got []*kgo.Record
	eventually(t, "alerts are in the topic", func() bool { got = b.committed(t, 300*time.Millisecond); return len(got) > 0 })
	p.Process.Signal(syscall.SIGTERM)
	p.ends(t, 0)
	contexts := map[string]bool{}
	kept.mu.Lock()
	for _, s := range kept.spans {
		contexts["00-"+hex.EncodeToString(s.TraceId)+"-"+hex.EncodeToString(s.SpanId)+"-01"] = strings.HasPrefix(s.Name, "alert ")
	}
	login := kept.login
	kept.mu.Unlock()
	if login != "hunter2" || strings.Contains(p.messages.String(), "hunter2") {
		t.Errorf("the collector was sent %q; messages:\n%s", login, p.messages.String())
	}
	for _, r := range got {
		at := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "traceparent" })
		if at < 0 || !contexts[string(r.Headers[at].Value)] {
			t.Errorf("the headers %v of a record name no span of an alert", r.Headers)
		}
	}
}

// TestExportersThatThereAreNot are refused at the start, and not passed by.
func TestExportersThatThereAreNot(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	p := start(t, "run", "--rules", rulesFile(t), "--input", "-")
	p.in.Close()
	p.ends(t, 2)
	if said := p.messages.String(); !strings.Contains(said, "OTEL_TRACES_EXPORTER is console; spans are sent by otlp alone") {
		t.Errorf("it says:\n%s", said)
	}
}

// TestWhatIsNotSampledIsNotSent, nor told to a receiver.
func TestWhatIsNotSampledIsNotSent(t *testing.T) {
	kept, hook, asked := collected(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	p := start(t, "run", "--rules", rulesFile(t), "--input", "-", "--sink", "stdout", "--sink", hook)
	p.send(t, 1)
	if got := <-asked; got != "" {
		t.Errorf("the receiver is told of %q", got)
	}
	p.in.Close()
	p.ends(t, 0)
	if len(kept.spans) > 0 {
		t.Errorf("%d spans", len(kept.spans))
	}
}
