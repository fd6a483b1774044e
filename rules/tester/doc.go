// Package tester runs the `test` blocks of rule files.
//
// # Words
//
// A [Suite] is a rule set with its tests. Running a test gives a [Result]: what was expected
// and did not come, what came and was not expected, and for each rule of which an alert did
// not come the nearest miss.
//
// # What a test is run on
//
//   - The rules that it names, in its header or in what it expects, live whatever their
//     mode, and the rules and tables whose events or rows they read. Other rules do not run.
//   - One partition whose first event is at [Zero]. Of an event the time field that is not
//     written is its offset, and the id that is not written is one of its own.
//   - Time moves by `at` alone: `at D` brings the watermark to D, and so does the last `at`,
//     whatever the lateness of events. The end of a test closes nothing.
//
// # Invariants
//
//   - A test is a function of its text: no clock, no chance, and no order among tests.
//   - A test is run a second time, watched, only where it fails or coverage is asked for.
//
// Open suite.go first, then run.go, judge.go.
package tester
