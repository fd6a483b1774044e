// Package packs holds rules to begin with, by field: fraud, security, operations, iot. Each
// pack is a folder of rule files with their tests, and of events to try them on; a newcomer
// copies one (cepheus init) and changes it.
//
// Each rule has a title, a runbook, tests in which it fires, and tests of the nearest thing
// at which it must not.
//
// Open packs.go.
package packs
