// Package webhook is the sink that posts alerts to an http or https URL.
//
// It sits behind the dispatcher of package sinks. One request is under way at a time, so
// that alerts arrive in order, per key and over all. A request carries one alert as JSON
// with its id in Idempotency-Key; or, with Options.Batch, up to that many as JSON lines,
// whose key is made from their ids. After a crash alerts come again, and in other batches:
// a receiver that keeps ids has each once, if of a batch it looks at the id of each line.
//
// # What an answer means
//
//	2xx                       delivered
//	408, 409, 425, 429, 5xx,  tried again, for as long as it takes, after Retry-After or a
//	no answer                 time that doubles, with full jitter
//	400, 413, 422             the alert is refused for good: a *sinks.RejectedError; of a
//	                          batch, smaller ones are sent until it is one alert
//	anything else, also 3xx   the receiver is not what was meant, or does not know us: a
//	                          *StatusError, which ends the run and loses nothing
//
// What is read of an answer is bounded. No error and no message shows more of the URL than
// scheme and host, nor a value of a header, though the receiver repeats them. Open
// webhook.go first; retry.go has the attempts, status.go the answers.
package webhook
