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
	if s.long != nil && !s.endLong(into, now) {
		return
	}
	from, added := s.r, len(into.Records)
	base := len(into.Text) - from // of places in the buffer, in the batch's text
	for s.o.MaxRecords == 0 || len(into.Records)-before < s.o.MaxRecords {
		i := bytes.IndexByte(s.buf[s.scanned:s.w], '\n')
		if i < 0 && (s.readErr != io.EOF || s.r == s.w) { //nolint:errorlint // never wrapped
			s.scanned = s.w
			break
		}
		end, next := s.scanned+i, s.scanned+i+1
		if i < 0 {
			end, next = s.w, s.w
		}
		s.take(into, end, base, now)
		s.pos += int64(next - s.r)
		s.r, s.scanned = next, next
	}
	if len(into.Records) > added {
		s.handOver(into, from)
	}
	if s.scanned == s.w {
		s.skipLong()
	}
}

// take notes the line from r to end as a record whose text handOver will hand on.
func (s *Source) take(into *event.Batch, end, base int, now int64) {
	line, start, fault := s.buf[s.r:end], s.r, event.FaultNone
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > s.o.MaxLine {
		line, fault = line[:min(keepLong, len(line))], event.FaultTooLong
	} else {
		if !s.inside && bytes.HasPrefix(line, byteOrderMark) {
			line, start = line[len(byteOrderMark):], start+len(byteOrderMark)
		}
		s.inside = true
		if s.blank(line) || s.isHeader(line) {
			return
		}
	}
	s.begun, s.inside = true, true
	into.Records = append(into.Records, event.RecordRef{
		Start: uint32(base + start), End: uint32(base + start + len(line)), Part: s.o.Part, Fault: fault,
		Offset: s.pos + int64(start-s.r), Time: now,
	})
}

// blank reports whether a line is no record: an empty one, and one of white space, which
// below a header row could be a row of one column.
func (s *Source) blank(line []byte) bool {
	if len(line) == 0 || line[0] > ' ' {
		return len(line) == 0
	}
	return !(s.o.Header && s.begun) && len(bytes.TrimLeft(line, " \t\r")) == 0
}

// isHeader keeps the line that names the columns; a blank one before it does not.
func (s *Source) isHeader(line []byte) bool {
	if !s.o.Header || s.begun {
		return false
	}
	s.header, s.begun = bytes.Clone(line), true
	return true
}

// handOver gives the batch the text from there to r: the buffer itself, in exchange for the
// batch's own memory, where that is empty and little is left to be moved, else a copy.
func (s *Source) handOver(into *event.Batch, from int) {
	if from > 0 || len(into.Text) > 0 || s.w-s.r > s.r {
		into.Text = append(into.Text, s.buf[from:s.r]...)
		return
	}
	other := into.Text[:cap(into.Text)]
	if len(other) < len(s.buf) {
		other = make([]byte, len(s.buf))
	}
	other = other[:len(s.buf)]
	left := copy(other, s.buf[s.r:s.w])
	into.Text = s.buf[:s.r]
	s.buf, s.scanned = other, s.scanned-s.r
	s.r, s.w = 0, left
}

// endLong hands on the line that is too long if its end is there.
func (s *Source) endLong(into *event.Batch, now int64) bool {
	next := bytes.IndexByte(s.buf[s.scanned:s.w], '\n') + s.scanned + 1
	if next == s.scanned {
		if next = s.w; s.readErr != io.EOF { //nolint:errorlint // never wrapped
			s.scanned = s.w
			s.skipLong()
			return false
		}
	}
	into.Add(s.o.Part, s.long.start, now, s.long.kept)
	into.Records[len(into.Records)-1].Fault = event.FaultTooLong
	s.pos += int64(next - s.r)
	s.r, s.scanned = next, next
	s.long, s.begun, s.inside = nil, true, true
	return true
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
