// Package keep holds the events that a shard remembers after their batch is gone:
// those that open runs have taken, and those that windows show as evidence.
//
// A kept event is an entry without pointers in a table, with a count of its holders,
// and one blob of bytes (its slots, then its text) in pages by size class, so that
// millions of kept events cost the garbage collector nothing. A [Ref] stays valid
// until its last holder releases it. A [Store] belongs to one shard, and is not safe
// for concurrent use. How many events are kept is bounded by machine.Limits, not here;
// what does not fit the names (2^32 events, 128 MiB in one) is a panic.
//
// Open store.go first; blobs.go is the allocator beneath.
package keep
