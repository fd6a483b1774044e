// Package statesize measures what a key costs: how many bytes its records take on disk,
// and how many its state takes in memory, for each kind of thing that a rule can make a
// key remember.
//
// For each [Kind] one rule runs over the same few events of each of many keys, interleaved,
// with nothing due, twice: over a store that outlives the process, whose records are
// counted (key, frame and value; what Badger adds to them and the records of the whole
// engine are not), and over one that does not, after which the heap in use is taken, less
// that of the same engine without an event. The records do not depend on the machine.
//
// It is shown by `go run ./benchmarks -state-sizes`. Open kinds.go for what is measured.
package statesize
