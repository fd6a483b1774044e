package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Opened says what Open found.
type Opened struct {
	Records int
	Cut     int64  // bytes of a record that was never complete
	File    string // where it was
}

// Open opens the journal in dir, which it makes where it is not there. The records above
// the epoch applied, which follow on it without a gap, are given to visit, write by write;
// the bytes of a write are valid until visit returns, which one goroutine calls, with the
// hash of the key where the options have a hasher. Segments with nothing above applied
// are removed, and a record that a crash cut short is cut off. What else is wrong is a
// *Damage.
func Open(dir string, o Options, applied uint64, visit func(Op, Hash, Place) error) (*Journal, Opened, error) {
	o.fill()
	j := &Journal{dir: dir, opt: o, last: applied, end: leastBase}
	r := reader{journal: j, pipe: newPipe(o.Hasher, o.AEAD, visit)}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = r.open()
	}
	if first := r.visited(); first != nil {
		err = first // it lies before where the reading has come to
	}
	if err != nil {
		return nil, r.found, errors.Join(err, j.Close())
	}
	return j, r.found, nil
}

// reader opens a journal.
type reader struct {
	journal *Journal
	pipe    *pipe // nil once all was visited
	found   Opened
	began   bool // a record above applied was seen
}

// visited waits until all that was read is visited.
func (r *reader) visited() error {
	p := r.pipe
	if r.pipe = nil; p == nil {
		return nil
	}
	return p.close()
}

func (r *reader) open() error {
	numbers, err := list(r.journal.dir)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		s, err := r.journal.openSegment(n)
		if err != nil {
			return err
		}
		if err := r.segment(s, i == len(numbers)-1); err != nil {
			return err
		}
		if err := r.keep(s); err != nil {
			return err
		}
	}
	return nil
}

// list returns the numbers of the segments in dir, in order.
func list(dir string) (numbers []int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			n, err := strconv.Atoi(name)
			if err != nil || n <= 0 {
				return nil, &Damage{File: e.Name(), Reason: "its name is no number"}
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (j *Journal) openSegment(number int) (*segment, error) {
	path := filepath.Join(j.dir, fmt.Sprintf("%06d.log", number))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &segment{path: path, file: f, base: j.end}
	j.segments, j.number = append(j.segments, s), number
	return s, nil
}

func (s *segment) name() string { return filepath.Base(s.path) }

// keep removes s again where nothing in it is above what was applied.
func (r *reader) keep(s *segment) error {
	j := r.journal
	j.end = s.base + uint64(s.size)
	if r.began && s.size > 0 {
		return nil
	}
	j.segments = j.segments[:len(j.segments)-1]
	return errors.Join(s.file.Close(), os.Remove(s.path))
}

// segment reads all records of s. Of the last segment the end may be torn.
func (r *reader) segment(s *segment, last bool) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	for s.size < info.Size() {
		h, ok, err := s.header(s.size, info.Size())
		if err != nil {
			return err
		}
		if !ok {
			return r.torn(s, info.Size(), last)
		}
		if s.size == 0 {
			s.first = h.epoch
		}
		if err := r.record(s, h); err != nil {
			return err
		}
		s.size += headerBytes + h.length
	}
	return nil
}

// header reads the header of a record that is whole; false where there is none.
func (s *segment) header(at, size int64) (h header, ok bool, err error) {
	var buf [headerBytes]byte
	if size-at < headerBytes {
		return h, false, nil
	}
	if _, err := s.file.ReadAt(buf[:], at); err != nil {
		return h, false, err
	}
	if h, ok = parseHeader(buf[:]); !ok || h.length > size-at-headerBytes {
		return h, false, nil
	}
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, io.NewSectionReader(s.file, at+headerBytes, h.length)); err != nil {
		return h, false, err
	}
	return h, sum.Sum32() == h.sum, nil
}

// record checks that h goes on where the journal stands, and gives what it holds to visit.
func (r *reader) record(s *segment, h header) error {
	j := r.journal
	if !r.began && h.epoch <= j.last {
		return nil // in the tree already
	}
	if h.epoch != j.last+1 {
		return &Damage{s.name(), s.size, fmt.Sprintf("epoch %d follows on epoch %d", h.epoch, j.last)}
	}
	r.began = true
	j.last = h.epoch
	r.found.Records++
	return r.blocks(s, h)
}

// blocks sends what a record holds to be decoded and visited.
func (r *reader) blocks(s *segment, h header) error {
	at, end := s.size+headerBytes, s.size+headerBytes+h.length
	for first := true; first || at < end; first = false {
		c := r.pipe.fresh()
		c.segment, c.at = s, at
		if err := c.fill(end); err != nil {
			return err
		}
		if at += int64(len(c.blocks)); at == end {
			c.record, c.begin = &h, s.size
		}
		r.pipe.send(c)
	}
	return nil
}

// torn cuts off what follows the last whole record of s, or says that it is damage: in a
// segment that is not the last, or where a whole record follows.
func (r *reader) torn(s *segment, size int64, last bool) error {
	if !last {
		return &Damage{s.name(), s.size, "the record is not whole, and there is a later segment"}
	}
	behind, err := s.findHeader(s.size+1, size, r.journal.last)
	if err != nil {
		return err
	}
	if behind > 0 {
		return &Damage{s.name(), s.size, fmt.Sprintf("the record is not whole, and at byte %d there is a later one", behind)}
	}
	if err := r.visited(); err != nil { // before anything is changed
		return err
	}
	r.found.Cut, r.found.File = size-s.size, s.name()
	return errors.Join(s.file.Truncate(s.size), r.journal.sync(s.file))
}

// findHeader looks for the header of a whole record of an epoch above last in the bytes from
// at up to size, and returns its offset, 0 where there is none.
func (s *segment) findHeader(at, size int64, last uint64) (int64, error) {
	b := make([]byte, min(size-at, 1<<20)+headerBytes)
	for ; at < size; at += int64(len(b) - headerBytes) {
		n, err := s.file.ReadAt(b, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := 0; ; i++ {
			next := bytes.Index(b[i:n], magic)
			if next < 0 {
				break
			}
			i += next
			if h, ok := parseHeader(b[i:n]); ok && h.epoch > last && h.epoch-last < 1<<20 {
				return at + int64(i), nil
			}
		}
	}
	return 0, nil
}
