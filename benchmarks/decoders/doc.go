// Command decoders measures libraries that read JSON on the records of a file, payments as
// the peers' gen.py makes them, one a line, and prints a table:
//
//	go run . FILE
//
// All read the same six values of each record. A number is that of the fastest thousand
// records, which other work on the machine does not disturb. It is a module of its own, so
// that none of the libraries is a dependency of the engine. Open libraries.go for what each
// is asked to do.
package main
