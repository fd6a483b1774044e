// Package http is a source of events that clients hand over one request at a time: a bounded
// queue in memory between those who push and the engine, which reads it as one partition.
//
// # Words
//
// A position counts records from the first that was ever queued; after a restart it goes
// on from the stored one. What is queued is not durable: it is lost with the process until
// the engine has committed it, which is why a client can wait for that (Wait). A client that
// got no answer sends again; `dedup` of the event type tells copies by their id.
//
// # Place in the flow
//
//	Push ─► queue ─► Next (engine) ─► commit ─► Durable ─► Wait returns
//
// A push is taken whole or not at all: [FullError] where there is no room for it now.
//
// Package http starts no goroutine. All methods are safe for several goroutines, but those
// of engine.Source, which the engine calls from one at a time. Open queue.go.
package http
