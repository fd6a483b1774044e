// Package enginetest runs whole rule sets over events in memory, for tests of the
// engine and of rules: the way from text to alerts with nothing left out but files and
// sinks.
//
// [Run] is the engine under options that must not change the alerts (the law); the
// reference evaluator, in reference_test.go and the files it names, is the second, plainest
// implementation of the language, written from docs/language.md alone, that the engine
// is compared with on random rules and streams. Only tests import this package, and
// rules/ruletest, which runs scenarios for tests and for users.
//
// Open run.go first.
package enginetest
