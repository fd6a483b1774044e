// Package seal encrypts what a state directory holds outside of Badger's own files, and
// keeps the keys of both.
//
// # Words
//
// A [Key] is the master key: the operator's, from a file or the environment, never in the
// directory. A [Ring] is the directory's own keys, made at random with it: one for Badger,
// one for the journal. It is kept in the file KEYS, sealed under the master key, so that a
// new master key means to write one small file again, whatever the size of the state. A
// backup is a stream of sealed chunks under a key of its own, which stands in its head,
// sealed likewise.
//
// # Place in the flow
//
// The store opens the ring before anything else, hands one key to Badger and a cipher to the
// journal, and wraps its backups. This package knows no records.
//
// # Invariants
//
//   - Everything sealed here is authenticated: what was changed does not open. Rings are
//     sealed by AES-GCM, blocks and chunks by XChaCha20-Poly1305, whose random nonces of 24
//     bytes never run out, as those of GCM would for a journal of some terabytes.
//   - A stream that was cut, or whose chunks changed places, does not open: their numbers are
//     their nonces, and the last says that it is the last.
//   - Neither a Key nor a Ring prints, whatever prints it.
//
// Open key.go first, then ring.go and stream.go.
package seal
