package file

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Compression of files that are full.
type Compression string

// The ways to compress.
const (
	Plain Compression = ""
	Gzip  Compression = "gz"
	Zstd  Compression = "zst"
)

// Options say when another file is begun. The zero value never begins one.
type Options struct {
	// MaxBytes bounds the file; an alert that is larger has a file of its own. 0: no bound.
	MaxBytes int64

	// Every begins another file at each multiple of it, in UTC: 24h at midnight. 0: never.
	Every time.Duration

	// Compress compresses files that are full, beside delivery.
	Compress Compression

	// Keep is how many full files are kept; the oldest go. 0: all.
	Keep int

	// Now is the wall clock. Default time.Now.
	Now func() time.Time

	// Log says that a full file could not be compressed or removed, which is tried again when
	// the next one is full. Nil discards it.
	Log *slog.Logger
}

func (o *Options) validate() error {
	if o.MaxBytes < 0 || o.Every < 0 || o.Keep < 0 {
		return fmt.Errorf("alert file: negative bound: %d bytes, every %s, keep %d", o.MaxBytes, o.Every, o.Keep)
	}
	if o.Compress != Plain && o.Compress != Gzip && o.Compress != Zstd {
		return fmt.Errorf("alert file: there is no compression %q; there are gz and zst", o.Compress)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Sink appends to one file.
type Sink struct {
	o      Options
	path   string
	file   *sinks.Lines
	period time.Time // of Every, that the file is of

	packing sync.WaitGroup // one goroutine that compresses
}

var _ sinks.Sink = (*Sink)(nil)

// Open opens or makes the file, for its owner alone, and cuts off a last line that a
// crash has torn.
func Open(path string) (*Sink, error) { return New(path, Options{}) }

// New is Open with options. Files that a crash left full and not compressed are compressed.
func New(path string, o Options) (*Sink, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Sink{o: o, path: path}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open alert file: %w", err)
	}
	s.pack()
	return s, nil
}

func (s *Sink) open() (err error) {
	last := s.o.Now()
	if at, ok := changed(s.path); ok {
		last = at
	}
	if s.o.Every > 0 {
		s.period = last.UTC().Truncate(s.o.Every)
	}
	s.file, err = sinks.OpenLines(s.path)
	return err
}

// Deliver appends the rows to the buffer.
func (s *Sink) Deliver(_ context.Context, rows []sinks.Row) (taken int, err error) {
	if err := s.follow(); err != nil {
		return 0, fmt.Errorf("write %s: %w", s.path, err)
	}
	for _, r := range rows {
		if s.isFull(len(r.Alert)) {
			if err := s.next(); err != nil {
				return 0, fmt.Errorf("begin another alert file: %w", err)
			}
		}
		if err := s.file.Append(r.Alert); err != nil {
			return 0, fmt.Errorf("write %s: %w", s.path, err)
		}
	}
	return len(rows), nil
}

// isFull reports whether a line of this size belongs into another file.
func (s *Sink) isFull(size int) bool {
	switch {
	case s.file.Size() == 0:
		if s.o.Every > 0 {
			s.period = s.o.Now().UTC().Truncate(s.o.Every)
		}
		return false
	case s.o.MaxBytes > 0 && s.file.Size()+int64(size)+1 > s.o.MaxBytes:
		return true
	}
	return s.o.Every > 0 && s.o.Now().UTC().Truncate(s.o.Every).After(s.period)
}

// next gives the file, synced, another name, and begins one.
func (s *Sink) next() error {
	if err := s.file.Close(); err != nil {
		return err
	}
	if err := putAway(s.path, s.o.Now()); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	s.pack()
	return nil
}

// follow begins a file where someone has moved ours away, such as logrotate.
func (s *Sink) follow() error {
	if !s.file.Moved(s.path) {
		return nil
	}
	if err := s.file.Close(); err != nil {
		return err
	}
	return s.open()
}

// Flush returns when all rows are on the disk.
func (s *Sink) Flush(context.Context) error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.path, err)
	}
	return nil
}

// Close writes what is left and closes the file.
func (s *Sink) Close() error {
	err := s.file.Close()
	s.packing.Wait()
	if err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}
