package journal

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// Options of a journal. The zero value is good for production.
type Options struct {
	NoSync bool // leave the moment of writing to the operating system

	// Segment is the size in bytes at which a segment is closed; one record may be
	// longer. Default 32 MiB.
	Segment int64

	// AEAD encrypts blocks, under random nonces. Nil: they are not encrypted.
	AEAD cipher.AEAD

	// Hasher makes the hashes of what Open finds. Nil: none are wanted.
	Hasher *Hasher

	// Step is called before and after each thing that a crash may leave undone, with its
	// name; an error stands for a crash there. Nil: nobody wants to know.
	Step func(name string) error
}

const defaultSegment = 32 << 20

func (o *Options) fill() {
	if o.Segment <= 0 {
		o.Segment = defaultSegment
	}
	if o.Step == nil {
		o.Step = func(string) error { return nil }
	}
}

// Journal is an open journal. One goroutine appends and seals; reading and removing are
// safe beside it.
type Journal struct {
	dir   string
	opt   Options
	cache cache

	last   uint64 // epoch of the last record
	active bool   // the last segment takes records
	number int    // of the last segment ever made
	raw    []byte // a block that is being filled
	out    []byte // blocks on their way to the file
	where  []byte // the block that is sealed

	mu       sync.RWMutex // segments
	segments []*segment   // oldest first
	end      uint64       // position behind the last
}

// segment is one file, which covers the positions from base on.
type segment struct {
	path string
	file *os.File
	base uint64
	size int64 // of whole records

	first uint64 // epoch of the first record, by which it is known from all others of a store
}

// where appends what a block at an offset of the segment is sealed with to the memory of b: it
// says which of all blocks it is, so that none stands for another, be it of the same store.
func (s *segment) where(b []byte, at int64) []byte {
	b = binary.LittleEndian.AppendUint64(b[:0], s.first)
	return binary.LittleEndian.AppendUint64(b, uint64(at))
}

// Last returns the epoch of the last record, or what Open was told where there is none.
func (j *Journal) Last() uint64 { return j.last }

// Bytes returns the size of all segments.
func (j *Journal) Bytes() (n int64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, s := range j.segments {
		n += s.size
	}
	return n
}

// writeAt is how many bytes of blocks are gathered before they go to the file.
const writeAt = 1 << 20

// Append makes n writes, which op returns, the durable record of the next epoch, and
// fills places, which has room for n. Where it fails, nothing of the record counts; the
// journal must be opened again before more is appended, unless Rollback succeeds.
func (j *Journal) Append(n int, op func(i int) Op, places []Place) error {
	s, err := j.activeSegment()
	if err != nil {
		return err
	}
	if err := j.opt.Step("before record"); err != nil {
		return err
	}
	h := header{epoch: j.last + 1, ops: uint32(n)}
	at := s.size + headerBytes
	j.out, j.raw = j.out[:0], j.raw[:0]
	for i := range n {
		o := op(i)
		places[i] = newPlace(s.base+uint64(at)+uint64(len(j.out)), len(j.raw), o.Stored == nil)
		if j.raw = appendOp(j.raw, o); len(j.raw) >= blockBytes || i == n-1 {
			j.where = s.where(j.where, at+int64(len(j.out)))
			j.out, j.raw = compress(j.out, j.raw, j.opt.AEAD, j.where), j.raw[:0]
		}
		if len(j.out) >= writeAt {
			if at, err = j.flush(s, &h, at); err != nil {
				return err
			}
		}
	}
	if at, err = j.flush(s, &h, at); err != nil {
		return err
	}
	h.length = at - s.size - headerBytes
	return j.complete(s, h, at)
}

// flush writes what was gathered to the file at at, and returns where it goes on.
func (j *Journal) flush(s *segment, h *header, at int64) (int64, error) {
	h.sum = crc32.Update(h.sum, castagnoli, j.out)
	n, err := s.file.WriteAt(j.out, at)
	j.out = j.out[:0]
	if cap(j.raw) > keepBuffer || cap(j.out) > keepBuffer {
		j.raw, j.out = nil, nil
	}
	return at + int64(n), err
}

// keepBuffer is how much memory a buffer may keep from one record to the next.
const keepBuffer = 2 * writeAt

// complete writes the header and waits until the record is durable.
func (j *Journal) complete(s *segment, h header, end int64) error {
	var buf [headerBytes]byte
	if _, err := s.file.WriteAt(h.append(buf[:0]), s.size); err != nil {
		return err
	}
	if err := j.opt.Step("after record"); err != nil {
		return err
	}
	if err := j.sync(s.file); err != nil {
		return err
	}
	if err := j.opt.Step("after record sync"); err != nil {
		return err
	}
	j.mu.Lock()
	s.size, j.end = end, s.base+uint64(end)
	j.mu.Unlock()
	j.last = h.epoch
	return nil
}

func (j *Journal) sync(f *os.File) error {
	if j.opt.NoSync {
		return nil
	}
	return syncData(f)
}

// Rollback takes back what a failed Append has written, as far as the file lets it.
func (j *Journal) Rollback() error {
	if !j.active {
		return nil
	}
	s := j.newest()
	return errors.Join(s.file.Truncate(s.size), j.sync(s.file))
}

// activeSegment returns the segment that takes the next record.
func (j *Journal) activeSegment() (*segment, error) {
	if j.active {
		if s := j.newest(); s.size < j.opt.Segment {
			return s, nil
		}
	}
	return j.newSegment()
}

// newest is the active segment; older ones may be removed meanwhile.
func (j *Journal) newest() *segment {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.segments[len(j.segments)-1]
}

func (j *Journal) newSegment() (*segment, error) {
	if err := j.opt.Step("before segment"); err != nil {
		return nil, err
	}
	path := filepath.Join(j.dir, fmt.Sprintf("%06d.log", j.number+1))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := j.syncDir(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s := &segment{path: path, file: f, base: j.end, first: j.last + 1}
	j.mu.Lock()
	j.segments = append(j.segments, s)
	j.mu.Unlock()
	j.active, j.number = true, j.number+1
	return s, j.opt.Step("after segment")
}

func (j *Journal) syncDir() error {
	if j.opt.NoSync {
		return nil
	}
	d, err := os.Open(j.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seal closes the segment that takes records, and returns the position behind it.
func (j *Journal) Seal() (end uint64) {
	j.active = false
	return j.end
}

// Remove removes the segments that end at or before a position, the oldest first.
func (j *Journal) Remove(end uint64) error {
	for {
		s := j.takeFirst(end)
		if s == nil {
			return nil
		}
		if err := j.opt.Step("before removal"); err != nil {
			return err
		}
		if err := errors.Join(s.file.Close(), os.Remove(s.path)); err != nil {
			return err
		}
		if err := j.opt.Step("after removal"); err != nil {
			return err
		}
	}
}

// takeFirst takes the first segment out of the list where it ends at or before end. The
// active one is never taken: records below end have been sealed.
func (j *Journal) takeFirst(end uint64) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return nil
	}
	s := j.segments[0]
	if s.base+uint64(s.size) > end || s.base == end {
		return nil
	}
	j.segments = j.segments[1:]
	return s
}

// Close closes the files.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, s := range j.segments {
		errs = append(errs, s.file.Close())
	}
	j.segments, j.active = nil, false
	return errors.Join(errs...)
}
