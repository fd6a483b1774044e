// Package state keeps what the engine must not forget: key states, rows of projections,
// de-duplication marks, silences, events that wait for their time, idle steps, outbox rows,
// source positions. (Timers follow from key states.) It is the only room of Badger.
//
// # Words
//
// An epoch is the unit of commit: a [Batch] of writes which becomes durable as a
// whole, or not at all. Epochs are numbered and only grow; after a repair numbers are
// skipped. A [Table] is the first byte of every key. A frame is what stands around a
// value on disk: a version byte and a checksum over key and value.
//
// # Place in the flow
//
// The engine collects the effects of an epoch in a Batch and commits it; the
// dispatcher of the sinks reads the committed rows through [Outbox]. [Badger] is the
// store on disk, [Memory] its twin for runs without a state directory; both pass
// storetest. Records are encoded by who owns them: this room knows bytes.
//
// # Invariants
//
//   - All reads see the last complete epoch, never a part of the one being written.
//   - Every write of epoch n has the timestamp n, and the marker "n is complete" is in
//     the same transaction, or, where the epoch needs several, is written after all of
//     them are durable. A timestamp is never used for two epochs.
//   - The versions of the last complete epoch are kept until the next is complete, so
//     that a torn epoch can be undone at the next start. That start writes, for every
//     key with a version above the marker, its value as of the marker, or a delete, in
//     a fresh epoch above all timestamps seen. (To delete at the torn timestamp would
//     hide the good value too.)
//   - After a commit that began to write and did not end, the store takes no more
//     commits until it is opened again.
//   - A directory that has lost something is refused, not opened as what is left of it.
//     Badger alone cannot tell a log that was damaged from one that a crash cut short;
//     the mark, which lies outside of its tree, can: see mark.go and verify.go. Damage
//     to what Badger wrote between the last commit and a crash is beyond that.
//
// # On disk
//
//	DIR/FORMAT   "cepheus-state 2": the version of everything below; made last
//	DIR/EPOCH    the mark: the last complete epoch, and how far Badger's MANIFEST went
//	DIR/tree/    Badger's files
//	DIR/BALLAST  room that is given back where the disk is full: see ballast.go
//
// DIR itself is locked while it is open. A copy is a backup if no process had it open; a
// [Badger.Backup] is one at any time, and [Restore] makes a directory of it.
//
// Before each epoch the free space is
// looked at, because a full disk reaches Badger's mapped log as a signal and not as an
// error.
//
// Open state.go first, then badger.go, then verify.go; check.go has what operators ask for.
package state
