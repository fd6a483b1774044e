// Package check turns parsed rule files into a plan: it resolves names, types every
// expression, proves that clauses, windows and patterns are lawful, and reports all
// that is wrong with a rule set at once.
//
// # Words
//
// A declaration is a top-level item of a file. The kind of a rule (filter, window,
// pattern) follows from its clauses. An input is an event type that a rule reads; an
// expression is compiled once for each input whose events it sees. A place is the
// spot of a rule where an expression stands; its scope says which names it sees.
//
// # Place in the flow
//
//	syntax.File ─► check ─► plan.Set
//	                 └─► predicate (each expression)
//
// A [Memo] remembers a set, so that the next one costs what has changed (memo.go). What a
// rule said and asked of the set is its work. Once all rules are compiled, layouts are
// settled (settle.go), and plans let go of the texts they came from (tidy.go).
//
// # What it decides where the language leaves room
//
//   - Events, constants, functions, lists and tables share one namespace, for an
//     expression may name any of them. Rules have one of their own, so that a rule may
//     make an event of its name.
//   - A condition sees the steps written before it, but not those in another branch
//     of | (never taken before it) nor on another side of & or any (which may come
//     later). An until sees no step: it ends all runs of the key.
//   - A step's name may be left out where its event type stands once in the pattern;
//     until does not count.
//   - With match, where filters the events of the types that from names; other types
//     of the pattern pass.
//   - having of match all sees the steps whose event can complete the pattern, of a
//     repeated one its last event, and no others: what it asks of another step belongs
//     into that step, or matches() would count what having then keeps back.
//   - Of a test all names and values are checked; a record in it may lack fields, and
//     may not have others than are declared.
//   - A pattern whose every wait is bounded by a gap or by for gets no warning that
//     it has no within: none of its runs lives forever.
//
// # Invariants
//
//   - A Set comes only without errors; then every index, type and duration in it holds
//     what package plan promises.
//
//   - Types and rules are compiled in order of name: no number depends on the names or
//     the order of files.
//
//   - A set does not depend on what a memo held before: a rule is taken over only if its
//     text, and the meaning of every name in it, is the same. What a rule does to the set
//     beside its plan (messages, nodes, look-ups, reads) is done again.
//
//   - A layout holds the fields that are read, in the order of their declaration.
//
//   - A rule that did not parse is checked like the others, clause by clause, and what
//     a lost part may be the reason of is left out (damage.go): one fault hides no
//     other, and gives no false alarm.
//
// Open check.go first, then rule.go and pattern.go.
package check
