// Package arch keeps the shape of the repository by tests: which room may import
// which, which library lives where, and the few habits that a compiler does not
// check. It has no code that runs in the product.
//
// # What is kept
//
//   - The law of imports between rooms, and one room for each library (law_test.go).
//   - Each package has a doc.go with a package comment, and no package is named
//     after nothing (util, common and their like).
//   - No init function; no package-level variable that anything writes to.
//   - No wall clock in the pure rooms, and none read behind the back of a shell.
//   - No path of a machine in code or documents.
//
// Every check is a function from parsed files to a list of faults, and each has a
// test that hands it a fault: a check that cannot fail would keep nothing. A fault
// says the mend.
//
// Open law_test.go for the tables; a new room or library is a line there, with its
// reason in docs/decisions where it is not in the design yet.
package arch
