// Package workload says what benchmarks ask of an engine: rule files in our language, the
// events that they read, and how many matches there must be.
//
// W1 to W7, W8f and W9 are the workloads of the peers' harness (benchmarks/peers), in the
// same meaning and on the same events; W10 counts distinct values. W8s is W8f with
// thresholds chosen for about as many alerts as with 1,000 rules. The names that begin
// with G are for growth curves: one rule, whose window, values or open runs are the size.
//
// A workload has a size n, which is the number of rules (W8f, W8s), the window in
// milliseconds (W9, and so in events), or what a curve grows in; others have none. A
// match is an alert, but where a rule counts combinations ([Workload.Counted]), its
// number says how many.
//
// The oracle counts matches by plain loops over generated events, without rules, engine
// or JSON; it is a second writing of benchmarks/peers/oracle.py, and a test holds the two
// together by numbers that the latter has printed. It must not know the engine.
//
// Open workload.go first.
package workload
