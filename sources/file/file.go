package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

// Stdin is the path that stands for standard input, and StdinName its partition's source.
const (
	Stdin     = "-"
	StdinName = "stdin"
)

// Options of a source. The zero value is good.
type Options struct {
	// Name is the source of the records' partition. Default: the cleaned path, or
	// StdinName.
	Name string

	// Part is the number given to the records' partition. Default 0.
	Part int32

	// MaxLine is the greatest length of a line in bytes, its end not counted; default
	// 1 MiB. A buffer grows to it where lines are that long.
	MaxLine int

	// MaxRecords is the greatest number of records that one Next appends. Default 0: as
	// many as are in the read buffer.
	MaxRecords int

	// Header says that the first line names columns (CSV): it is no record and goes into
	// the batches' Header.
	Header bool

	// Stdin is read for the path "-". Default os.Stdin. If it has a Close, that must make
	// a blocked Read return.
	Stdin io.Reader

	// Now is the clock that records get their time from. Default time.Now.
	Now func() time.Time
}

const (
	defaultMaxLine = 1 << 20
	readSize       = 256 << 10 // of a read, bytes
	keepLong       = 4 << 10   // of a line that is too long, bytes
)

func (o *Options) validate() error {
	if o.MaxLine < 0 || o.MaxRecords < 0 || o.Part < 0 {
		return fmt.Errorf("file source: negative option: line %d, records %d, partition %d", o.MaxLine, o.MaxRecords, o.Part)
	}
	if o.MaxLine == 0 {
		o.MaxLine = defaultMaxLine
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Source reads one input. It belongs to one goroutine at a time.
type Source struct {
	o    Options
	part event.Partition
	in   io.Reader
	file *os.File // in, where it is a regular file: can be read again
	feed feed     // from the first Next on

	buf     []byte // lines not yet handed on: buf[r:w]; exchanged with a batch for its memory
	r, w    int
	scanned int   // no line ends in buf[r:scanned]
	pos     int64 // of buf[r] in the input
	readErr error // why there is nothing after buf[w]; io.EOF at the end
	inside  bool  // some line is past, so that no byte order mark can come
	begun   bool  // a line that was not empty is past, so that no header can come
	atEnd   bool  // the last Next said that there was nothing more for now

	long   *longLine // the line at hand is too long and being skipped
	head   []byte    // the first bytes of the input, at most headSize
	header []byte
	closed bool
}

// Open opens path for reading from its start, or, for "-", standard input.
func Open(path string, o Options) (*Source, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if path == Stdin {
		return &Source{o: o, part: event.Partition{Source: cmp.Or(o.Name, StdinName)}, in: o.Stdin}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name the files in it", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("input: %w", err), f.Close())
	}
	s := &Source{o: o, part: event.Partition{Source: cmp.Or(o.Name, filepath.Clean(path))}, in: f}
	if info.Mode().IsRegular() {
		s.file = f
	}
	return s, nil
}

// Partition names the input: by Options.Name, or its cleaned path, or "stdin".
func (s *Source) Partition() event.Partition { return s.part }

// Position is where the next record is looked for: after all that Next has handed on.
func (s *Source) Position() int64 {
	if s.long != nil {
		return s.long.start
	}
	return s.pos
}

// Next appends at least one record to into, or returns io.EOF at the end of the input.
// From a pipe it takes what is there, and sets AtEnd where that was all of it; where
// nothing is there it may say so without a record, but not twice in a row: it waits at
// the next call. An error of reading comes after the records before it, names the input
// and the position, and comes again at each call. An ended context may be followed by
// another Next, which goes on.
func (s *Source) Next(ctx context.Context, into *event.Batch) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	before, now := len(into.Records), s.o.Now().UnixNano()
	for {
		s.split(into, before, now)
		s.setHeader(into)
		if len(into.Records) > before {
			s.atEnd = s.drained()
			into.AtEnd = s.atEnd
			return nil
		}
		if s.readErr != nil {
			return s.end()
		}
		if !s.atEnd && s.drained() {
			s.atEnd, into.AtEnd = true, true
			return nil
		}
		if err := s.more(ctx); err != nil {
			return err
		}
	}
}

// drained reports whether a live input has, for now, nothing more to hand on.
func (s *Source) drained() bool {
	return s.file == nil && !s.feed.ready() && bytes.IndexByte(s.buf[s.scanned:s.w], '\n') < 0
}

func (s *Source) setHeader(into *event.Batch) {
	if !s.o.Header {
		return
	}
	for len(into.Header) <= int(s.o.Part) {
		into.Header = append(into.Header, nil)
	}
	into.Header[s.o.Part] = s.header
}

// end is what Next returns when all is handed on.
func (s *Source) end() error {
	if s.readErr == io.EOF { //nolint:errorlint // set by feed, never wrapped
		return io.EOF
	}
	return fmt.Errorf("read %s after byte %d: %w", s.part.Source, s.Position(), s.readErr)
}

// more reads once into the free end of the buffer. Its error is the context's; one of
// reading is kept until the lines before it are handed on.
func (s *Source) more(ctx context.Context) error {
	s.makeRoom()
	n, err := s.feed.read(ctx, s.buf[s.w:])
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	if missing := headSize - len(s.head); missing > 0 {
		s.head = append(s.head, s.buf[s.w:s.w+min(n, missing)]...)
	}
	s.w += n
	s.readErr = err
	return nil
}

// makeRoom moves what is left to the buffer's start, and grows it where a line fills it.
// The greatest size holds a line at the limit with its end.
func (s *Source) makeRoom() {
	if s.r > 0 {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.scanned -= s.r
		s.r = 0
	}
	if s.w < len(s.buf) {
		return
	}
	size := min(max(readSize, 2*len(s.buf)), max(readSize, s.o.MaxLine+2))
	grown := make([]byte, size) // longer than before: at the greatest size skipLong has made room
	copy(grown, s.buf[:s.w])
	s.buf = grown
}

// Close gives the input back. See the package's words on goroutines. A second Close does
// nothing.
func (s *Source) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.feed != nil {
		return s.feed.close()
	}
	if c, ok := s.in.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
