// Package deadletter keeps the records that could not become events, with the reason, in
// a file of JSON lines that people can read, correct and send again:
//
//	{"reason":"…","source":"in.jsonl","offset":120,"time":"2026-01-02T03:04:05Z","record":"…"}
//
// A record that is not UTF-8 is written in base64 with "base64":true; one beyond the
// bound is cut, with "truncated":true. The file is bounded: when it is full, letters are
// counted and no longer kept.
//
// It stands among the sinks because it is where data leaves the engine, and because alerts
// that a receiver has refused for good end here too: whole, by Keep, which says so when
// there is no room. A record that is read again after a crash is written again, which a
// reader sees by source and offset. Letters are durable after Flush, which belongs before
// the commit of the positions behind them, and after Keep.
//
// There is one file to open: deadletter.go.
package deadletter
