// Package examples holds rule sets with sample events to run them on: payments, and
// the log of an SSH daemon. Both samples are of our own making (gen writes them). It
// has no code but that programs can take the rules of payments with them; the tests of
// cmd/cepheus run each rule set over its sample.
//
//	payments/  card fraud: filters, windows, sequences, an absence
//	ssh/       password attacks: the type of a record is in its field "event"
//	gen/       the generator of the samples
//
// A folder is one rule set with its events.jsonl, and alerts.jsonl is what must come.
package examples
