// Package keep holds what a shard remembers of events after their batch is gone: whole
// events that open runs have taken, in a [Store], and what alerts show of the newest
// events of windows, in a [Log].
//
// A kept event is an entry without pointers in a table, with a count of its holders. In
// a Store it has one blob of bytes (its slots, then its text) in pages by size class. A
// Log, which is written at each event of a window, keeps the record alone, and writes
// one after the other into segments. So millions of kept events cost the garbage
// collector nothing. A [Ref] or [Shown] stays valid until its last holder releases it.
// Each belongs to one shard, and is not safe for concurrent use. How much is kept is
// bounded by machine.Limits, not here; what does not fit the names (2^32 events, 32 GiB
// in a Log or a blob) is a panic.
//
// Open store.go and log.go first; blobs.go is the allocator beneath the store, of which
// others use the same.
package keep
