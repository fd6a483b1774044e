package stdout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Sink writes to one stream.
type Sink struct{ w *bufio.Writer }

var _ sinks.Sink = (*Sink)(nil)

const bufferSize = 64 << 10

// New returns a sink that writes to w, which it never closes.
func New(w io.Writer) *Sink { return &Sink{bufio.NewWriterSize(w, bufferSize)} }

// Deliver writes the rows, the last of them perhaps only to the buffer.
func (s *Sink) Deliver(_ context.Context, rows []sinks.Row) (taken int, err error) {
	for _, r := range rows {
		s.w.Write(r.Alert) //nolint:errcheck // a bufio.Writer keeps its first error; WriteByte returns it
		if err := s.w.WriteByte('\n'); err != nil {
			return 0, writeError(err)
		}
	}
	return len(rows), nil
}

// Flush writes the buffer out.
func (s *Sink) Flush(context.Context) error { return writeError(s.w.Flush()) }

// Close writes the buffer out and leaves the stream open.
func (s *Sink) Close() error { return writeError(s.w.Flush()) }

// writeError tells a reader that has gone from other failures.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("write to standard output: %w: %w", sinks.ErrGone, err)
	default:
		return fmt.Errorf("write to standard output: %w", err)
	}
}
