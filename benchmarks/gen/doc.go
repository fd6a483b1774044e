// Package gen makes the event streams that benchmarks read: payments and trades as JSON lines,
// the same bytes for the same seed on every machine.
//
// A stream has an event a millisecond on average (exponential gaps), cards of mild
// skew (a uniform number to the power 1.5), amounts uniform up to 1000, 50 countries
// and 1,000 merchants. Trades are a millisecond apart exactly. Both are byte for byte those
// of the peers' harness (benchmarks/peers/gen.py), whose random numbers twister.go draws
// again, so that rates and match counts can be set side by side. Mixed payments are for
// the memory benchmark.
//
// Open payments.go.
package gen
