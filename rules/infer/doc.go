// Package infer proposes event declarations for sample records.
//
// A [Guess] is fed records; [Guess.Declarations] writes what they seem to be as rule text:
// types, optional fields, and the fields that are time and id, each with a comment where it
// is not sure. It reads at most so many distinct types and fields; beyond, records are
// counted and looked at no further.
//
// What is sure and what is not: a field that was in every record of many is taken as always
// there; a name and a form together (at, "2026-01-02T…") make a time; an id is a field with
// as many values as records whose name says so. Numbers without a fraction in all records are
// int, which the comment says where there are few.
//
// Open infer.go.
package infer
