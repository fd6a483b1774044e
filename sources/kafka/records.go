package kafka

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
)

const (
	// keepLong is how much of a record that is too long is handed on, in bytes.
	keepLong = 4 << 10
	// enoughText ends a batch, in bytes: an answer is short, but may be longer by far when
	// it is decompressed.
	enoughText = 4 << 20
)

// handOn appends the records of the chunk at hand, or of its first batches.
func (s *Source) handOn(into *event.Batch) error {
	if s.c.o.Format == CSV && into.Header == nil {
		into.Header = [][]byte{[]byte(s.c.o.Columns)}
	}
	if len(into.Records) == 0 {
		into.Text = into.Text[:0] // of what was not to be seen
	}
	all, start := s.chunk.records, len(into.Text)
	exchanged := len(into.Text) == 0 && len(s.chunk.left) == len(all) && uncompressed(all)
	if exchanged {
		s.giveBack(into.Text)
		into.Text = all
	}
	for len(s.chunk.left) > 0 && (exchanged || len(into.Text)-start < enoughText) {
		f, rest, _, _ := nextFrame(s.chunk.left) // whole, as took has found
		at := len(all) - len(rest) - len(f.body)
		done, err := s.handOnFrame(&f, into, at, exchanged)
		if err != nil || !done {
			return err
		}
		s.chunk.left = rest
		s.next = max(s.next, f.next)
	}
	if len(s.chunk.left) == 0 && !exchanged {
		s.giveBack(all)
	}
	return nil
}

// uncompressed reports whether no batch is compressed, so that records can stay where they are.
func uncompressed(b []byte) bool {
	for {
		f, rest, ok, _ := nextFrame(b)
		if !ok {
			return true
		}
		if f.compressed() {
			return false
		}
		b = rest
	}
}

// handOnFrame appends a batch's records; not done: it is fetched again. Its records are at
// a place of the batch's text where there, else they are put there.
func (s *Source) handOnFrame(f *frame, into *event.Batch, at int, there bool) (done bool, err error) {
	if f.next <= s.next {
		return true, nil
	}
	if !f.whole() {
		return s.damaged(f, fmt.Errorf("%w: its checksum is wrong", errDamaged))
	}
	if !s.chunk.verdicts.counts(f) {
		s.countUnseen(f)
		return true, nil
	}
	text, records := len(into.Text), len(into.Records)
	if !there {
		at = text
		if into.Text, err = s.unpack(f, into.Text); err != nil {
			into.Text = into.Text[:text]
			return s.damaged(f, err)
		}
	}
	if err := s.records(f, into, at); err != nil {
		into.Records, into.Metas = into.Records[:records], into.Metas[:records]
		return s.damaged(f, err)
	}
	s.suspect = -1
	return true, nil
}

func (s *Source) unpack(f *frame, text []byte) ([]byte, error) {
	if !f.compressed() {
		return append(text, f.body...), nil
	}
	return f.inflate(text)
}

func (s *Source) countUnseen(f *frame) {
	if f.is(control) {
		s.counts.control.Add(uint64(f.count))
	} else {
		s.counts.aborted.Add(uint64(f.count))
	}
}

// damaged has a batch fetched again; the second time it follows Options.SkipDamaged.
func (s *Source) damaged(f *frame, err error) (done bool, _ error) {
	if s.suspect != f.base {
		s.suspect = f.base
		s.rewind()
		return false, nil
	}
	if !s.c.o.SkipDamaged {
		return false, fmt.Errorf("read %s at offsets %d to %d: %w, twice; set skip_damaged to go on without these records, or mend the broker's disk",
			s.Partition().AppendName(nil), f.base, f.next-1, err)
	}
	s.suspect = -1
	s.counts.damaged.Add(1)
	s.counts.lost.Add(uint64(max(f.count, 0)))
	s.c.o.Log.Error("damaged batch is passed by", s.attrs(), slog.Int64("offset", f.base), slog.Int64("next", f.next), slog.Any("err", err))
	return true, nil
}

// records appends those records of a batch that are not handed on yet; their bytes are in
// the batch's text from at on.
func (s *Source) records(f *frame, into *event.Batch, at int) error {
	c := cursor{f: f, text: into.Text, at: at, left: f.count}
	var e entry
	before := len(into.Records)
	for {
		ok, err := c.next(&e)
		if !ok {
			if err == nil && len(into.Records) > before {
				s.pass(e.offset, e.time)
			}
			s.counts.records.Add(uint64(len(into.Records) - before))
			return err
		}
		if e.offset >= s.next {
			s.record(into, c.text, &e)
		}
	}
}

// record appends one record, in the form that the decoder takes.
func (s *Source) record(into *event.Batch, text []byte, e *entry) {
	r := event.RecordRef{Start: uint32(max(e.start, 0)), End: uint32(max(e.end, 0)), Offset: e.offset, Time: s.time(e.time)}
	switch {
	case e.headerCount > 0 && s.c.o.Format == JSON && s.envelope(into, text, e, &r):
	case e.start < 0:
		s.counts.tombstones.Add(1)
		return
	case e.end-e.start > s.c.o.MaxRecord:
		r.End, r.Fault = r.Start+uint32(min(keepLong, e.end-e.start)), event.FaultTooLong
	case s.c.o.Format == Raw && utf8.Valid(text[e.start:e.end]): // else it cannot be decoded, which is told
		s.wrap(into, text[e.start:e.end], &r)
	}
	into.Records = append(into.Records, r)
	into.Metas = append(into.Metas, e.meta())
}

// time is a time stamp in nanoseconds; of a record without one that of its arrival.
func (s *Source) time(ms int64) int64 {
	if ms == -1 {
		return s.c.o.Now().UnixNano()
	}
	const most = math.MaxInt64 / 1_000_000
	return min(max(ms, -most), most) * 1_000_000
}

// wrap makes an object of a text.
func (s *Source) wrap(into *event.Batch, text []byte, r *event.RecordRef) {
	r.Start = uint32(len(into.Text))
	b := append(into.Text, '{')
	b = appendText(b, []byte(s.c.o.RawField))
	b = append(b, ':')
	b = append(appendText(b, text), '}')
	into.Text, r.End = b, uint32(len(b))
}

// envelope writes a CloudEvent in binary mode, whose attributes are headers, as one in
// structured mode; false where it is none. A value that is no JSON is left alone: it could
// speak as the envelope.
func (s *Source) envelope(into *event.Batch, text []byte, e *entry, r *event.RecordRef) bool {
	if header(text, e, "ce_specversion") == nil || header(text, e, "ce_id") == nil {
		return false
	}
	data := []byte("null")
	if e.start >= 0 {
		data = text[e.start:e.end]
	}
	if len(data) > s.c.o.MaxRecord || !json.Valid(data) {
		return false
	}
	r.Start = uint32(len(into.Text))
	b := append(into.Text, '{')
	eachHeader(text, e, func(key, value []byte) {
		if name, ok := attribute(key); ok {
			b = append(appendText(b, name), ':')
			b = append(appendText(b, value), ',')
		}
	})
	b = append(append(append(b, `"data":`...), data...), '}')
	into.Text, r.End = b, uint32(len(b))
	return true
}

// attribute is the name that a header has in an envelope. Others than these cannot be
// fields, and could be called data; rules read them as headers.
func attribute(key []byte) ([]byte, bool) {
	switch string(key) {
	case "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject":
		return key[len("ce_"):], true
	case "content-type":
		return []byte("datacontenttype"), true
	}
	return nil, false
}

// appendText appends a JSON string.
func appendText(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
