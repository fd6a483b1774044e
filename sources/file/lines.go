package file

import (
	"bytes"
	"io"

	"github.com/cepheus-cep/cepheus/event"
)

// longLine is a line beyond the limit of which the end has not been seen yet.
type longLine struct {
	start int64  // its offset
	kept  []byte // its first bytes
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// split hands on the complete lines of the buffer, as far as MaxRecords allows. before
// is the number of records that were in the batch when Next was called.
func (s *Source) split(into *event.Batch, before int, now int64) {
	for s.o.MaxRecords == 0 || len(into.Records)-before < s.o.MaxRecords {
		i := bytes.IndexByte(s.buf[s.scanned:s.w], '\n')
		switch {
		case i >= 0:
			s.take(into, s.buf[s.r:s.scanned+i], s.scanned+i+1-s.r, now)
		case s.readErr == io.EOF && (s.r < s.w || s.long != nil): //nolint:errorlint // never wrapped
			s.take(into, s.buf[s.r:s.w], s.w-s.r, now)
		default:
			s.scanned = s.w
			s.skipLong()
			return
		}
	}
}

// take hands on line, which with its end is size bytes from r on.
func (s *Source) take(into *event.Batch, line []byte, size int, now int64) {
	offset := s.pos
	s.pos += int64(size)
	s.r += size
	s.scanned = s.r
	if s.long != nil {
		s.add(into, s.long.start, now, s.long.kept, event.FaultTooLong)
		s.long = nil
		return
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > s.o.MaxLine {
		s.add(into, offset, now, line[:min(keepLong, len(line))], event.FaultTooLong)
		return
	}
	first := !s.inside
	s.inside = true
	if first && bytes.HasPrefix(line, byteOrderMark) {
		line, offset = line[len(byteOrderMark):], offset+int64(len(byteOrderMark))
	}
	switch {
	case s.blank(line):
		return // and a blank line at the start is not yet the header
	case s.o.Header && !s.begun:
		s.header = bytes.Clone(line)
		s.begun = true
	default:
		s.add(into, offset, now, line, event.FaultNone)
	}
}

// blank reports whether a line is no record: an empty one, and one of white space, which
// below a header row could be a row of one column.
func (s *Source) blank(line []byte) bool {
	if s.o.Header && s.begun {
		return len(line) == 0
	}
	return len(bytes.TrimLeft(line, " \t\r")) == 0
}

func (s *Source) add(into *event.Batch, offset, now int64, line []byte, fault event.Fault) {
	into.Add(s.o.Part, offset, now, line)
	into.Records[len(into.Records)-1].Fault = fault
	s.begun, s.inside = true, true
}

// skipLong drops what is buffered of a line that is beyond the limit for certain: one
// more byte could still be the \r of its end. Only its first bytes are kept.
func (s *Source) skipLong() {
	if s.long == nil {
		if s.w-s.r < s.o.MaxLine+2 {
			return
		}
		s.long = &longLine{start: s.pos, kept: bytes.Clone(s.buf[s.r:min(s.w, s.r+keepLong)])}
	}
	s.pos += int64(s.w - s.r)
	s.r, s.w, s.scanned = 0, 0, 0
}
