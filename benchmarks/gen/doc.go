// Package gen makes the event streams that benchmarks read: payments as JSON lines,
// the same bytes for the same seed on every machine.
//
// A stream has an event a millisecond on average (exponential gaps), cards of mild
// skew (a uniform number to the power 1.5), amounts uniform up to 1000, 50 countries
// and 1,000 merchants. The peers' harness draws from the same distributions, so that
// rates and match counts can be set side by side.
//
// Open payments.go.
package gen
