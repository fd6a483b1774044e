// Package backtest sums up what rules gave over past events, and compares two rule sets.
//
// A [Tally] takes alerts as they come and counts them by rule, by hour and by key. Two
// tallies that were told to keep their alerts are compared by [Compare]: an alert is the same
// in both where its id is; of what is left, the n-th of a rule and key in one is the n-th
// in the other, moved.
//
// Open tally.go first.
package backtest
