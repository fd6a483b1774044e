// Package deadletter keeps what came to nothing, with the reason, in a file of JSON lines
// that people can read: records that could not become events, events that came too late, and
// alerts that a receiver has refused for good.
//
//	{"id":"9c1f0a77b2e4","kind":"undecodable","reason":"…","source":"in.jsonl","offset":120,"time":"2026-01-02T03:04:05Z","record":"…"}
//
// A record that is not UTF-8 is written in base64 with "base64":true; one beyond the
// bound is cut, with "truncated":true. It stands among the sinks because it is where data
// leaves the engine. Letters are durable after Flush, which belongs before the commit of the
// positions behind them, and after Keep.
//
// # Files
//
// Lines are appended to FILE; a full one becomes an older part, FILE.00000001 and so on, and
// the oldest part goes when there is no more room, less the alerts in it that wait for
// someone, which are written again. What is done about letters is appended to FILE.marks: replayed, purged, corrected,
// and how many were dropped. Nothing is rewritten while a Writer has the file, which it says
// by the lock on FILE.lock; what was purged is removed when a Writer begins, or by Tidy.
// So a crash at any moment leaves whole lines, and at worst a line twice.
//
// # Words
//
// A letter's id is a hash of where its record is from and of what it says: a record that is
// read again after a crash has the same id, and is one letter. A mark holds for the copies
// that there were: what is refused once more after a replay waits again.
//
// Open deadletter.go first, which writes, then box.go, which reads and marks.
package deadletter
