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
//	main.go       flags, child processes, the table
//	workloads.go  the rules of each workload
//	measure.go    one workload in this process
//	gen/          the generator of the events
package main
