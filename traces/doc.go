// Package traces tells OpenTelemetry which events made an alert and where it was delivered.
// It is the room of OpenTelemetry's library.
//
// # Words
//
// A context is W3C's traceparent: the trace and the span in which an event was made. It
// comes beside a record, in a header named traceparent or ce_traceparent, or inside it, in
// CloudEvents' attribute traceparent. The trace of an alert is named by the alert's id,
// which has the 16 bytes that a trace's name has: who has an alert has its trace, and a
// delivery after a restart is told in the same one.
//
// # Place in the flow
//
//	source ─► Source.Next ─► engine ─► commit ─► Committed ─► delivery ─► Deliver
//	          contexts of               a span an alert,       a span an attempt
//	          records are kept          linked to contexts     and alert
//
// The engine knows nothing of it. What an alert shows of an event is the record's text, by
// which the context that came beside it is found again; records of the same text have that
// of the last. Contexts are kept in memory, a bounded number of them: an alert on events
// from before a restart, or of too long ago, has no link to those.
//
// A sink is told of the span of its attempt (sinks.Trace), and of that of each alert
// (sinks.AlertTrace), which follows from the alert's id.
//
// # Invariants
//
//   - A nil Tracer does nothing: sources are not wrapped, and nothing is called for an event.
//   - What an alert says and when it is sent does not depend on tracing. A collector that is
//     away costs spans, and never holds anything up but the end of a run, for at most two
//     seconds.
//   - At most mostContexts contexts are kept and mostAlerts spans wait, however long a collector
//     is away.
//   - Spans carry ids, names of rules and sinks, and counts; no key and no event.
//
// # Goroutines
//
// Those of OpenTelemetry's batch processor, which end with Close, or where a collector hangs
// when it has answered or the library gives it up. All methods are safe for
// several goroutines. Open tracer.go first.
package traces
