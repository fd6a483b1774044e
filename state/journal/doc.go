// Package journal keeps the redo records of a state directory: one record for each
// epoch, appended and synced before the epoch counts as complete.
//
// # Words
//
// A record holds all writes of one epoch. A block is a part of a record, compressed for
// itself, so that one write can be read again without its record. A [Place] says where a
// write lies. A segment is one file of whole records; when it has grown to its bound, or
// is sealed, the next record begins another.
//
// # Place in the flow
//
// The store appends the writes of an epoch to a [Journal], and enters their places in an
// [Index] under hashes of their keys. In the background it reads the writes that are
// still the latest of their keys, puts them into its tree, and then removes the segments.
//
// # Invariants
//
//   - The header of a record is written last, and after it the file is synced. A record
//     without a header, or with one that does not match, is one that was never complete.
//   - The numbers of the epochs in a journal have no gaps; segments are removed from the
//     oldest on. So whatever is missing in between is damage, and found out by opening.
//   - Behind a record that is not whole there is no whole one, or it is damage: only the
//     end of the last segment can be torn by a crash. Whether more is missing at the end
//     than what a crash may take, who opened the journal knows.
//   - Nothing in a sealed segment is changed.
//   - A block of an encrypted journal opens at its own place alone: one that was put in place
//     of another is damage.
//
// # On disk
//
//	NNNNNN.log   records, one after the other
//	record       header, blocks
//	header       "CepR", CRC-32C of the rest of the header, CRC-32C of the blocks,
//	             count of writes (4 bytes each), epoch, length of the blocks (8 bytes each)
//	block        length (4 bytes), then as many bytes of S2, which hold writes; where the
//	             journal is encrypted: nonce, sealed S2, tag. Sealed with them is where
//	             the block is: epoch of the segment's first record, offset (8 bytes each)
//	write        length of key, 1 + length of value or 0 where deleted (varints), key, value
//
// Numbers are little-endian. Headers are not encrypted: they tell how much each epoch wrote. Open record.go first, then journal.go; open.go and pipe.go
// read a journal that is there.
package journal
