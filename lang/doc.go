// Package lang is the door to the rule language: it compiles the files of a rule set
// into a plan for the engine, or says all that is wrong with them.
//
// # Place in the flow
//
//	source.File ─► syntax.Parse ─► check.Check ─► plan.Set
//
// The rooms behind it: source (files, places, messages), syntax (text to tree),
// predicate (expressions), check (names, types, laws), plan (what the engine gets).
// What a user of the compiler needs is in this package, in source (to read files and
// print messages) and in plan.
//
// A [Compiler] remembers the last set and compiles of the next what has changed.
//
// # Invariants
//
//   - A rule set is compiled as a whole or not at all.
//   - The same files in any order give the same plan, whatever was compiled before.
//   - No text makes the compiler panic or run for long: sizes and nesting are bounded
//     before anything recursive sees them.
//
// Open lang.go, then compiler.go.
package lang
