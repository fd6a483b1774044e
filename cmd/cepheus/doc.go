// Command cepheus runs complex-event rules over streams of events, and serves the
// authors of rules.
//
// Each verb is a file: a struct of flags with its Run method, which calls one room
// and prints what came back. Nothing of the language or the engine is decided here;
// what is decided here is which parts are joined, when they start and stop, what goes
// to standard output (results, and nothing else), what to standard error, and the
// exit code (exit.go).
//
//	run      run.go: flags and what is refused; configure.go: the configuration, which flags go
//	         before; inputs.go: what is read; pipeline.go: sources, state, engine, sinks,
//	         joined; live.go: rules that change; shown.go, reload.go, growing.go: what goes
//	         on beside a run; serve.go: the API of a run; progress.go: the line on a terminal;
//	         summary.go: what a run did
//	check    check.go; probe.go: what a configuration names, tried
//	config   config.go: the schema
//	state    state.go: info, verify, compact, and what a run answers to them; state_backup.go
//	rules, events, alerts  rules.go, events.go, alerts.go: clients of the API of a run; remote.go:
//	         what they share
//	route    route.go; the routes of a run too
//	dead-letters  deadletters.go
//	bench    bench.go: what is to be measured; benchmarks/measure measures
//	version  version.go
//
// A run without a configuration has one sink, standard output, or those of --sink. What a
// rule asks for and a run does not have is a warning on standard error. Parts warn through
// a text logger on standard error.
//
// Verbs are tested as users meet them: testdata holds one script a behaviour, which
// runs the real binary. Open main.go first.
package main
