// Package state keeps what the engine must not forget: key states, rows of projections,
// de-duplication marks, silences, events that wait for their time, idle steps, outbox rows,
// source positions, and the diary, which says when a key must be looked at. It is the only
// room of Badger.
//
// # Words
//
// An epoch is the unit of commit: a [Batch] of writes which becomes durable as a
// whole, or not at all. Epochs are numbered without gaps. The journal holds one record
// for each epoch; the tree is Badger's. A checkpoint takes over into the tree what is
// pending, that is, in the journal only: a group of epochs, of each key the last write.
// Groups are numbered; their numbers are the timestamps in the tree. A [Table] is the
// first byte of every key. A frame is what stands around a value on disk: a version byte
// and a checksum over key and value.
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
//   - All reads see the last complete epoch, never a part of the one being written. They
//     look first at what was committed since the last checkpoint began, then at what that
//     is taking over, then at the tree as of the last whole group.
//   - An epoch is complete when its record in the journal is durable. What a record holds
//     is removed from the journal when a group is whole that has it, or later writes of the
//     same keys, which are in the journal still. (So a checkpoint in the background need
//     not write what is written in every epoch.)
//   - Every write of group n has the timestamp n, and the marker "n is whole" is in the
//     same transaction, or, where the group needs several, is written after all of them
//     are durable. A timestamp is never used for two groups.
//   - What is left of a torn group needs no undoing while the journal covers it. What it
//     does not cover, after a power cut without synced writes, is undone at the next
//     start: for every such key its value as of the last whole group is written, or a
//     delete, in a fresh group above all timestamps seen. (To delete at the torn timestamp
//     would hide the good value too.) The versions for that are kept until the next group
//     is whole.
//   - After a commit or a checkpoint that began to write and did not end, the store takes
//     no more commits until it is opened again.
//   - A directory that has lost something is refused, not opened as what is left of it.
//     Badger alone cannot tell a log that was damaged from one that a crash cut short;
//     the mark, which lies outside of its tree, can: see mark.go and verify.go. Damage
//     to what Badger wrote between the last commit and a crash is beyond that.
//
// # On disk
//
//	DIR/FORMAT   "cepheus-state 3", and " encrypted" where it is: the version of everything below; made last
//	DIR/KEYS     of one that is encrypted: its keys, sealed under the operator's (package seal)
//	DIR/EPOCH    the mark: the last complete epoch and group, how far Badger's MANIFEST went
//	DIR/journal/  the journal: see its package
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
// What a kill leaves of a file that Badger was making or deleting is no damage, and mended
// before Badger sees it (verify.go). It takes such files for new ones, and refuses.
//
// Locks are taken in this order: taking (one checkpoint; a channel, so that a
// store that is left waits no more for one), commit (one commit), mu. Nothing
// waits for the disk under mu but reads.
//
// Of an encrypted directory the tree is encrypted by Badger and the journal by its package, each
// under a key of KEYS; so is a backup. To verify tables and logs before Badger opens them, they
// are decrypted here too. FORMAT, EPOCH, MANIFEST and BALLAST hold nothing of records. See
// encrypt.go.
//
// Open state.go first, then badger.go, checkpoint.go and pending.go, then verify.go; check.go has what operators ask for.
package state
