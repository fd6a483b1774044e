// Package syntax reads rule files: text in, the AST of ast.go out, or every error in
// it. It is the only room of participle.
//
// # Words
//
// A declaration is what stands at top level (event, let, fn, list, table, rule, test),
// a clause is a part of a rule, an item any part of a body: a clause, a field, a line
// of a test. A keyword is a word that means something where it stands; none is
// reserved.
//
// # The way of a file
//
//	text.go     is it text at all: size, UTF-8, control characters
//	lexer.go    characters to tokens; literal.go: numbers, durations, escapes
//	balance.go  brackets matched, missing ones put in
//	parse.go    declarations and items, one after the other; rule.go: clauses
//	damage.go   what a fault leaves of a rule or an event
//	grammar.go  the productions of one item, for participle
//	extent.go   where an expression ends, and whether a word is a selection mode
//	lower.go    captures to AST; pattern.go: patterns
//	explain.go  participle's errors in the author's words
//
// Participle stops at the first error. So only items are given to it: an error in one
// is reported, and reading goes on at the next place where an item seems to start.
//
// # Invariants
//
//   - [Parse] never panics, and takes time linear in the text, whatever it is.
//   - Brackets are matched and at most [MaxNesting] deep before anything recursive
//     sees them.
//   - Expressions are delimited, not read: the rule is at exprG in extent.go. Names
//     are not resolved, and clauses that do not go together are not told apart: both
//     are package check's.
//   - Every span lies in the file and is never back to front.
//   - A declaration that is not Broken is whole: every part that the grammar demands
//     is there and every number, duration and word in it is valid.
//
// Open ast.go first, then parse.go.
package syntax
