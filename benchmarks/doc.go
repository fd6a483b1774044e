// Command benchmarks measures what takes long, and writes it into benchmarks/results. The
// workloads themselves are measured by `cepheus bench`, whose code is in measure; this
// command asks the binary for one measurement after the other.
//
//	go run ./benchmarks -peers     ours and Esper, Siddhi, Flink CEP in turn (make bench-peers)
//	go run ./benchmarks -growth    how an event's cost grows (make bench-growth)
//	go run ./benchmarks -memory    how memory goes over a long stream (make bench-memory)
//	go run ./benchmarks -state-sizes
//	                               bytes a key, on disk and in memory
//	go run ./benchmarks -state     what state on disk costs, and a soak (make bench-state)
//
// That of memory has rules for everything that remembers, under limits that are reached,
// over keys that come once and never again; it fails where the last quarter of the stream
// takes a fifth more memory than the second.
//
//	main.go          flags
//	peers.go         the comparison: what is run, and in which order
//	peers_table.go   its page
//	growth.go        curves: measurements and tables
//	plot.go          their drawing
//	memory.go        samples of a long stream, and the verdict
//	memory_rules.go  its rules and limits
//	curve.go         its drawing, and any other over events
//	engine.go        its engine, in this process
//	statesizes.go    bytes a key: its page
//	statesize/       what is measured there
//	state.go         state on disk against state in memory, the soak, starts and stops: the page
//	statesoak/       what is run there
//	gen/             the generators of the events
//	workload/        rules, and the oracle that counts matches
//	measure/         one measurement
//	peers/           the peers' harness, in Java
package main
