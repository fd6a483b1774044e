// Package storetest is the contract of a store as tests: one suite, run on the store on
// disk and on the one in memory, so that the second can stand for the first. [Store]
// lists what both have; [Run] is the way in. It is imported by tests only.
package storetest
