// Package kafka reads topics of Apache Kafka, and of what speaks its protocol.
//
// # Words
//
// A [Client] is what is read of one cluster; each partition is a [Source] of its own, and
// one input of the engine. A lane fetches from one broker. A frame is a record batch in
// the log's format, a chunk is what one answer of a broker held of a partition.
//
// # Place in the flow
//
// [Open] finds the partitions. A lane asks its broker for all partitions that it leads and
// that have room; an answer waits in its source, as it came, until Next hands it on:
// checksums, decompression and the cutting into records are the caller's work, so they
// are done for each partition beside the others. Bytes that are not compressed are never
// copied behind the connection: batch and source exchange memory.
//
// # What is handed on
//
//   - What a transaction has written, once it is committed. What was undone, and the markers
//     of transactions, are never seen.
//   - Offsets grow, with gaps where compaction, transactions or tombstones are. A tombstone,
//     a record without a value, is counted and passed by.
//   - The time of a record is its time stamp in the log.
//   - CloudEvents in binary mode become envelopes of structured mode.
//
// # No group
//
// The process takes all partitions itself. Where it stands is in the engine's epochs;
// [Client.Publish] shows it to tools that look at offsets of groups.
//
// # Failures
//
// A broker away, a new leader, a failed login while running: the partition waits, keep
// looks for its leader, at once and then once a second, and the partition does not count
// as standing at its end. At the start that ends after Options.StartTimeout. A topic made
// again (known by its id, else by the last record read: landmark.go), an offset out of
// range, a batch that is damaged twice end the source with an error, unless Options say
// otherwise; never silently.
//
// # The library
//
// kafka-go gives connections, TLS, logins and codecs. The requests are ours (request.go, and
// internal/wire, which the sink shares): its own drop where a batch ends whose last records
// were compacted away, which no fetch would get past, and the ids of topics; and they copy
// each record twice.
//
// # Goroutines
//
// Open starts keep and, for each leader, a lane; Close ends them and waits. Locks:
// Client.mu before Source.mu; neither is held while something waits.
//
// Open client.go first, then lane.go, source.go, records.go.
package kafka
