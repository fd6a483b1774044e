// Package config reads cepheus.yaml, and makes of its sections what they stand for.
//
// # Words
//
// A key is a place in the file, written as a path: sources.payments.kafka.brokers. A
// [Fault] is what is wrong at one key. A kind is one way to read events or to send alerts:
// file, kafka, webhook.
//
// # Place in the flow
//
// [Load] reads a file whole: text to a tree (goccy/go-yaml), the tree into the structs of
// this package (decode.go), with all faults at once. The structs are the one description of
// the file: their tags say a key's name, meaning, default and bounds, and from them come
// the reading, the JSON Schema ([Schema]) and the tables of docs/configuration.md. cmd
// opens what they describe, and joins it.
//
// # A new kind
//
// One file, source_NAME.go or sink_NAME.go: a struct of the kind's settings whose Open and
// Probe make a [SourceKind] or a [SinkKind] of it, and one field for it in [Source] or
// [Sink], with the tag kind:"true". The rest follows from the struct.
//
// # Secrets
//
// A [Secret] never prints. A fault quotes a value as it is written in the file, never what
// came from the environment, and of a secret nothing; no message shows a line of the file.
//
// # Must not
//
// Nothing here starts, locks or waits, but for Open and Probe of a kind. A key that would do
// nothing is refused, not passed by: what is not there yet has the tag later.
//
// Open config.go first, then decode.go.
package config
