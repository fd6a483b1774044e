// Package engine runs a compiled rule set over sources: it reads, decodes, routes,
// orders by time, steps the machines of every key, and commits what they did.
//
// # The way of an event
//
//	reader ─► worker: decode, route ─► merger: order, watermark ─► epoch ─► shards ─► barrier
//	   └ one a source   └ one a core       └──────── the coordinator (Run) ────────┘
//	barrier ─► effects in order ─► suppress ─► render ─► batch ─► commit ─► outbox ─► sinks
//
// # Words
//
// A job is one batch on its way; a batch is decoded and routed as a whole. Where events
// need not wait for anything they go the direct lane, in stretches (direct.go); else one
// by one, in the order that the merger gives them (merge.go). A round is the unit
// of work: inputs in order, each with its ordinal, then the time up to which nothing more
// will come. An epoch is the unit of commit: as many rounds as fit into the commit interval
// and the bounds of [Options], one where commits cost nothing. A shard owns the
// keys of some of 256 slots; a unit is one rule in one shard. An effect is a match with its
// cause; after the barrier effects are sorted by cause and become alerts. A stratum is a set of rules that may run at the same time:
// rules that read what others make run in a later one. A projection is a rule that never
// alerts: what an event asks of it is answered in its stratum, into the event's Side, for
// rules of later ones. What a source, an operator or a rule could make grow without end
// has a bound in [Options] or in machine.Limits; [Engine.Remembered] counts what there is.
//
// Where the store is durable, a key is cold while it is in the store alone: no key is read
// at the start, those not touched for longest go cold beyond Options.Cache, and one is
// fetched when an event of it comes (cold.go, cache.go). The diary is the store's list of
// when a cold key must be looked at (diary.go). Where time jumps over the deadlines of very
// many of them it is worked in slices, between which epochs may end (slices.go).
//
// # Time
//
// Each partition has its watermark; the merged time is the least of those that are not
// left out (idle, or ended) and never goes back. A record is looked at in this order:
// copy of a known id (dedup), too far ahead, late, older than the merged time; only what
// passes the first two moves time. An idle step is what the wall clock did to time: a
// partition fell idle or came back, or time grew while all were. Each begins an epoch,
// is recorded with it, and can be given to another run.
//
// # Goroutines
//
// Run starts one reader a source and one worker a core, and waits for them. It is itself
// the coordinator, which alone touches merger, epochs and outbox; shards run between two
// barriers, each in one goroutine, and share nothing but the shapes of events (shapes.go);
// they fetch keys from the store. At most one epoch is being committed, in a goroutine of its
// own, while the next is worked on (committer.go): the store answers as of the last that is
// durable, so what was touched since stays in memory. Between two epochs the coordinator
// looks at the files of lists and tables; events that were routed by what they held are
// routed again. All queues are
// bounded: a reader is at most jobsAhead batches before the epochs, and Options.Waiting
// events of a partition wait for their time. What is asked of a key is answered by the coordinator, one
// question at a time, while the shards rest (looks.go). The coordinator waits for the bell that
// readers and a commit that has ended ring, or for a timer. A panic in a worker
// or a shard ends the run with an error that names the record or the rule; nothing of its
// epoch, or batch, is committed.
//
// # Changes
//
// The rule set, and the inputs, can change while Run runs, between two epochs (swap.go). A
// generation is what holds between two changes; it is compiled beside the run. Units of
// rules that remember the same go on with their keys as they are in memory (heritage.go);
// a pattern that has changed behind its first steps begins anew with the runs that are still
// there, as it does at a start (carry.go);
// what was decoded or routed by an older generation and is in no epoch yet is done again,
// by the workers, or by the coordinator when its turn comes (again.go). A change is durable with the epoch that
// it begins, and which is committed at once.
//
// A rule that begins with nothing remembered can be given the past first (warm.go): an engine
// beside this one runs it over records of before, and goes along with this one, place by place
// (follow.go), until a change takes what it remembers over; what is between two shows of where
// the one stands the other reads by itself.
//
// # The law
//
// The same records in each partition, the same changes of rules at the same places and the
// same idle steps give the same alerts, byte for byte, whatever the number of shards, the size of epochs, the store and the other
// rules. What keeps it:
// the merger's order depends on times and positions alone; machines are pure; effects
// are sorted by what caused them, and not by when they were made.
//
// Open engine.go first, then job.go, epoch.go and direct.go, shard.go and unit.go, then
// commit.go and cold.go, swap.go.
package engine
