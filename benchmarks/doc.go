// Command benchmarks measures whole runs over generated payments, from JSON text to
// alerts: events per second, allocations per event and peak memory.
//
//	go run ./benchmarks -events 1000000
//
// Each workload runs in a process of its own, on one core and on two, so that its peak
// memory is its own. The last rows are the real binary, bin/cepheus, over the same
// file. Nothing here asserts a time; micro-benchmarks stand beside the code they
// measure.
//
//	go run ./benchmarks -memory -events 5000000
//
// shows instead how memory goes over a long stream: rules for everything that
// remembers, under limits that are reached, over keys that come once and never again.
// It fails where the last quarter takes a fifth more than the second. What it wrote
// last is in results/.
//
//	main.go          flags, child processes, the table
//	workloads.go     the rules of each workload
//	measure.go       one workload in this process
//	memory.go        samples of a long stream, and the verdict
//	memory_rules.go  its rules and limits
//	curve.go         its drawing
//	gen/             the generators of the events
package main
