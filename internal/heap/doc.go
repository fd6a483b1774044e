// Package heap lets the garbage collector wait for a share of the heap that falls as the
// heap grows.
//
// Most of what the engine remembers has no pointers, so that a collection costs little
// however much of it there is, while the room that the heap may grow by between two
// collections is a share of all of it. With a few hundred MB that share is worth its room;
// with several GB it would be a GB that holds nothing. So the share is halved each time the
// live heap doubles beyond a size.
//
// A process that keeps only a bounded part of its state in memory is to take no more than
// goes with that bound: there the share falls further as the memory nears it.
//
// Open tune.go, then bound.go.
package heap
