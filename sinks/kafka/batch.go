package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// Where things stand in a record batch, version 2.
const (
	batchLength   = 8  // of what is behind this field
	batchMagic    = 16 // behind the leader's epoch
	batchChecksum = 17
	batchBody     = 21 // what the checksum is of: attributes …
	batchCount    = 57
	batchHeader   = 61
)

const transactionalBit = 1 << 4

// batchOf is what a batch of records says of itself.
type batchOf struct {
	producer      identity
	sequence      int32
	transactional bool
	codec         compress.Compression
	now           time.Time
	trace         func(alert []byte) string // its traceparent; empty: none
}

// encode makes a batch of some of the alerts.
func (b *batchOf) encode(alerts [][]byte) ([]byte, error) {
	records := make([]byte, batchHeader, batchHeader+len(alerts)*64+total(alerts))
	for i, a := range alerts {
		records = appendRecord(records, i, a, b.trace(a))
	}
	batch, err := b.compress(records)
	if err != nil {
		return nil, fmt.Errorf("compress %d alerts: %w", len(alerts), err)
	}
	b.writeHeader(batch, len(alerts))
	return batch, nil
}

func total(alerts [][]byte) (n int) {
	for _, a := range alerts {
		n += len(a)
	}
	return n
}

// compress leaves the place of the header alone.
func (b *batchOf) compress(plain []byte) ([]byte, error) {
	if b.codec == compress.None {
		return plain, nil
	}
	into := bytes.NewBuffer(make([]byte, batchHeader, batchHeader+len(plain)/2))
	w := b.codec.Codec().NewWriter(into)
	_, err := w.Write(plain[batchHeader:])
	if closing := w.Close(); err == nil {
		err = closing
	}
	return into.Bytes(), err
}

func (b *batchOf) writeHeader(batch []byte, records int) {
	be, now := binary.BigEndian, uint64(b.now.UnixMilli())
	attributes := uint16(b.codec)
	if b.transactional {
		attributes |= transactionalBit
	}
	be.PutUint32(batch[batchLength:], uint32(len(batch)-batchLength-4))
	be.PutUint32(batch[batchLength+4:], 0xffffffff) // no epoch of a leader
	batch[batchMagic] = 2
	be.PutUint16(batch[batchBody:], attributes)
	be.PutUint32(batch[batchBody+2:], uint32(records-1))
	be.PutUint64(batch[batchBody+6:], now)
	be.PutUint64(batch[batchBody+14:], now)
	be.PutUint64(batch[batchBody+22:], uint64(b.producer.id))
	be.PutUint16(batch[batchBody+30:], uint16(b.producer.epoch))
	be.PutUint32(batch[batchBody+32:], uint32(b.sequence))
	be.PutUint32(batch[batchCount:], uint32(records))
	be.PutUint32(batch[batchChecksum:], crc32.Checksum(batch[batchBody:], castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Names of the headers of a record.
const (
	headerID       = "id"
	headerRule     = "rule"
	headerSeverity = "severity"
	headerTrace    = "traceparent"
)

// header is one of a record.
type header struct {
	name  string
	value []byte
}

// headers are those of an alert; what is no alert has none. Only one that is traced has trace.
func (h *head) headers(into []header, trace string) []header {
	if h.id == nil {
		return into
	}
	into = append(into, header{headerID, h.id}, header{headerRule, h.rule}, header{headerSeverity, h.severity})
	if trace != "" {
		into = append(into, header{headerTrace, []byte(trace)})
	}
	return into
}

// appendRecord appends record i of a batch.
func appendRecord(b []byte, i int, alert []byte, trace string) []byte {
	h := headOf(alert)
	key, headers := h.recordKey(), h.headers(make([]header, 0, 4), trace)
	size := 1 + 1 + varintSize(int64(i)) + bytesSize(key) + bytesSize(alert) + 1
	for _, h := range headers {
		size += varintSize(int64(len(h.name))) + len(h.name) + varintSize(int64(len(h.value))) + len(h.value)
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0, 0) // attributes, and the time: all have the batch's
	b = binary.AppendVarint(b, int64(i))
	b = appendBytes(b, key)
	b = appendBytes(b, alert)
	b = binary.AppendVarint(b, int64(len(headers)))
	for _, h := range headers {
		b = append(binary.AppendVarint(b, int64(len(h.name))), h.name...)
		b = append(binary.AppendVarint(b, int64(len(h.value))), h.value...)
	}
	return b
}

// appendBytes writes nil as null.
func appendBytes(b, value []byte) []byte {
	if value == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(value))), value...)
}

func bytesSize(value []byte) int {
	if value == nil {
		return 1
	}
	return varintSize(int64(len(value))) + len(value)
}

// varintSize is the length of a number in zigzag code.
func varintSize(n int64) int {
	size := 1
	for u := uint64(n<<1) ^ uint64(n>>63); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}
