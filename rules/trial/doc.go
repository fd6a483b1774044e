// Package trial runs a rule set in memory, for tools: over records that they have at hand,
// or over any source, with alerts as values and nothing kept.
//
// A run here is the engine's own. What it gives are the alerts that a live run over the same
// records would have sent, `suppress` included.
//
// [RunWithin] runs what nobody has tried yet: it ends where the rules would remember too much.
//
// [Feeders.Only] cuts a set down to some rules and what feeds them.
//
// Open trial.go.
package trial
