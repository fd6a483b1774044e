package machine

import "slices"

// Append appends the record of a key.
func (b *Bucket) Append(x *Context, to []byte, k *BucketKey) []byte {
	out := newRecordWriter(x)
	out.bool(k.held)
	out.refs(k.recent)
	out.uint(uint64(len(k.firsts)))
	for _, at := range k.firsts {
		out.int(at)
	}
	text := b.program.AppendBuckets(nil, &k.open)
	out.uint(uint64(len(text)))
	out.body = append(out.body, text...)
	return out.finish(to)
}

// Decode reads what Append wrote into a key that is empty.
func (b *Bucket) Decode(x *Context, record []byte, k *BucketKey) error {
	in := newRecordReader(x, record)
	k.held, k.recent = in.bool(), in.refs()
	for range in.count() {
		k.firsts = append(k.firsts, in.int())
	}
	if text := in.bytes(); in.err == nil {
		if err := b.program.DecodeBuckets(text, &k.open); err != nil {
			in.fail("windows: %v", err)
		}
	}
	b.check(in, k)
	return in.finish()
}

// check refuses a record without what an alert rests on: each open window has a first
// event, and all of them hold the newest one.
func (b *Bucket) check(in *recordReader, k *BucketKey) {
	switch n := len(k.open.Open()); {
	case n != len(k.firsts):
		in.fail("%d windows with %d first events", n, len(k.firsts))
	case (n > 0) != (len(k.recent) > 0), len(k.recent) > MaxEvidence, slices.Contains(k.recent, 0):
		in.fail("%d windows and the last %d events", n, len(k.recent))
	}
}
