package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cepheus-cep/cepheus/event"
)

// headSize is how many of the first bytes a fingerprint covers at most. Two files that
// agree in so many bytes and differ later are not told apart.
const headSize = 4096

// ReplacedError says that an input is not the one of which a position was stored.
type ReplacedError struct {
	Path   string
	Offset int64 // where reading was to go on
	Reason string
}

// Error names the file, what was found and the mend.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("input %s is not the file that was read before up to byte %d: %s; give the new file another name, or start with a fresh state directory",
		e.Path, e.Offset, e.Reason)
}

// Resume makes the first Next begin at offset, a Position of an earlier run, of which
// fingerprint was stored as well; an empty fingerprint agrees with every file. It must
// come before the first Next. A file that is not the one it was, as far as that shows,
// is a *ReplacedError, here or, for a compressed one that has become shorter, at the
// first Next.
func (s *Source) Resume(ctx context.Context, offset int64, fingerprint []byte) error {
	if s.feed != nil || offset < 0 {
		return fmt.Errorf("resume %s at byte %d: after the first record, or before the first byte", s.part.Source, offset)
	}
	s.pos = offset
	if s.file == nil || offset == 0 {
		return nil
	}
	if err := s.readHead(ctx); err != nil {
		return err
	}
	return s.check(fingerprint)
}

// readHead reads what a fingerprint at pos covers, and the header row, from the start of
// the file.
func (s *Source) readHead(ctx context.Context) error {
	stream, compressed, err := s.rewind()
	if err != nil {
		return fmt.Errorf("read %s: %w", s.part.Source, err)
	}
	if info, err := s.file.Stat(); err == nil && !compressed && info.Size() < s.pos {
		return s.replaced(fmt.Sprintf("it has %d bytes", info.Size()))
	}
	s.head, err = io.ReadAll(io.LimitReader(stream, min(headSize, s.pos)))
	if err != nil {
		return fmt.Errorf("read %s: %w", s.part.Source, err)
	}
	s.begun, s.inside = true, true
	if !s.o.Header {
		return nil
	}
	return s.readHeader(ctx)
}

// readHeader takes the header row with a source of its own over the same file.
func (s *Source) readHeader(ctx context.Context) error {
	first := Source{o: s.o, part: s.part, in: s.file, file: s.file}
	first.o.MaxRecords = 1
	err := first.Next(ctx, new(event.Batch))
	if err == io.EOF { //nolint:errorlint // Next does not wrap it
		err = nil
	}
	s.header = first.header
	return err
}

// rewind returns a fresh reader of the file from its start.
func (s *Source) rewind() (stream io.Reader, compressed bool, err error) {
	stream, err = decompress(io.NewSectionReader(s.file, 0, math.MaxInt64))
	_, compressed = stream.(*gunzip)
	return stream, compressed, err
}

func (s *Source) replaced(reason string) error {
	return &ReplacedError{Path: s.part.Source, Offset: s.pos, Reason: reason}
}

// start prepares reading at the first Next.
func (s *Source) start(ctx context.Context) error {
	if s.feed != nil {
		return nil
	}
	if s.file == nil {
		s.feed = startPump(s.in)
		return nil
	}
	stream, compressed, err := s.rewind()
	if err != nil {
		return fmt.Errorf("read %s: %w", s.part.Source, err)
	}
	if compressed {
		err = s.skip(ctx, stream)
	} else if _, err = s.file.Seek(s.pos, io.SeekStart); err == nil {
		stream = s.file // without a buffer between
	}
	if err != nil {
		return err
	}
	s.feed = &direct{file: s.file, stream: stream}
	return nil
}

// skip reads a compressed file up to the position.
func (s *Source) skip(ctx context.Context, stream io.Reader) error {
	const step = 4 << 20
	for left := s.pos; left > 0; left -= min(step, left) {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(io.Discard, stream, min(step, left))
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return s.replaced("it ends before")
		}
		if err != nil {
			return fmt.Errorf("read %s up to byte %d: %w", s.part.Source, s.pos, err)
		}
	}
	return nil
}

const fingerprintVersion = 1

// Fingerprint returns what is to be stored with the present Position, at most 32 bytes;
// nil for what cannot be read again.
func (s *Source) Fingerprint() []byte {
	if s.file == nil {
		return nil
	}
	return s.fingerprint(int(min(headSize, s.Position())))
}

// fingerprint is a version, the number of bytes hashed, and half of their SHA-256.
func (s *Source) fingerprint(n int) []byte {
	hash := sha256.Sum256(s.head[:n])
	b := binary.BigEndian.AppendUint16([]byte{fingerprintVersion}, uint16(n))
	return append(b, hash[:16]...)
}

func (s *Source) check(fingerprint []byte) error {
	if len(fingerprint) == 0 {
		return nil
	}
	if len(fingerprint) != 19 || fingerprint[0] != fingerprintVersion {
		return fmt.Errorf("input %s: its stored fingerprint is of another release (%d bytes); start with a fresh state directory", s.part.Source, len(fingerprint))
	}
	n := int(binary.BigEndian.Uint16(fingerprint[1:]))
	if n > len(s.head) || !bytes.Equal(s.fingerprint(n), fingerprint) {
		return s.replaced("its first bytes are others")
	}
	return nil
}
