package sinks

import "context"

type traceKey struct{}

// WithTrace hands on to a sink in which trace and span, as W3C's traceparent, it delivers.
// An empty one is none.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// Trace is what WithTrace has handed on; empty: nothing. A sink whose protocol has headers
// sends it as traceparent.
func Trace(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}

type alertTraceKey struct{}

// WithAlertTraces hands on to a sink how to learn of an alert in which trace and span it was
// made, as W3C's traceparent; empty: it is not recorded. The function is pure, and safe for
// several goroutines.
func WithAlertTraces(ctx context.Context, of func(alert []byte) string) context.Context {
	return context.WithValue(ctx, alertTraceKey{}, of)
}

// AlertTrace is what WithAlertTraces says of an alert; empty: nothing. A sink that sends alerts
// together, each with headers of its own, sends it as traceparent: a delivery has one span for
// each of them too, but the sink knows no other than the first.
func AlertTrace(ctx context.Context, alert []byte) string {
	of, ok := ctx.Value(alertTraceKey{}).(func([]byte) string)
	if !ok {
		return ""
	}
	return of(alert)
}
