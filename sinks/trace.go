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
