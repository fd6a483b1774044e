// Package windows owns the arithmetic of windows and the aggregates over their
// events. It is pure: no goroutine, clock or I/O (but for loading a time zone when a
// [Program] is made), and the same events give the same results and the same bytes.
//
// # Words
//
// A [Spec] says which events a window holds, an [Agg] what is computed of them. Both
// compile to a [Program], immutable and shared by all keys. A [State] is what one key
// remembers of one window; the zero State is empty. An [Arg] is what one event gives
// to one aggregate. Aggregates of one argument share a column.
//
// # Place
//
// The engine compiles a Program for each named window of a rule and calls, per event
// and key:
//
//   - for sliding and last windows [Program.Add], then [Program.Result] for what the
//     rule reads; [Program.Expiry] says when the key can be forgotten;
//   - for windows evaluated at their end [Program.Close] up to the event's time, then
//     [Program.Put]; [Program.Due] says when to close next; `early` rules look at
//     [Buckets.Open] after each Put; the memory of a key without windows goes to the
//     next one by way of a [Spare];
//   - for the events that a repeated step takes, Add to a State of [NewAcc].
//
// # Invariants
//
//   - Results depend on the live events alone: not on what has come and gone, on how
//     the State grew, on whether it was written and read, nor on other Programs.
//   - Sums are exact numbers of any range (exact.go), so variances and slopes do not
//     cancel, nothing drifts, and results are rounded once. An average of durations
//     and a percentile of times round to the nearest nanosecond, ties to even. Sums of
//     ints and durations that do not fit 64 bits are nil.
//   - Adding and letting go cost amortised O(1), with a median or percentile O(log n);
//     the length of the window does not matter. Reading is O(1) for numbers, O(log n)
//     for percentiles, and by the size of the result, sorted, for lists.
//   - A State has no pointer per event: numbers are in one slab, strings in one text.
//   - At most [MaxEvents] events are in a State; callers bound them lower with Drop.
//     Distinct values and percentiles are exact in all windows and take memory by
//     value and by event; no sketch replaces them.
//
// Open spec.go first, then program.go (what is compiled), state.go (the slab), add.go
// and result.go; insert.go and buckets.go for windows evaluated at their end.
package windows
