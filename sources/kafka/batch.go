package kafka

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/segmentio/kafka-go/compress"

	"github.com/cepheus-cep/cepheus/event"
)

// frame is one record batch of the log, format v2, and what its header says.
type frame struct {
	base, next      int64 // offsets: of its first record, and behind its last, which compaction may have removed
	attributes      int16
	first, greatest int64 // time stamps, ms
	producer        int64
	count           int
	sum             uint32
	summed          []byte // what the sum is over
	body            []byte // the records, perhaps compressed
}

const (
	frameHead  = 61 // bytes of a batch before its records
	lengthAt   = 8
	magicAt    = 16
	sumAt      = 17
	attrAt     = 21
	frameStart = 12 // what the length does not count
)

// Bits of a batch's attributes.
const (
	codecBits     = 7
	appendTimeBit = 1 << 3
	transactional = 1 << 4
	control       = 1 << 5
)

var (
	errOldFormat = errors.New("record batch of a format older than Kafka 0.11, which is not read; begin behind it by start")
	errDamaged   = errors.New("damaged record batch")
)

// nextFrame cuts the first batch off b; ok is false where b holds none that is whole: a
// broker cuts its answer anywhere.
func nextFrame(b []byte) (f frame, rest []byte, ok bool, err error) {
	if len(b) <= magicAt {
		return f, nil, false, nil
	}
	if b[magicAt] != 2 {
		return f, nil, false, fmt.Errorf("%w (magic %d)", errOldFormat, b[magicAt])
	}
	size := int(int32(binary.BigEndian.Uint32(b[lengthAt:]))) + frameStart
	if size < frameHead {
		return f, nil, false, fmt.Errorf("%w: of %d bytes", errDamaged, size)
	}
	if size > len(b) {
		return f, nil, false, nil
	}
	f.read(b[:size])
	return f, b[size:], true, nil
}

func (f *frame) read(b []byte) {
	f.base = int64(binary.BigEndian.Uint64(b))
	f.sum = binary.BigEndian.Uint32(b[sumAt:])
	f.summed = b[attrAt:]
	f.attributes = int16(binary.BigEndian.Uint16(b[attrAt:]))
	f.next = f.base + int64(int32(binary.BigEndian.Uint32(b[23:]))) + 1
	f.first = int64(binary.BigEndian.Uint64(b[27:]))
	f.greatest = int64(binary.BigEndian.Uint64(b[35:]))
	f.producer = int64(binary.BigEndian.Uint64(b[43:]))
	f.count = int(int32(binary.BigEndian.Uint32(b[57:])))
	f.body = b[frameHead:]
}

func (f *frame) is(bit int16) bool { return f.attributes&bit != 0 }

func (f *frame) compressed() bool { return f.attributes&codecBits != 0 }

// whole reports whether the sum is that of the contents.
func (f *frame) whole() bool {
	return crc32.Checksum(f.summed, castagnoli) == f.sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxInflated bounds a batch after decompression, in bytes: a few bytes could be made to
// fill the memory.
const maxInflated = 512 << 20

// inflate appends the batch's records, decompressed, to b.
func (f *frame) inflate(b []byte) ([]byte, error) {
	codec := compress.Compression(f.attributes & codecBits).Codec()
	if codec == nil {
		return b, fmt.Errorf("%w: compressed by codec %d", errDamaged, f.attributes&codecBits)
	}
	r := codec.NewReader(bytes.NewReader(f.body))
	defer r.Close()
	start := len(b)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, fmt.Errorf("%w: %w", errDamaged, err)
		case len(b)-start > maxInflated:
			return b, fmt.Errorf("%w: more than %d bytes", errDamaged, maxInflated)
		}
	}
}

// entry is one record: places of its parts in the text it was read from; -1: null.
type entry struct {
	offset, time       int64 // ms
	keyStart, keyEnd   int
	start, end         int
	headers, headerEnd int // where the headers are, behind their number
	headerCount        int
}

// meta says where the record's key and headers are: the log has these in the form that
// [event.RecordMeta] asks for.
func (e *entry) meta() (m event.RecordMeta) {
	if e.keyStart >= 0 {
		m.Key = event.MakeRef(e.keyStart, e.keyEnd-e.keyStart)
	}
	if e.headerCount > 0 {
		m.Headers = event.MakeRef(e.headers, e.headerEnd-e.headers)
	}
	return m
}

