// Package sinks delivers committed alerts: it reads them from the outbox, in order, and
// hands them to each sink at that sink's own pace.
//
// # Words
//
// A row is one committed alert with its number; numbers grow by one. A sink is one
// receiver, known by its name. A row is delivered to a sink when the sink has flushed
// it: it is where it survives the process. To acknowledge is to tell the outbox so.
//
// # Place in the flow
//
//	commit of epoch n ──► Committed(last row) ──► a goroutine for each sink:
//	                                               rows after those it has read
//	                                               route ─► lanes, groups ─► attempts
//	batch of epoch n+1 ◄── Acks() ◄─────────────── position moves
//
// Acknowledgements are part of the engine's epochs: these are strictly ordered commits of one
// writer, and a commit costs a disk's sync. So the engine puts what Acks returns into the next
// epoch, where the outbox also drops the rows that every sink has. Where no event comes for a
// commit interval, an epoch is committed for what was delivered meanwhile alone. After the end
// of the inputs, and at a clean stop, the caller calls Drain, commits acknowledgements at the
// same pace until Run is over, and then the last ones.
//
// # Who tries again
//
// A sink tries once and says what came of it by the kind of its error; the dispatcher does
// the rest, alike for all sinks: batches, a rate, a bound in time for each attempt, waits
// that double and are drawn or are what the receiver asked for, a breaker.
//
//	*RetryError     tried again
//	*RejectedError  about one row: kept by Options.Rejected, and the rows after it follow;
//	                about a batch: tried in halves
//	*FaultError     waits for someone's hand, or ends Run: Delivery.StopOnFault
//	any other       ends Run with an *Error; the engine stops with it, losing nothing
//
// # Invariants
//
//   - A row is handed to a sink only after the epoch that made it is durable.
//   - A sink sees rows in order of their numbers, and, within a run, each that it took once.
//     With Delivery.Concurrency the order is that of each key, and with a Router's groups
//     that in which they are due.
//   - After a crash a sink sees the rows again that it had delivered since the last
//     epoch, or, of groups, that came after one not yet told; after a clean stop none.
//     Alerts carry ids by which they can be told.
//   - A sink that has no position yet gets all rows that are still in the outbox.
//   - The engine is at most Delivery.MaxRows and MaxBytes ahead of a sink: Committed then
//     waits, or the oldest are dropped and counted. Rows wait on disk, not in memory: a sink
//     holds one round at a time, its lanes Options.MaxAhead rows where they are several,
//     and of groups a bounded number.
//   - Every row is in one of the counts of Stats.
//
// A sink can be tried outside of a dispatcher: preview.go.
//
// Each sink is a folder: stdout, file, webhook, kafka, postgres, redis, rabbitmq, email.
// sinktest tries them. route makes the Routers. deadletter keeps the records that could not
// become events and the alerts that were refused; it shares [Lines] with file. Open
// dispatcher.go first, then worker.go, lane.go and queue.go.
package sinks
