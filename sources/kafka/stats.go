package kafka

import "sync/atomic"

// counts are what a source counts.
type counts struct {
	records, bytes, tombstones, aborted, control atomic.Uint64
	failures, outOfRange, lost, damaged          atomic.Uint64
	next, end                                    atomic.Int64
}

// Stats are totals of a source since Open.
type Stats struct {
	Records    uint64 // handed on
	Bytes      uint64 // fetched, as they are in the log
	Tombstones uint64 // records without a value, passed by
	Aborted    uint64 // records of transactions that were undone
	Control    uint64 // markers of transactions
	Failures   uint64 // fetches that failed
	OutOfRange uint64 // times that reading could not go on at its offset
	Lost       uint64 // records that were to be read and are gone, at most: compaction may have removed some before
	Damaged    uint64 // batches passed by for their damage
	Next       int64  // offset that reading goes on at; below 0: not known yet
	End        int64  // of the log, by the last answer; 0: there was none
}

// Stats returns the totals so far. It may be called from any goroutine.
func (s *Source) Stats() Stats {
	c := &s.counts
	return Stats{
		Records: c.records.Load(), Bytes: c.bytes.Load(), Tombstones: c.tombstones.Load(),
		Aborted: c.aborted.Load(), Control: c.control.Load(), Failures: c.failures.Load(),
		OutOfRange: c.outOfRange.Load(), Lost: c.lost.Load(), Damaged: c.damaged.Load(), Next: c.next.Load(), End: c.end.Load(),
	}
}