// cursor reads the records of a batch one by one.
type cursor struct {
	f    *frame
	text []byte
	at   int
	left int
}

// next reads one record; false at the end, or where the records are not what the header
// says, which is an error.
func (c *cursor) next(e *entry) (bool, error) {
	if c.left == 0 {
		return false, nil
	}
	c.left--
	at := c.at
	size, at := varint(c.text, at)
	end := at + int(size)
	if at < 0 || size < 1 || size > int64(len(c.text)-at) {
		return false, c.damaged()
	}
	text := c.text[:end]
	at++ // attributes
	var delta, offset int64
	delta, at = varint(text, at)
	offset, at = varint(text, at)
	e.offset, e.time = c.f.base+offset, c.f.first+delta
	if c.f.is(appendTimeBit) {
		e.time = c.f.greatest
	}
	e.keyStart, e.keyEnd, at = part(text, at)
	e.start, e.end, at = part(text, at)
	var headers int64
	headers, at = varint(text, at)
	if at < 0 || headers < 0 || e.offset >= c.f.next {
		return false, c.damaged()
	}
	e.headers, e.headerEnd, e.headerCount = at, end, int(headers)
	c.at = end
	return true, nil
}

func (c *cursor) damaged() error {
	return fmt.Errorf("%w: record %d of %d", errDamaged, c.f.count-c.left, c.f.count)
}

// varint reads a number in zigzag form at a place, which may be -1 after a fault, and
// returns the place behind it.
func varint(b []byte, at int) (n int64, next int) {
	if uint(at) >= uint(len(b)) {
		return 0, -1
	}
	if c := b[at]; c < 0x80 {
		return int64(c>>1) ^ -int64(c&1), at + 1
	}
	n, used := binary.Varint(b[at:])
	if used <= 0 {
		return 0, -1
	}
	return n, at + used
}

// part reads a byte array with its length before it; a null one starts at -1.
func part(b []byte, at int) (start, end, next int) {
	n, at := varint(b, at)
	switch {
	case at < 0 || n > int64(len(b)-at):
		return 0, 0, -1
	case n < 0:
		return -1, -1, at
	}
	return at, at + int(n), at + int(n)
}

// header returns the value of a record's header, nil where it is not there or null; of
// several the last.
func header(text []byte, e *entry, name string) []byte {
	var found []byte
	eachHeader(text, e, func(key, value []byte) {
		if string(key) == name {
			found = value
		}
	})
	return found
}

// eachHeader visits a record's headers in order; it stops at what cannot be one.
func eachHeader(text []byte, e *entry, visit func(key, value []byte)) {
	at, text := e.headers, text[:e.headerEnd]
	for range e.headerCount {
		key, keyEnd, behind := part(text, at)
		start, end, next := part(text, behind)
		if next < 0 || key < 0 {
			return
		}
		if start < 0 {
			visit(text[key:keyEnd], nil)
		} else {
			visit(text[key:keyEnd], text[start:end])
		}
		at = next
	}
}

// abortMarker reports whether a control batch ends a transaction by undoing it.
func (f *frame) abortMarker() bool {
	c := cursor{f: f, text: f.body, left: f.count}
	var e entry
	if ok, err := c.next(&e); !ok || err != nil || e.keyEnd-e.keyStart < 4 || e.keyStart < 0 {
		return false
	}
	return binary.BigEndian.Uint16(f.body[e.keyStart+2:]) == 0
}

// verdicts says which batches of one answer belong to aborted transactions.
type verdicts struct {
	coming  []abortedTxn // by their first offset
	aborted map[int64]bool
}

// sortAborted puts transactions into the order of verdicts; brokers send them by their ends.
func sortAborted(a []abortedTxn) {
	slices.SortFunc(a, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
}

// counts reports whether a batch's records are to be seen: it is no marker, and not of a
// transaction that was undone. It must be asked batch by batch, in order.
func (v *verdicts) counts(f *frame) bool {
	for len(v.coming) > 0 && v.coming[0].first < f.next {
		if v.aborted == nil {
			v.aborted = map[int64]bool{}
		}
		v.aborted[v.coming[0].producer] = true
		v.coming = v.coming[1:]
	}
	if f.is(control) {
		if v.aborted[f.producer] && f.abortMarker() {
			delete(v.aborted, f.producer)
		}
		return false
	}
	return !f.is(transactional) || !v.aborted[f.producer]
}
