// Package sinktest is what the tests of sinks share: alerts, an outbox in memory, and
// delivery of them to a sink by the real dispatcher, as in a run (sinktest.go); servers in
// trouble of any kind (door.go) and what becomes of many alerts then, as a table that make
// faults prints (faults.go); servers that are killed (survives.go).
package sinktest
