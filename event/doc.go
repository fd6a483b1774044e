// Package event holds the values that flow through the engine: records, events,
// schemas, positions, keys and alerts, and the decoders that turn bytes into events.
//
// # Words
//
// A record is bytes with a position (partition, offset). An event is a decoded
// record: a type, an event time, an identity and an array of 8-byte slots, one for
// each field that some live rule reads. A [Schema] is a declared event type, a
// [Layout] says which of its fields have a slot; so may a record's key and headers, which
// stand beside its text (meta.go). A [Batch] carries records, an
// [Arena] the events that a [Decoder] made of them. An event in them is valid until
// either is reset.
//
// # From bytes to an event
//
// The scanner (scan.go) validates a record and notes the members of its object on a
// tape; only then is its type known, for the type may stand anywhere. The decoder
// (decoder.go) finds the type, looking into CloudEvents envelopes (envelope.go), and
// fills the slots from the tape (fill.go) by the fields that the layout names
// (fields.go). A CSV row becomes a JSON record first (csv.go).
//
// Most records never come that far. A record that is written as an earlier one of its type
// was, but for its values, is decoded by a mould in one pass (mould.go, words.go). Others
// profit from what is remembered of the order of keys (order.go). Neither may ever show in
// a result.
//
// # Invariants
//
//   - An event is self-contained: every string slot points into the event's own
//     Text, so an event is retained by copying Text and Slots, nothing else.
//   - A slot without its bit in the bitmap is nil, whatever its value.
//   - Times are int64 nanoseconds since the Unix epoch.
//   - Whether a record is an event depends on its schema alone, never on which
//     fields have slots.
//   - Encoded keys and their hashes (key.go) are kept in state: their form never changes.
//
// What a decoder remembers is bounded: 64 keys of up to 64 bytes for each of 64 types, 16
// moulds of up to 64 parts with up to 144 bytes before each, 100 names of undeclared types,
// and scratch memory of a few times the longest record.
//
// The package imports nothing of the project. Open event.go first, then decoder.go.
package event
