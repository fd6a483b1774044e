// Package route decides which alerts go to which sink, which are told together, and which
// are not told.
//
//	alert ─► to of its rule, else routes ─► silences ─► inhibitions ─► group ─► sink
//
// It sits between the outbox and the sinks: a [Table] gives the dispatcher one
// [sinks.Router] for each sink, which is asked row by row. So nothing is decided before an
// alert is durable, and what a crash undoes is decided again: groups are derived from the
// outbox, inhibitions from the alerts in it. What a crash forgets of an inhibition lets an
// alert through, never away. Silences are kept in a file.
//
// # Words
//
// A matcher says what of an alert must hold: rule, severity, tags, labels, key. A route has
// a matcher and the sinks of what matches; the first that matches decides, unless it says
// that those after it are asked too. A silence is a matcher with an end: what matches is
// counted, not told. An inhibition keeps alerts of one matcher back for a while after one of
// another. A dimension is a part of an alert that groups and inhibitions compare: rule,
// severity, key, key.NAME, label.NAME.
//
// What an alert would meet, Table.Explain tells by the same functions. Open table.go first.
package route
