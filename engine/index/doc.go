// Package index finds, for one event, the rules that can care about it, and its key
// in each: what an event costs before any state is touched.
//
// Every machine lists the tests an event must pass before it matters to it
// (machine.Test). Per event type the index keeps a test that asks for an equality of a
// field and a constant, next to whatever else, in a hash by that constant, and the others
// in a list, so that an event meets few tests of rules that cannot match it. A key is
// computed only after a test passed, once for all rules that have the same key. A
// projection is a rule among the others: it has tests for the events that feed it, and
// for those that ask for a row, whose key is that of the row.
//
// An [Index] is immutable and shared; each goroutine that routes has a [Router] of its
// own. Routing reads the event and what files of lists and tables hold, and no state: its
// result does not depend on order, so events are routed in parallel, ahead of the shards.
// Where such a file has changed since, the engine has them routed again.
//
// Open index.go first.
package index
