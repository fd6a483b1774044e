package sinks

import (
	"bytes"
	"hash/maphash"
)

// round is a copy of rows. It lives on with its memory.
type round struct {
	text    []byte
	numbers []uint64
	ends    []int // of each alert in text
	out     []Row
}

func (r *round) reset() {
	if cap(r.text) > 4*roundBytes { // after an alert of unusual size
		r.text = nil
	}
	r.text, r.numbers, r.ends = r.text[:0], r.numbers[:0], r.ends[:0]
}

func (r *round) add(row uint64, alert []byte) {
	r.text = append(r.text, alert...)
	r.numbers, r.ends = append(r.numbers, row), append(r.ends, len(r.text))
}

func (r *round) rows() []Row {
	clear(r.out)
	r.out = r.out[:0]
	start := 0
	for i, end := range r.ends {
		r.out = append(r.out, Row{Number: r.numbers[i], Alert: r.text[start:end:end]})
		start = end
	}
	return r.out
}

// hashKey hashes an alert's key. Alerts are written by us: the member stands before all that
// could hold its like but labels and texts, in which quotes are escaped.
func hashKey(seed maphash.Seed, alert []byte) uint64 {
	_, key, _ := bytes.Cut(alert, []byte(`,"key":`))
	key, _, _ = bytes.Cut(key, []byte(`,"time":"`))
	return maphash.Bytes(seed, key)
}
