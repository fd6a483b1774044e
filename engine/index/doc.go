// Package index finds, for the events of a batch, the rules that can care about them, and
// their keys in each: what an event costs before any state is touched.
//
// Every machine lists the tests an event must pass before it matters to it
// (machine.Test): conditions that look at the event alone. The tests on one type of
// event are found in two ways. Where many tests have a condition of one kind on one
// field, they are filed in a [path] by what that condition asks for: an equality, or a
// list, in a hash by value; a prefix, suffix or part of a text in one automaton (Aho and
// Corasick, CACM 18(6), 1975); a range in thresholds that are sorted, within the tests of
// one value where there are such. So an event meets few tests that it cannot pass, however
// many there are. All other tests are columns: each distinct condition is evaluated once
// over the batch into a bitmap, and a test holds where all its bitmaps do.
//
// A key is computed only after a test passed, once for all rules that have the same key.
// A projection is a rule among the others: it has tests for the events that feed it, and
// for those that ask for a row, whose key is that of the row.
//
// An [Index] is immutable and shared; each goroutine that routes has a [Router] of its
// own. Routing reads the events and what files of lists and tables hold, and no state: its
// result does not depend on order, so batches are routed in parallel, ahead of the shards.
// Where such a file has changed since, the engine has them routed again.
//
// Open index.go first, then route.go; column.go has the bitmaps, path.go and its parts
// (texts.go, automaton.go) what is filed.
package index
