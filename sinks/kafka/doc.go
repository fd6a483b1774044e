// Package kafka is the sink that writes alerts to a topic of Apache Kafka.
//
// It sits behind the dispatcher of package sinks. A record is one alert as JSON, keyed by
// the alert's key, with its id, rule and severity as headers; alerts of one key lie in one
// partition, in order.
//
// # What is promised
//
// Each record is written by an idempotent producer and acknowledged by all replicas in
// sync: no retry within a run repeats or reorders it. What a crash repeats has the same id.
//
// With Options.Transactional nothing is repeated for readers of committed records. The rows
// of one Deliver are one transaction of Kafka, which has the number of the last of them in
// it, as the offset of a group of ours:
//
//	Open      position ── InitProducerID ── position ── a transaction that makes it ours
//	Deliver   AddPartitionsToTxn ─┬─ Produce …                        ─┬─ EndTxn
//	                              └─ AddOffsetsToTxn, TxnOffsetCommit ─┘
//
// A crash before EndTxn leaves a transaction that the next InitProducerID undoes; after it,
// the position says that the rows are there, and the dispatcher goes on behind them.
// An answer that is lost, a transaction that took too long: InitProducerID and the position
// tell in the same way what has become of it, within the run.
//
// # One process, one state
//
// InitProducerID shuts out whoever used the transactional id before: a process that is still
// there learns it from its next transaction, undone, and ends with a [FencedError]. The
// position names the state directory whose rows it counts, and who has opened it last. Of another one, or of one that
// is older than what was delivered, the sink refuses to open, before it shuts anyone out:
// [StateError].
//
// # Failures
//
// Brokers away, leaders and coordinators that move, replicas missing: tried again for as
// long as the attempt lasts, said once; then it is a *sinks.RetryError. A record that the topic
// refuses for its size or shape is a *sinks.RejectedError, a right that is missing a
// *sinks.FaultError, with a [wire.SettingError] in it.
//
// What time has cut short is in doubt. With transactions the next Deliver has it decided
// before it writes. Without, it skips the rows whose answers were heard and sends the others
// again under their numbers, by which the broker knows them; where other rows come, for the
// dispatcher has given those up, it becomes a new producer, or the broker would take them for
// repeats and lose them.
//
// Open sink.go first; txn.go has the transaction, produce.go the writing.
package kafka
