// Command cepheus runs complex-event rules over streams of events, and serves the
// authors of rules.
//
// Each verb is a file: a struct of flags with its Run method, which calls one room
// and prints what came back. Nothing of the language or the engine is decided here;
// what is decided here is which parts are joined, when they start and stop, what goes
// to standard output (results, and nothing else), what to standard error, and the
// exit code (exit.go).
//
//	run      run.go: flags and what is refused; pipeline.go: sources, state, engine, sinks,
//	         joined; progress.go: the line on a terminal; summary.go: what a run did
//	check    check.go
//	state    state.go: info, verify, compact, and what a run answers to them; state_backup.go
//	dead-letters  deadletters.go
//	bench    bench.go: what is to be measured; benchmarks/measure measures
//	version  version.go
//
// Until there is a configuration a run has one sink, standard output, and takes its
// inputs, state and dead letters from flags. What a rule asks for and a run does not have
// is a warning on standard error. Parts warn through a text logger on standard error.
//
// Verbs are tested as users meet them: testdata holds one script a behaviour, which
// runs the real binary. Open main.go first.
package main
