// Package story tells what rules made of events, and why they did not alert: from what the
// engine's own machines say when they are watched (machine.Sight), so that the story cannot
// differ from what the engine does.
//
// # Words
//
// A [Teller] listens to one rule. It keeps [Line]s, one for each thing that happened to the
// key it is asked about, each in plain words and as data; the nearest [Miss] over all keys;
// and the [Cover] of the rule's conditions.
//
// A miss is what came nearest to an alert and was none: of patterns the run that took the
// most steps, with the condition that kept it from going on; of windows the judgement with
// the fewest parts of `having` that failed, and of these the one by the least.
//
// # Invariants
//
//   - Nothing here decides what a rule does.
//   - A teller's memory is bounded: lines by [Options.MostLines], runs by those that are
//     open and the best one that is not.
//
// Open teller.go first, then miss.go, words.go.
package story
