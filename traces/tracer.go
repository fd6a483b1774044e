package traces

import (
	"context"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

// Options of a Tracer.
type Options struct {
	// Env looks a variable of the environment up. Whether spans are sent is in those that
	// OpenTelemetry names; see On. Where to, how, and which, its library reads itself, but for
	// what Settings say.
	Env func(name string) (string, bool)
	// Settings ask for spans whether or not the environment does, unless it says that the library is
	// off; nil: the environment says.
	Settings *Settings

	Version string           // of the program
	Rows    Rows             // where committed alerts are read
	Last    uint64           // the last row at the start: alerts have spans from there on
	Now     func() time.Time // wall clock
	Log     *slog.Logger

	// Exporter takes the spans; default, nil: OTLP over HTTP, as the environment says.
	Exporter trace.SpanExporter
}

// Settings go before what the environment says. The zero value says nothing.
type Settings struct {
	Collector string            // URL that spans are posted to
	Headers   map[string]string // with each request; nil: none are said
	Ratio     *float64          // of alerts that have spans, from 0 to 1
}

// Rows are the committed alerts that wait to be delivered: a state.Outbox.
type Rows interface {
	Rows(ctx context.Context, after uint64, visit func(row uint64, alert []byte) error) error
}

// On reports whether spans are asked for: by settings, or by the environment, which names a
// collector, or the exporter. Either way it must not say that the library is off.
func On(env func(name string) (string, bool), settings *Settings) bool {
	has := func(name string, no ...string) bool {
		value, _ := env(name)
		for _, n := range no {
			if value == n {
				return false
			}
		}
		return value != ""
	}
	if off, _ := env("OTEL_SDK_DISABLED"); strings.EqualFold(off, "true") {
		return false
	}
	if settings != nil {
		return true
	}
	if exporter, _ := env("OTEL_TRACES_EXPORTER"); exporter == "none" {
		return false
	}
	return has("OTEL_EXPORTER_OTLP_ENDPOINT") || has("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || has("OTEL_TRACES_EXPORTER", "none")
}

// Tracer makes spans. A nil one makes none.
type Tracer struct {
	o        Options
	provider *trace.TracerProvider
	tracer   api.Tracer
	contexts *contexts
	last     atomic.Uint64 // row
	left     atomic.Uint64 // alerts without a span
	faults   atomic.Uint64
}

// New makes a tracer, or none where neither settings nor the environment ask for one.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if o.Exporter == nil && !On(o.Env, o.Settings) {
		return nil, nil
	}
	t := &Tracer{contexts: newContexts(mostContexts)}
	t.o.Log = o.Log
	// the library has one handler a process; its own writes to standard error past our log
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.fault))
	if o.Exporter == nil {
		if err := spoken(o.Env); err != nil {
			return nil, err
		}
		exporter, err := otlptracehttp.New(ctx, o.Settings.exporter()...)
		if err != nil {
			return nil, fmt.Errorf("send traces: %w", err)
		}
		o.Exporter = exporter
	}
	of, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "cepheus"), attribute.String("service.version", o.Version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("say what sends traces: %w", err)
	}
	t.o = o
	t.last.Store(o.Last)
	t.provider = trace.NewTracerProvider(append(o.Settings.sampler(), trace.WithBatcher(o.Exporter, o.queue()...), trace.WithResource(of), trace.WithIDGenerator(ids{}))...)
	t.tracer = t.provider.Tracer("github.com/cepheus-cep/cepheus", api.WithInstrumentationVersion(o.Version))
	return t, nil
}

func (s *Settings) exporter() (all []otlptracehttp.Option) {
	if s == nil {
		return nil
	}
	if s.Collector != "" {
		all = append(all, otlptracehttp.WithEndpointURL(s.Collector))
	}
	if s.Headers != nil {
		all = append(all, otlptracehttp.WithHeaders(s.Headers))
	}
	return all
}

// sampler is none where nothing is said: then the library asks the environment.
func (s *Settings) sampler() []trace.TracerProviderOption {
	if s == nil || s.Ratio == nil {
		return nil
	}
	return []trace.TracerProviderOption{trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(*s.Ratio)))}
}

// spoken refuses exporters that we do not have and protocols that we do not speak. The protocol of traces
// goes before that of all.
func spoken(env func(name string) (string, bool)) error {
	switch e, _ := env("OTEL_TRACES_EXPORTER"); e {
	case "", "otlp", "none":
	default:
		return fmt.Errorf("OTEL_TRACES_EXPORTER is %s; spans are sent by otlp alone: write otlp, or none to send none", e)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch p, _ := env(name); p {
		case "":
			continue
		case "http/protobuf":
			return nil
		default:
			return fmt.Errorf("%s is %s; spans are sent by http/protobuf alone (collectors take it at port 4318)", name, p)
		}
	}
	return nil
}

// queue has room for the alerts of an epoch, unless the environment says how much there is.
func (o *Options) queue() []trace.BatchSpanProcessorOption {
	if o.Env != nil {
		if size, _ := o.Env("OTEL_BSP_MAX_QUEUE_SIZE"); size != "" {
			return nil
		}
	}
	return []trace.BatchSpanProcessorOption{trace.WithMaxQueueSize(mostAlerts)}
}

// fault tells of the first trouble that the library has, such as spans that it cannot send, the second, the fourth, and so on.
func (t *Tracer) fault(err error) {
	if n := t.faults.Add(1); bits.OnesCount64(n) == 1 {
		t.o.Log.Warn("traces are not sent as they should be", "times", n, "err", err)
	}
}

// lastSpans is how long Close waits for a collector.
const lastSpans = 2 * time.Second

// Close sends what is left, and ends.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.fault(err)
	}
}

// ids names spans: those of alerts as their context says, others by chance.
type ids struct{}

type idsKey struct{}

// NewIDs implements trace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (api.TraceID, api.SpanID) {
	if sc, ok := ctx.Value(idsKey{}).(api.SpanContext); ok {
		return sc.TraceID(), sc.SpanID()
	}
	var id api.TraceID
	for id == (api.TraceID{}) {
		fill(id[:8])
		fill(id[8:])
	}
	return id, ids{}.NewSpanID(ctx, id)
}

// NewSpanID implements trace.IDGenerator.
func (ids) NewSpanID(context.Context, api.TraceID) (id api.SpanID) {
	for id == (api.SpanID{}) {
		fill(id[:])
	}
	return id
}

func fill(b []byte) {
	n := rand.Uint64() // #nosec G404 -- names of spans need not be hard to guess
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
}
