// Package sinktest is what the tests of sinks share: alerts, an outbox in memory, and
// delivery of them to a sink by the real dispatcher, as in a run. There is one file.
package sinktest
