package file

import (
	"context"
	"fmt"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Sink appends to one file.
type Sink struct {
	path string
	file *sinks.Lines
}

var _ sinks.Sink = (*Sink)(nil)

// Open opens or makes the file, for its owner alone, and cuts off a last line that a
// crash has torn.
func Open(path string) (*Sink, error) {
	f, err := sinks.OpenLines(path)
	if err != nil {
		return nil, fmt.Errorf("open alert file: %w", err)
	}
	return &Sink{path: path, file: f}, nil
}

// Deliver appends the rows to the buffer.
func (s *Sink) Deliver(_ context.Context, rows []sinks.Row) (taken int, err error) {
	for _, r := range rows {
		if err := s.file.Append(r.Alert); err != nil {
			return 0, fmt.Errorf("write %s: %w", s.path, err)
		}
	}
	return len(rows), nil
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
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.path, err)
	}
	return nil
}
