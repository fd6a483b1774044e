// Command gen writes the sample events of examples/: payments of a day with attacks
// on some cards, and a night of an SSH daemon's log with attacks on its door. All
// names are made up, all addresses are those kept for documentation (RFC 5737, RFC
// 3849), and the same bytes come out every time.
//
//	go run ./examples/gen examples
//
// Each attack is planted for one rule of the folder and stands on a card or address
// of its own, so that what a rule must find is known (the list in each function).
//
// Open main.go, then payments.go.
package main
