// Package measure runs workloads and measures them: rates, allocations, collection's share
// of the CPU, memory, and the time from an event's arrival to its alert.
//
// There are three modes. In Engine the events are decoded before the clock starts, and an
// alert is taken as it is: its id is made, its evidence referenced, no text is written. In
// JSON the records are held as bytes; the clock runs over decoding, and over rendering the
// alerts and writing them to a file. In Process the whole of `cepheus run` is measured
// from its start to its end, reading a file. In each the matches are counted and compared
// with the oracle of benchmarks/workload: a run that finds others is no measurement but an
// error.
//
// A measurement of the first two modes is a child process ([Child]), so that memory, cores
// and pinning are its own: it generates and loads the events, warms up by one run, then
// runs until there are enough. What is loaded lies outside of Go's heap (offheap_unix.go), so that
// the collector sees what it would see in production. Latency is measured with a paced
// source: event i arrives at start + i/rate whether the engine is ready or not, and an
// alert's time leads back to the event that caused it.
//
// Nothing here asserts a time. Open child.go first, then run.go.
package measure
