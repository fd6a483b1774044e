// Package api serves HTTP: rules that change while they run, events in, alerts out, and
// what an operator sees. It is the room of gin and of Prometheus' client.
//
// # Words
//
// A route is one line of the table in table.go: method, path, scope, what goes in and what
// comes out. The table registers the handlers and is what the OpenAPI document is written
// from, so neither has what the other has not. A problem is an RFC 9457 document; every
// answer that is no success is one, and says what to mend. A principal is who asks: the
// name of a token, that of a client's certificate, or nobody in particular. A scope is
// what a principal may do.
//
// # The way of a request
//
//	connection ─► limits ─► host, rate, principal, scope ─► handler ─► one call ─► answer
//	                                └──────────── audit log ◄────────────┘
//
// Handlers turn a request into one call of an interface in options.go and one answer; what
// rules mean, which version is in service and what is durable is decided behind those
// interfaces. [Totals] and [Recent] take from the running engine what is shown of it: they
// are handed to it before the server is made.
//
// # Invariants
//
//   - A change is whole or not at all, and the answer says which version is in service.
//   - Without tokens and certificates the server answers this machine alone, unless told
//     otherwise, and only where it is asked by a name of this machine: a page in a browser
//     must not reach it by another.
//   - Bodies, headers, connections, streams and the time of each are bounded.
//   - Whatever changes something, and whatever was refused for who asked, is in the audit
//     log before the answer is complete.
//   - No answer, log line or metric shows a token.
//
// # Goroutines
//
// Serve blocks until its ctx ends and all requests have ended; it starts those of net/http
// and waits for them. All exported methods are safe for several goroutines.
//
// Open options.go first, then table.go and server.go.
package api
