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
//	                                               rows after its own position
//	                                               Deliver, Flush, position moves
//	batch of epoch n+1 ◄── Acks() ◄───────────────────────┘
//
// Acknowledgements have no epochs of their own: epochs are strictly ordered commits of
// one writer, the engine, and a commit costs a disk's sync. So the engine puts what Acks
// returns into the next epoch, where the outbox also drops the rows that every sink has;
// and at a clean stop it calls Drain, waits for Run, and commits a last epoch with the
// last acknowledgements.
//
// # Invariants
//
//   - A row is handed to a sink only after the epoch that made it is durable.
//   - A sink sees rows in order of their numbers, and, within a run, each once.
//   - After a crash a sink sees the rows again that it had delivered since the last
//     epoch; after a clean stop none. Alerts carry ids by which they can be told.
//   - A sink that has no position yet gets all rows that are still in the outbox.
//   - The engine is at most Options.MaxBacklog rows ahead of the slowest sink: Committed
//     then waits. Rows wait on disk, not in memory: a sink holds one round at a time.
//
// A sink goes on trying for as long as its receiver may come back. What it returns is past
// that: a *RejectedError, which is about one row, is kept by Options.Rejected, and the rows
// after it follow; any other error ends Run, and the engine stops with it, losing nothing.
// Breakers and rate limits belong around Sink and are not here yet.
//
// Each sink is a folder: stdout, file, webhook. deadletter keeps the records that could not
// become events and the alerts that were refused; it shares [Lines] with file. Open
// dispatcher.go first.
package sinks
