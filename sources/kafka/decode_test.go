package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// plainRecord is a record as the test writes it.
type plainRecord struct {
	Offset, Time int64
	Key, Value   []byte // nil: null
	Headers      [][2]string
}

func drawRecords(t *rapid.T) []plainRecord {
	bytes := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 200))
	var records []plainRecord
	offset := rapid.Int64Range(0, 1<<40).Draw(t, "first")
	for range rapid.IntRange(1, 20).Draw(t, "records") {
		r := plainRecord{Offset: offset, Time: rapid.Int64Range(0, 1<<42).Draw(t, "time"), Key: bytes.Draw(t, "key"), Value: bytes.Draw(t, "value")}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Headers = append(r.Headers, [2]string{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "of it")})
		}
		records = append(records, r)
		offset += rapid.Int64Range(1, 300).Draw(t, "gap")
	}
	return records
}

// encode writes a batch by the library of the broker's clients that is not ours; behind
// are offsets that compaction has taken off its end.
func encode(records []plainRecord, behind int64) []byte {
	first, last := records[0], records[len(records)-1]
	b := kmsg.RecordBatch{FirstOffset: first.Offset, Magic: 2, LastOffsetDelta: int32(last.Offset - first.Offset + behind), FirstTimestamp: first.Time, ProducerID: -1, NumRecords: int32(len(records))}
	for _, r := range records {
		b.Records = append(b.Records, encodeRecord(first, r)...)
	}
	b.Length = int32(len(b.AppendTo(nil)) - frameStart)
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[sumAt:], crc32.Checksum(raw[attrAt:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func encodeRecord(first, r plainRecord) []byte {
	k := kmsg.Record{TimestampDelta64: r.Time - first.Time, OffsetDelta: int32(r.Offset - first.Offset), Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kmsg.Header{Key: h[0], Value: []byte(h[1])})
	}
	body := k.AppendTo(nil)[1:] // behind the length, which is 0 so far
	k.Length = int32(len(body))
	return k.AppendTo(nil)
}

// decode reads all records of all whole batches.
func decode(b []byte) (all []plainRecord, err error) {
	for {
		f, rest, ok, err := nextFrame(b)
		if !ok {
			return all, err
		}
		c := cursor{f: &f, text: f.body, left: f.count}
		var e entry
		for {
			ok, err := c.next(&e)
			if err != nil {
				return all, err
			}
			if !ok {
				break
			}
			all = append(all, plainOf(f.body, &e))
		}
		b = rest
	}
}

func plainOf(text []byte, e *entry) plainRecord {
	r := plainRecord{Offset: e.offset, Time: e.time}
	if e.keyStart >= 0 {
		r.Key = text[e.keyStart:e.keyEnd]
	}
	if e.start >= 0 {
		r.Value = text[e.start:e.end]
	}
	eachHeader(text, e, func(key, value []byte) { r.Headers = append(r.Headers, [2]string{string(key), string(value)}) })
	return r
}

func TestBatchesAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawRecords(t), drawRecords(t)
		behind := rapid.Int64Range(0, 50).Draw(t, "behind")
		raw := append(encode(first, 0), encode(second, behind)...)
		cut := len(raw) - rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		want := append([]plainRecord{}, first...)
		switch {
		case cut == len(raw):
			want = append(want, second...)
		case cut < len(encode(first, 0)):
			want = want[:0]
		}
		all, err := decode(raw[:cut])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, append([]plainRecord{}, all...)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		whole, next, _ := wholeFrames(raw)
		if last := second[len(second)-1].Offset; whole != len(raw) || next != last+behind+1 {
			t.Fatalf("%d of %d bytes, next %d, want %d", whole, len(raw), next, last+behind+1)
		}
		f, _, _, _ := nextFrame(raw)
		if !f.whole() {
			t.Fatal("the checksum is not that of the batch")
		}
		at := rapid.IntRange(attrAt, len(encode(first, 0))-1).Draw(t, "damaged byte")
		raw[at] ^= 1
		if f, _, ok, _ := nextFrame(raw); ok && f.whole() {
			t.Fatal("the checksum does not see damage")
		}
	})
}

// FuzzDecode reads what no broker would send.
func FuzzDecode(f *testing.F) {
	f.Add(encode([]plainRecord{{Key: []byte("k"), Value: []byte("v"), Headers: [][2]string{{"h", "v"}}}}, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decode(b)
		if frame, _, ok, _ := nextFrame(b); ok {
			v := verdicts{coming: []abortedTxn{{frame.producer, frame.base}}}
			v.counts(&frame)
			if len(frame.body) < 1<<10 {
				_, _ = frame.inflate(nil)
			}
		}
	})
}

// TestVerdicts compares with the definition: a record of a transaction counts if the
// producer's next marker commits it.
func TestVerdictsAgreeWithTheMarkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, aborted, want := drawLog(t)
		v := verdicts{coming: aborted}
		for i := range log {
			if got := v.counts(&log[i]); got != want[i] {
				t.Fatalf("batch %d of %d: counts %t, want %t", i, len(log), got, want[i])
			}
		}
	})
}

// drawLog makes batches of one record each, by three producers, and what a broker says of
// those aborted.
func drawLog(t *rapid.T) (log []frame, aborted []abortedTxn, want []bool) {
	open := map[int64][]int{}
	for i := range rapid.IntRange(1, 60).Draw(t, "batches") {
		producer := rapid.Int64Range(1, 3).Draw(t, "producer")
		f := frame{base: int64(i), next: int64(i) + 1, producer: producer, count: 1}
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case kind == 0:
			want = append(want, true)
		case kind < 4 || len(open[producer]) == 0:
			f.attributes = transactional
			open[producer] = append(open[producer], i)
			want = append(want, true)
		default:
			f.attributes = transactional | control
			f.body = marker(byte(kind - 4))
			if kind == 4 {
				aborted = append(aborted, abortedTxn{producer, int64(open[producer][0])})
				for _, j := range open[producer] {
					want[j] = false
				}
			}
			delete(open, producer)
			want = append(want, false)
		}
		log = append(log, f)
	}
	sortAborted(aborted)
	return log, aborted, want
}

// marker is the body of a control batch: 0 aborts, 1 commits.
func marker(kind byte) []byte {
	return encodeRecord(plainRecord{}, plainRecord{Key: []byte{0, 0, 0, kind}, Value: []byte{0, 0, 0, 0, 0, 0}})
}

func TestOffsetToGoOnAt(t *testing.T) {
	for name, c := range map[string]struct {
		policy             Policy
		offset, first, end int64
		want               int64
		ok                 bool
	}{
		"gone":                   {Earliest, 3, 5, 9, 5, true},
		"gone, and all of it":    {Earliest, 3, 9, 9, 9, true},
		"gone, latest":           {Latest, 3, 5, 9, 9, true},
		"gone, stop":             {Stop, 3, 5, 9, 0, false},
		"beyond the end":         {Earliest, 12, 5, 9, 0, false},
		"beyond the end, latest": {Latest, 12, 5, 9, 9, true},
		"beyond the end, stop":   {Stop, 12, 5, 9, 0, false},
	} {
		if got, ok := goOnAt(c.policy, c.offset, c.first, c.end); got != c.want || ok != c.ok {
			t.Errorf("%s: %d %t, want %d %t", name, got, ok, c.want, c.ok)
		}
	}
}
