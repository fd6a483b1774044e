package traces

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/bits"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	api "go.opentelemetry.io/otel/trace"

	"github.com/cepheus-cep/cepheus/sinks"
)

// mostAlerts is how many alerts of an epoch have spans, and how many spans wait for a collector;
// more would hold the epoch up.
const mostAlerts = 10_000

var errEnough = errors.New("enough")

// Committed is for engine.Options.Committed, before a dispatcher is told: each alert that is
// new has a span from when the last of its events arrived until now, when it is durable.
func (t *Tracer) Committed(ctx context.Context, last uint64) error {
	if t == nil {
		return nil
	}
	after := t.last.Swap(last)
	if last <= after {
		return nil
	}
	told := uint64(0)
	err := t.o.Rows.Rows(ctx, after, func(row uint64, text []byte) error {
		if row > last || told == mostAlerts {
			return errEnough
		}
		t.alert(text)
		told++
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if told == mostAlerts && last-after > told {
		t.leave(last - after - told)
	}
	return err
}

// leave counts alerts that have no span.
func (t *Tracer) leave(n uint64) {
	was := t.left.Load()
	if now := t.left.Add(n); bits.Len64(now) > bits.Len64(was) {
		t.o.Log.Warn("alerts have no spans: too many in one epoch", "alerts", now)
	}
}

// alert is what is read of one.
type alert struct {
	ID       string
	Rule     string
	Severity string
	Total    int64 `json:"events_total"`
	Events   []evidence
}

type evidence struct {
	Step  string
	Event json.RawMessage
}

// alert makes the span of an alert.
func (t *Tracer) alert(text []byte) {
	var a alert
	if json.Unmarshal(text, &a) != nil {
		return
	}
	ctx, ok := named(a.ID)
	if !ok {
		return
	}
	now := t.o.Now()
	links, from := t.links(a.Events, now)
	_, span := t.tracer.Start(ctx, "alert "+a.Rule, api.WithNewRoot(), api.WithTimestamp(from), api.WithLinks(links...), api.WithAttributes(
		attribute.String("cepheus.alert.id", a.ID), attribute.String("cepheus.rule", a.Rule),
		attribute.String("cepheus.severity", a.Severity), attribute.Int64("cepheus.events_total", a.Total),
	))
	span.End(api.WithTimestamp(now))
}

// links are those to the events that have contexts, and when the last of them arrived.
func (t *Tracer) links(events []evidence, now time.Time) (links []api.Link, from time.Time) {
	for _, e := range events {
		of, arrived, ok := t.contextOf(e.Event)
		if !ok {
			continue
		}
		if arrived.After(from) {
			from = arrived
		}
		links = append(links, api.Link{SpanContext: of, Attributes: []attribute.KeyValue{attribute.String("cepheus.step", e.Step)}})
	}
	if from.IsZero() || from.After(now) {
		from = now
	}
	return links, from
}

// contextOf is the context of an event, and when that which came beside it did.
func (t *Tracer) contextOf(text []byte) (of api.SpanContext, arrived time.Time, ok bool) {
	if k, beside := t.contexts.get(text); beside {
		return k.context(), time.Unix(0, k.arrived), true
	}
	of, ok = inside(text)
	return of, time.Time{}, ok
}

// inside is the context that a CloudEvent carries itself.
func inside(text []byte) (api.SpanContext, bool) {
	var c struct {
		Spec   string `json:"specversion"`
		Parent string `json:"traceparent"`
	}
	if json.Unmarshal(text, &c) != nil || c.Spec == "" {
		return api.SpanContext{}, false
	}
	return parse([]byte(c.Parent))
}

// named is a context whose first span is that of the alert with an id.
func named(id string) (context.Context, bool) {
	var c api.SpanContextConfig
	if len(id) != 2*len(c.TraceID) {
		return nil, false
	}
	if _, err := hex.Decode(c.TraceID[:], []byte(id)); err != nil {
		return nil, false
	}
	copy(c.SpanID[:], c.TraceID[:])
	of := api.NewSpanContext(c)
	return context.WithValue(context.Background(), idsKey{}, of), of.IsValid()
}

// Attempt is for sinks.Options: each alert that an attempt delivers has a span below that of
// the alert, as has the one that it fails at. The context it returns is for the sink; the
// function says how it went.
func (t *Tracer) Attempt(ctx context.Context, sink string, rows []sinks.Row) (context.Context, func(taken int, err error)) {
	start := t.o.Now()
	first := t.delivery(sink, rows[0].Alert, start)
	ctx = sinks.WithAlertTraces(sinks.WithTrace(ctx, write(first.SpanContext())), t.traceOf)
	return ctx, func(taken int, err error) {
		end := api.WithTimestamp(t.o.Now())
		if taken == 0 {
			fail(first, err)
		}
		first.End(end)
		for _, r := range rows[1:max(taken, 1)] {
			t.delivery(sink, r.Alert, start).End(end)
		}
		if err != nil && taken > 0 && taken < len(rows) {
			span := t.delivery(sink, rows[taken].Alert, start)
			fail(span, err)
			span.End(end)
		}
	}
}

// fail notes that an alert was not taken. What the receiver said may show what is secret; it
// is in the log, which knows what to leave out.
func fail(span api.Span, err error) {
	rejected := (*sinks.RejectedError)(nil)
	switch {
	case err == nil:
	case errors.As(err, &rejected):
		span.SetStatus(codes.Error, "refused")
	default:
		span.SetStatus(codes.Error, "not taken")
	}
}

// delivery begins the span of one attempt to deliver one alert.
func (t *Tracer) delivery(sink string, text []byte, start time.Time) api.Span {
	ctx, id := context.Background(), idOf(text)
	if own, ok := t.own(id); ok {
		ctx = api.ContextWithSpanContext(ctx, own)
	}
	_, span := t.tracer.Start(ctx, "deliver "+sink, api.WithSpanKind(api.SpanKindProducer), api.WithTimestamp(start),
		api.WithAttributes(attribute.String("cepheus.sink", sink), attribute.String("cepheus.alert.id", id)))
	return span
}

// own is the context of the span of an alert, which was sent, or will be. No more is to be found out
// than whether it was chosen to be recorded: a span that is never ended says so.
func (t *Tracer) own(id string) (api.SpanContext, bool) {
	alert, ok := named(id)
	if !ok {
		return api.SpanContext{}, false
	}
	_, span := t.tracer.Start(alert, "alert", api.WithNewRoot())
	return span.SpanContext(), true
}

// traceOf is the context of an alert as a header; empty: it is not recorded, or is no alert.
func (t *Tracer) traceOf(alert []byte) string {
	of, _ := t.own(idOf(alert))
	return write(of)
}

// idOf is the id of an alert, which its text begins with; empty: it has none.
func idOf(text []byte) string {
	rest, ok := bytes.CutPrefix(text, []byte(`{"id":"`))
	if end := bytes.IndexByte(rest, '"'); ok && end >= 0 {
		return string(rest[:end])
	}
	return ""
}

// write is a context as a header; empty: it is not recorded.
func write(of api.SpanContext) string {
	if !of.IsSampled() {
		return ""
	}
	return "00-" + of.TraceID().String() + "-" + of.SpanID().String() + "-01"
}
