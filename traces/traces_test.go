package traces

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/sinks"
)

// rows are committed alerts, the first is row 1.
type rows []string

func (r rows) Rows(_ context.Context, after uint64, visit func(row uint64, alert []byte) error) error {
	for i := int(after); i < len(r); i++ {
		if err := visit(uint64(i+1), []byte(r[i])); err != nil {
			return err
		}
	}
	return nil
}

const (
	inTrace = "0af7651916cd43dd8448eb211c80319c"
	inSpan  = "b7ad6b7169203331"
	parent  = "00-" + inTrace + "-" + inSpan + "-01"
	id      = "00112233445566778899aabbccddeeff"
)

func alertOf(id string, events ...string) string {
	var shown []string
	for _, e := range events {
		shown = append(shown, `{"step":"a","time":"2026-01-01T00:00:00Z","event":`+e+`}`)
	}
	return `{"id":"` + id + `","rule":"r","severity":"high","events_total":2,"events":[` + strings.Join(shown, ",") + `]}`
}

// tracing is a tracer whose spans are kept; its clock goes on a second at each look.
func tracing(t *testing.T, r Rows) (*Tracer, func() tracetest.SpanStubs) {
	t.Helper()
	kept, now := tracetest.NewInMemoryExporter(), time.Unix(1000, 0)
	tr, err := New(t.Context(), Options{Exporter: kept, Rows: r, Now: func() time.Time { now = now.Add(time.Second); return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr, func() tracetest.SpanStubs {
		if err := tr.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
		return kept.GetSpans()
	}
}

// fixed is a source of one batch.
type fixed struct {
	engine.Source
	records []string
	headers []byte
}

func (f *fixed) Next(_ context.Context, into *event.Batch) error {
	for i, r := range f.records {
		into.Add(0, int64(i), 0, []byte(r))
		if f.headers != nil {
			into.AddMeta(nil, f.headers)
		}
	}
	return nil
}

func read(t *testing.T, tr *Tracer, f *fixed) {
	t.Helper()
	var b event.Batch
	if err := tr.Source(f).Next(t.Context(), &b); err != nil || len(b.Records) != len(f.records) {
		t.Fatalf("%d records, error %v", len(b.Records), err)
	}
}

// TestAnAlertIsLinkedToItsEvents whose contexts came in headers, by the names that there are,
// or in the attribute of a CloudEvent.
func TestAnAlertIsLinkedToItsEvents(t *testing.T) {
	const other = "00-11111111111111111111111111111111-2222222222222222-01"
	cloud := `{"specversion":"1.0","id":"1","source":"s","type":"e","traceparent":"` + other + `"}`
	for name, headers := range map[string][]byte{
		"its own name":       event.AppendHeader(nil, "traceparent", []byte(parent)),
		"among others":       event.AppendHeader(event.AppendHeader(event.AppendHeader(nil, "a", nil), "traceparent", []byte(parent)), "b", []byte("x")),
		"that of CloudEvent": event.AppendHeader(nil, "ce_traceparent", []byte(parent)),
	} {
		t.Run(name, func(t *testing.T) {
			tr, spans := tracing(t, rows{alertOf(id, `{"n": 1}`, cloud, `{"n":9}`)})
			read(t, tr, &fixed{records: []string{" {\"n\":\n1}\n"}, headers: headers})
			if err := tr.Committed(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			all := spans()
			if len(all) != 1 {
				t.Fatalf("%d spans, want 1", len(all))
			}
			s := all[0]
			if s.Name != "alert r" || s.SpanContext.TraceID().String() != id || s.SpanContext.SpanID().String() != id[:16] || s.Parent.IsValid() {
				t.Errorf("span %s %s %s", s.Name, s.SpanContext.TraceID(), s.SpanContext.SpanID())
			}
			if len(s.Links) != 2 || write(s.Links[0].SpanContext) != parent || write(s.Links[1].SpanContext) != other {
				t.Errorf("links %v, want to %s and %s", s.Links, parent, other)
			}
			if took := s.EndTime.Sub(s.StartTime); took != time.Second {
				t.Errorf("took %s, want the time from arrival to commit, 1s", took)
			}
		})
	}
}

func TestEachAlertHasOneSpan(t *testing.T) {
	var all rows
	for i := range 5 {
		all = append(all, alertOf(fmt.Sprintf("%016x%016x", i+1, i+1)))
	}
	tr, spans := tracing(t, all)
	tr.last.Store(1) // of the run before
	for _, last := range []uint64{3, 3, 5} {
		if err := tr.Committed(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, s := range spans() {
		got = append(got, s.SpanContext.TraceID().String()[31:])
	}
	if strings.Join(got, "") != "2345" {
		t.Errorf("spans of alerts %v, want 2 to 5", got)
	}
}

// TestADeliveryIsOfTheAlertsTrace whether or not this process has sent the alert's span.
func TestADeliveryIsOfTheAlertsTrace(t *testing.T) {
	tr, spans := tracing(t, rows{})
	var given []sinks.Row
	for i := range 3 {
		given = append(given, sinks.Row{Alert: []byte(alertOf(fmt.Sprintf("%032x", 0x1000000000000000+i)))})
	}
	given[0].Alert = []byte(alertOf(id))
	ctx, done := tr.Attempt(t.Context(), "ops", given)
	handed := sinks.Trace(ctx)
	for text, want := range map[string]string{
		alertOf(id): "00-" + id + "-" + id[:16] + "-01", alertOf("1" + id[1:]): "00-1" + id[1:] + "-1" + id[1:16] + "-01", "{}": "", alertOf("x"): "",
	} {
		if got := sinks.AlertTrace(ctx, []byte(text)); got != want {
			t.Errorf("the sink is told that %s was made in %q, want %q", text, got, want)
		}
	}
	done(1, errors.New("a secret"))
	all := spans()
	if len(all) != 2 {
		t.Fatalf("%d spans, want one of the alert that was taken and one of that where it failed", len(all))
	}
	if s := all[0]; s.Name != "deliver ops" || s.SpanContext.TraceID().String() != id || s.Parent.SpanID().String() != id[:16] || s.Status.Code != codes.Unset || write(s.SpanContext) != handed {
		t.Errorf("the delivery is %+v; the sink was handed %s", s, handed)
	}
	if s := all[1]; s.Status.Code != codes.Error || strings.Contains(s.Status.Description, "secret") {
		t.Errorf("the failure is %+v", s.Status)
	}
}

// TestWhatIsNoContext is no link.
func TestWhatIsNoContext(t *testing.T) {
	for _, text := range []string{
		"", "00", parent[:54], parent + "0", parent + "-x", "ff" + parent[2:], strings.ToUpper(parent), strings.Replace(parent, inTrace, strings.Repeat("0", 32), 1),
		strings.Replace(parent, inSpan, strings.Repeat("0", 16), 1), strings.Replace(parent, "-01", "-00", 1), strings.Replace(parent, "a", "g", 1), strings.ReplaceAll(parent, "-", "_"),
	} {
		if of, ok := parse([]byte(text)); ok {
			t.Errorf("%q is taken for %v", text, of)
		}
	}
	for _, text := range []string{parent, "01" + parent[2:] + "-more", parent[:53] + "03"} {
		if _, ok := parse([]byte(text)); !ok {
			t.Errorf("%q is no context", text)
		}
	}
}

// TestContextsAreBounded: they are what a plain list of the last ones holds.
func TestContextsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newContexts(rapid.IntRange(1, 5).Draw(t, "most"))
		var plain []string // in order of first arrival
		for i, text := range rapid.SliceOf(rapid.StringMatching(`[a-h]`)).Draw(t, "texts") {
			c.put([]byte(text), kept{arrived: int64(i)})
			if !strings.Contains(strings.Join(plain, ""), text) {
				plain = append(plain, text)
			}
			plain = plain[max(0, len(plain)-c.most):]
			for _, text := range strings.Split("abcdefgh", "") {
				if _, ok := c.get([]byte(text)); ok != strings.Contains(strings.Join(plain, ""), text) {
					t.Fatalf("%s is known: %v; the last are %v", text, ok, plain)
				}
			}
		}
	})
}

// TestContextsTakeLittleRoom: as much as is said where their number is.
func TestContextsTakeLittleRoom(t *testing.T) {
	if size := unsafe.Sizeof(kept{}); size > 32 {
		t.Errorf("%d bytes each", size)
	}
}

func TestOnlyWhoAsksGetsSpans(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "OTEL_EXPORTER_OTLP_ENDPOINT=http://h": true, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h": true, "OTEL_TRACES_EXPORTER=otlp": true,
		"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://h": false, "OTEL_SDK_DISABLED=true OTEL_TRACES_EXPORTER=otlp": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=": false,
	} {
		lookup := func(name string) (string, bool) {
			for _, pair := range strings.Fields(env) {
				if n, value, _ := strings.Cut(pair, "="); n == name {
					return value, true
				}
			}
			return "", false
		}
		if got := On(lookup, nil); got != want {
			t.Errorf("%q: on is %v", env, got)
		}
	}
	for _, c := range []struct {
		exporter, protocol, want string
		settings                 *Settings
	}{
		{"otlp", "grpc", "http/protobuf", nil},
		{"console", "", "OTEL_TRACES_EXPORTER is console; spans are sent by otlp alone: write otlp, or none", nil},
		{"otlp,console", "", "OTEL_TRACES_EXPORTER is otlp,console", nil},
		{"zipkin", "", "OTEL_TRACES_EXPORTER is zipkin", &Settings{Collector: "http://h/v1/traces"}},
	} {
		tr, err := New(t.Context(), Options{Settings: c.settings, Env: func(name string) (string, bool) {
			return map[string]string{"OTEL_TRACES_EXPORTER": c.exporter, "OTEL_EXPORTER_OTLP_PROTOCOL": c.protocol}[name], true
		}})
		if tr != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, %v", c, tr, err)
		}
	}
}

// TestSettingsAskForSpans, unless the library is off.
func TestSettingsAskForSpans(t *testing.T) {
	for env, want := range map[string]bool{"": true, "OTEL_TRACES_EXPORTER=none": true, "OTEL_SDK_DISABLED=true": false} {
		name, value, _ := strings.Cut(env, "=")
		if got := On(func(n string) (string, bool) {
			if n == name {
				return value, true
			}
			return "", false
		}, &Settings{}); got != want {
			t.Errorf("%q: on is %v", env, got)
		}
	}
}

// TestTheRatioOfSettings goes before the sampler of the environment; a part of the alerts has
// spans, and receivers are told of those alone.
func TestTheRatioOfSettings(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	for ratio, want := range map[float64][2]int{0: {0, 0}, 0.25: {200, 300}, 1: {1000, 1000}} {
		kept := tracetest.NewInMemoryExporter()
		tr, err := New(t.Context(), Options{Exporter: kept, Settings: &Settings{Ratio: &ratio}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		told, draw := 0, rand.New(rand.NewPCG(1, 2))
		for range 1000 {
			text := []byte(alertOf(fmt.Sprintf("%016x%016x", draw.Uint64(), draw.Uint64())))
			tr.alert(text)
			if tr.traceOf(text) != "" {
				told++
			}
		}
		if err := tr.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(kept.GetSpans()); n != told || n < want[0] || n > want[1] {
			t.Errorf("of a part of %g: %d spans of 1,000, and %d are told of, want %v", ratio, n, told, want)
		}
		tr.Close()
	}
}

// TestTheProtocolOfTracesGoesFirst, as OpenTelemetry has it.
func TestTheProtocolOfTracesGoesFirst(t *testing.T) {
	for _, c := range []struct{ traces, all, refused string }{
		{"grpc", "", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is grpc"},
		{"", "http/json", "OTEL_EXPORTER_OTLP_PROTOCOL is http/json"},
		{"http/protobuf", "grpc", ""},
		{"", "", ""},
	} {
		err := spoken(func(name string) (string, bool) {
			return map[string]string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": c.traces, "OTEL_EXPORTER_OTLP_PROTOCOL": c.all}[name], true
		})
		if (err == nil) != (c.refused == "") || err != nil && !strings.HasPrefix(err.Error(), c.refused) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestWhatTheLibraryDoesNotLikeIsInOurLog: also of what it reads when it is made.
func TestWhatTheLibraryDoesNotLikeIsInOurLog(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "now and then")
	var said bytes.Buffer
	tr, err := New(t.Context(), Options{Exporter: tracetest.NewInMemoryExporter(), Now: time.Now, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	if !strings.Contains(said.String(), "now and then") {
		t.Errorf("the log has %q", said.String())
	}
}

// hanging is a collector that answers when it is let go.
type hanging struct {
	*tracetest.InMemoryExporter
	letGo chan struct{}
}

func (h *hanging) ExportSpans(ctx context.Context, all []trace.ReadOnlySpan) error {
	<-h.letGo
	return h.InMemoryExporter.ExportSpans(ctx, all)
}

// TestAllAlertsOfAnEpochWaitForTheCollector, up to the bound.
func TestAllAlertsOfAnEpochWaitForTheCollector(t *testing.T) {
	var all rows
	for i := range mostAlerts {
		all = append(all, alertOf(fmt.Sprintf("%016x%016x", i+1, i+1)))
	}
	h := &hanging{tracetest.NewInMemoryExporter(), make(chan struct{})}
	tr, err := New(t.Context(), Options{Exporter: h, Rows: all, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Committed(t.Context(), mostAlerts); err != nil {
		t.Fatal(err)
	}
	close(h.letGo)
	if err := tr.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(h.GetSpans()); n != mostAlerts {
		t.Errorf("%d spans of %d alerts", n, mostAlerts)
	}
}

// TestACollectorThatHangsHoldsTheEndUpForTwoSeconds and no more.
func TestACollectorThatHangsHoldsTheEndUpForTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{tracetest.NewInMemoryExporter(), make(chan struct{})}
		defer close(h.letGo)
		tr, err := New(t.Context(), Options{Exporter: h, Rows: rows{alertOf(id)}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Committed(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		tr.Close()
		if took := time.Since(began); took != lastSpans {
			t.Errorf("it took %s", took)
		}
	})
}

// TestOffCostsNothing: a source is not even wrapped.
func TestOffCostsNothing(t *testing.T) {
	tr, err := New(t.Context(), Options{Env: func(string) (string, bool) { return "", false }})
	if tr != nil || err != nil {
		t.Fatalf("%v, %v", tr, err)
	}
	var s engine.Source = &fixed{}
	if tr.Source(s) != s {
		t.Error("a source is wrapped")
	}
	if n := testing.AllocsPerRun(100, func() { _ = tr.Committed(t.Context(), 1) }); n != 0 {
		t.Errorf("a commit allocates %v times", n)
	}
	tr.Close()
}

// TestRecordsWithoutContextsAllocateNothing, though tracing is on.
func TestRecordsWithoutContextsAllocateNothing(t *testing.T) {
	tr, _ := tracing(t, rows{})
	s := tr.Source(&fixed{records: []string{`{"n":1}`, `{"n":2}`}, headers: event.AppendHeader(nil, "a", []byte("b"))})
	var b event.Batch
	n := testing.AllocsPerRun(100, func() {
		b.Reset()
		if err := s.Next(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestACollectorThatIsAwayIsToldOfNowAndThen.
func TestACollectorThatIsAwayIsToldOfNowAndThen(t *testing.T) {
	var said bytes.Buffer
	tr := &Tracer{o: Options{Log: slog.New(slog.NewTextHandler(&said, nil))}}
	for range 10 {
		tr.fault(errors.New("away"))
	}
	if n := strings.Count(said.String(), "away"); n != 4 {
		t.Errorf("told %d times of 10, want at the 1st, 2nd, 4th and 8th", n)
	}
}

func BenchmarkNext(b *testing.B) {
	for name, headers := range map[string][]byte{"none": nil, "other": event.AppendHeader(nil, "a", []byte("b")), "context": event.AppendHeader(nil, "traceparent", []byte(parent))} {
		b.Run("headers="+name, func(b *testing.B) {
			tr := &Tracer{o: Options{Now: time.Now}, contexts: newContexts(mostContexts)}
			f := &fixed{headers: headers}
			for i := range 1000 {
				f.records = append(f.records, fmt.Sprintf(`{"type":"payment","card":"%d","amount":%d}`, i, i))
			}
			s := tr.Source(f)
			var batch event.Batch
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset()
				if err := s.Next(b.Context(), &batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
