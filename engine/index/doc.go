// Package index finds, for one event, the rules that can care about it, and its key
// in each: what an event costs before any state is touched.
//
// Every machine lists the tests an event must pass before it matters to it
// (machine.Test). Per event type the index keeps the tests that begin with an
// equality of a field and a constant in a hash by that constant, and the others in a
// list, so that an event meets few tests of rules that cannot match it. A key is
// computed only after a test passed, once for all rules that have the same key.
//
// An [Index] is immutable and shared; each goroutine that routes has a [Router] of its
// own. Routing reads the event alone: its result does not depend on order, so events
// are routed in parallel, ahead of the shards.
//
// Open index.go first.
package index
