// Package redact keeps people's data out of what leaves the engine.
//
// # Words
//
// A member is a field of a record, by its path: card, or customer.email. What is redacted is
// said by event type; types that rules make (`emit EVENT`) inherit it. To redact is to put a
// keyed hash in the place of a value, so that equal values are still seen to be equal, or a
// mask. A value is secret where it comes from a redacted member: as it is, or worked out of
// it, but for a comparison and for how many there were.
//
// # Place in the flow
//
// The engine calls [Redactor.Alert] on each alert that it renders, live, shadow or tried, before
// anybody sees it: so sinks, the outbox, what the API shows of alerts and dead letters of
// alerts have it redacted. Records that come to nothing go through [Redactor.Letter] before
// they are written, what the API tells of keys and rows through [Redactor.JSON]. Rules see
// values as they are, and the state keeps them so.
//
// # Invariants
//
//   - In doubt a value is secret: a member is known by its name wherever it stands in a record,
//     and in a rule that reads several types what is redacted of one is of all, where it is not
//     known from which a record is.
//   - A record in a field is redacted by its members; what is made of it, and where it is handed
//     on in a row, it is redacted whole.
//   - The same value has the same hash, in keys, fields and records, in all runs with one key.
//   - An alert whose rule reads a redacted type has its id hashed too: what an id is made of
//     holds the key, and could be found by trying.
//
// Open redact.go first, then taint.go, which follows values through expressions, and json.go.
package redact
