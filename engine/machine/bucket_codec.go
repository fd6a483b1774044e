package machine

// Append appends the record of a key.
func (b *Bucket) Append(x *Context, to []byte, k *BucketKey) []byte {
	out := newRecordWriter(x, recordOfBucket)
	out.bool(k.held)
	out.shown(k.recent.shown(x, MaxEvidence), nil)
	out.text = b.program.AppendBuckets(out.text[:0], &k.open)
	out.uint(uint64(len(out.text)))
	out.body = append(out.body, out.text...)
	return out.finish(to)
}

// Decode reads what Append wrote into a key that is empty.
func (b *Bucket) Decode(x *Context, record []byte, k *BucketKey) error {
	in := newRecordReader(x, record, recordOfBucket)
	*k = BucketKey{}
	k.held = in.bool()
	for _, ref := range in.shown(nil) {
		k.recent.add(x, ref)
	}
	if text := in.bytes(); in.err == nil {
		if err := b.program.DecodeBuckets(text, &k.open); err != nil {
			in.fail("windows: %v", err)
		}
	}
	b.check(in, k)
	if err := in.finish(); err != nil {
		b.Release(x, k)
		return err
	}
	return nil
}

// check refuses a record without what an alert rests on: all open windows hold the
// newest event.
func (b *Bucket) check(in *recordReader, k *BucketKey) {
	if n := len(k.open.Open()); (n > 0) != (k.recent.live > 0) {
		in.fail("%d windows and the last %d events", n, k.recent.live)
	}
}
