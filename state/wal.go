package state

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"strconv"

	"github.com/dgraph-io/badger/v4/y"
)

// The write-ahead log of Badger v4, as far as verifying it needs: a header, then
// entries, then zeros. An entry is a byte of flags and one of the user's, the lengths of
// key and value and an expiry as varints, key, value, CRC-32C. The entries of a
// transaction carry a flag and its version in their keys; its last entry carries
// another flag, and the version in decimal as its value. The header is the number of the key
// that the log is encrypted under (8 bytes, 0: it is not) and most of an initial vector, whose
// rest is where an entry begins; key and value are encrypted, and the checksum is of that.
const (
	logExt       = ".mem"
	valuesExt    = ".vlog" // of large values: the header is the same
	logHeader    = 20
	logKeyNumber = 8 // bytes of it
	logInTxn     = 1 << 6
	logEndsTxn   = 1 << 7
	logMaxKey    = 1 << 16
	versionBytes = 8 // at the end of a key
)

// logSpan is what a write-ahead log holds.
type logSpan struct {
	first, last uint64 // versions of the first and the last whole transaction; 0: there is none
	whole       bool   // behind that there are zeros only
}

// readLog reads a write-ahead log as far as it makes sense. Its size is bounded by twice
// that of the write buffer.
func readLog(path string, keys *dataKeys) (span logSpan, err error) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < logHeader {
		span.whole = len(b) == 0 // Badger empties a log that it is about to delete
		return span, err
	}
	key, err := keys.of(binary.BigEndian.Uint64(b))
	if err != nil {
		return span, nil // it makes no sense from the beginning
	}
	log := logReader{key: key, iv: b[logKeyNumber:logHeader], at: logHeader}
	b = b[logHeader:]
	for len(b) > 0 {
		version, size := log.txn(b)
		if size == 0 {
			break
		}
		if span.first == 0 {
			span.first = version
		}
		span.last = max(span.last, version)
		b = b[size:]
		log.at += size
	}
	span.whole = zero(b)
	return span, nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// logReader reads a log.
type logReader struct {
	key []byte // nil: it is not encrypted
	iv  []byte
	at  int // where in the file it stands
}

// txn returns version and size of the transaction that b begins with; 0 where it
// begins with no whole one.
func (r *logReader) txn(b []byte) (version uint64, size int) {
	for {
		e, ok := readEntry(b[size:])
		if !ok || r.decrypt(&e, r.at+size) != nil {
			return 0, 0
		}
		size += e.size
		switch {
		case e.flags&logInTxn != 0:
			v, ok := versionOf(e.key)
			if !ok || version != 0 && v != version {
				return 0, 0
			}
			version = v
		case e.flags&logEndsTxn != 0:
			v, err := strconv.ParseUint(string(e.value), 10, 64)
			if err != nil || v != version {
				return 0, 0
			}
			return version, size
		default: // an entry of its own
			v, ok := versionOf(e.key)
			if !ok || version != 0 {
				return 0, 0
			}
			return v, size
		}
	}
}

// decrypt opens key and value of the entry at a place in the file.
func (r *logReader) decrypt(e *logEntry, at int) error {
	if r.key == nil {
		return nil
	}
	iv := binary.BigEndian.AppendUint32(append(make([]byte, 0, ivBytes), r.iv...), uint32(at))
	plain, err := y.XORBlockAllocate(append(e.key[:len(e.key):len(e.key)], e.value...), r.key, iv)
	if err == nil {
		e.key, e.value = plain[:len(e.key)], plain[len(e.key):]
	}
	return err
}

func versionOf(key []byte) (uint64, bool) {
	if len(key) <= versionBytes {
		return 0, false
	}
	return y.ParseTs(key), true
}

// logEntry is one entry; key and value share the log's memory.
type logEntry struct {
	flags      byte
	key, value []byte
	size       int
}

// readEntry reads the entry that b begins with; false where that is none.
func readEntry(b []byte) (e logEntry, ok bool) {
	if len(b) < 2 {
		return e, false
	}
	e.flags = b[0]
	at := 2
	var numbers [3]uint64 // lengths of key and value, expiry
	for i := range numbers {
		n, used := binary.Uvarint(b[at:])
		if used <= 0 {
			return e, false
		}
		numbers[i], at = n, at+used
	}
	keyLen, valueLen := numbers[0], numbers[1]
	if keyLen == 0 || keyLen > logMaxKey || valueLen > uint64(len(b)) || keyLen+valueLen+crc32.Size > uint64(len(b)-at) {
		return e, false
	}
	value := at + int(keyLen)
	end := value + int(valueLen)
	e.key, e.value, e.size = b[at:value], b[value:end], end+crc32.Size
	return e, crc32.Checksum(b[:end], castagnoli) == binary.BigEndian.Uint32(b[end:])
}
