// Package webhook is the sink that posts alerts to an http or https URL.
//
// It sits behind the dispatcher of package sinks, which tries again, waits, and keeps the
// order. A call is one request. It carries one alert as JSON with its id in
// Idempotency-Key; or, with Options.Batch, up to that many as JSON lines, whose key is made
// from their ids; or what an Options.Format makes of them. After a crash alerts come again,
// and in other batches: a receiver that keeps ids has each once, if of a batch it looks at
// the id of each line.
//
// # What an answer means
//
//	2xx                       delivered
//	408, 409, 425, 429, 5xx,  *sinks.RetryError, with what Retry-After asks for
//	no answer
//	400, 413, 422             the alert is refused for good: *sinks.RejectedError
//	anything else, also 3xx   the receiver is not what was meant, or does not know us:
//	                          *sinks.FaultError
//
// What is read of an answer is bounded. No error shows more of the URL than scheme and host,
// nor a value of a header, though the receiver repeats them. Open webhook.go first;
// attempt.go has a request, status.go the answers, sign.go the signature. Each format, such
// as slack.go, is a file; template.go is that of an author.
package webhook
