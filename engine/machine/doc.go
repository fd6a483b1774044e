// Package machine is what one rule means for one key: pure machines that take an
// event or a time and give a new state and effects. They have no goroutine, no
// clock, no I/O, and nothing in them depends on the order of a map: the same inputs
// give the same bytes.
//
// # Words
//
// A machine ([Filter], [Window], [Bucket], [Pattern]) is the compiled form of one rule,
// immutable and shared. What a key remembers is a value of [WindowKey], [BucketKey] or
// [PatternKey]: its zero value is a key that was never seen. A [Context] belongs to
// one shard and carries what a machine needs and what it makes: the frame of
// expressions, the kept events, the effects.
//
// In a pattern a stage is one positive part of the outermost sequence, a step or a
// group, numbered in order; a negation stands in the gap after a stage. A leaf is a
// step that takes events. A run waits at a place: the stage that took last and, within a
// group, its config, one cell a part. Where branches let one event be taken in several
// ways (alternatives), the run has a place for each; the places of a run stand next to
// each other. A transition is a way from a stage to a later one, past stages that may be
// left out. A match all whose conditions look at one event each has no places: it counts
// its combinations from a pool of events, by a pass over few of them, by two stacks of
// products over many.
//
// A line is a pattern of steps one after the other, repeated and optional ones among them,
// whose negations simply end a run, with no strict or leading negation, no aggregate but
// numbers of events, and a gap or => only from a step that is not repeated to one that
// must come next; not match all. The choice is made when a pattern is
// compiled (newLine). The runs of a line wait in rooms, and an event opens those it matters
// to; its cost does not grow with the runs that are open. A room whose step is repeated
// has a log of the events that its runs share; one whose way on compares a value of the
// event with one of the run has its runs in the order of that value. So that most events
// end at the key, a room knows from when on one can matter to it (the length of its log, the
// least value of its runs), and the key knows it of its rooms. What a line means is
// what the general machine of run.go makes of it: a test compares the two.
//
// A trail is the events of a key's largest window: their times, and what alerts show of
// the newest ones. What windows remember of a key has no pointers but where aggregates
// need a state.
//
// # Place in the flow
//
// engine/index tests an event against the conditions that need nothing but the event
// (a machine lists them as [Test]s) and finds its key; a shard then hands event, key
// and the set of steps that passed to the machine, fires its deadlines in order of
// time, and collects its effects.
//
// # Invariants
//
//   - Times given to one key never decrease.
//   - Deadlines at or before t are settled before an event of time t.
//   - Runs of a key stand in order of start; a list shared by runs holds the events of
//     each in one stretch.
//   - Runs of a line are linked in order of start, and in each room but a heap in the order
//     in which they came.
//   - Every kept event is held once for each place that names it, and released when
//     the place goes.
//   - A key of windows shows the newest MaxEvidence events of those that its windows
//     hold, or all of them.
//
// Open context.go, then pattern.go (the compiled form) and run.go (how it moves); then
// group.go (places within groups), list.go (what repeated steps share), line.go with
// waiter.go, line_run.go and order.go (runs that wait together), all.go (match all by
// places), pool.go, automaton.go, stacks.go and pool_write.go (match all counted),
// window.go with trail.go and bucket.go, aggs.go, codec.go.
package machine
