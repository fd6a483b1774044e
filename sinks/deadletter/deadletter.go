package deadletter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Letter is one record that came to nothing. Write keeps nothing of it.
type Letter struct {
	Reason string
	Source string // the partition's name
	Offset int64
	Time   int64 // the record's own time or that of its arrival, nanoseconds since 1970
	Record []byte
	Whole  bool // the record is kept whole whatever its size
}

// ErrFull is returned by Keep where the file has no room for the letter.
var ErrFull = errors.New("the dead-letter file is full")

// Options bound a file of dead letters. The zero value is good.
type Options struct {
	MaxBytes  int64 // of the file; default 64 MiB
	MaxRecord int   // bytes of a record that are kept; default 8 KiB
}

const (
	defaultMaxBytes  = 64 << 20
	defaultMaxRecord = 8 << 10
)

func (o *Options) validate() error {
	if o.MaxBytes < 0 || o.MaxRecord < 0 {
		return fmt.Errorf("dead letters: negative bound: file %d, record %d", o.MaxBytes, o.MaxRecord)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = defaultMaxRecord
	}
	return nil
}

// Writer appends letters to a file. It is safe for several goroutines.
type Writer struct {
	o    Options
	path string

	mu            sync.Mutex
	file          *sinks.Lines
	kept, dropped uint64
	buf           bytes.Buffer
}

// Open opens or makes the file, for its owner alone. What it already holds counts
// towards MaxBytes.
func Open(path string, o Options) (*Writer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	f, err := sinks.OpenLines(path)
	if err != nil {
		return nil, fmt.Errorf("open dead-letter file: %w", err)
	}
	return &Writer{o: o, path: path, file: f}, nil
}

// line is a letter as it is written.
type line struct {
	Reason    string `json:"reason"`
	Source    string `json:"source"`
	Offset    int64  `json:"offset"`
	Time      string `json:"time"`
	Record    string `json:"record"`
	Base64    bool   `json:"base64,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

// Write keeps a letter, or, when the file is full, counts it.
func (w *Writer) Write(l Letter) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.write(l)
	if errors.Is(err, ErrFull) {
		w.dropped++
		return nil
	}
	return err
}

// Keep writes a letter that must not be lost and returns when it is on the disk, or ErrFull.
func (w *Writer) Keep(l Letter) error {
	w.mu.Lock()
	err := w.write(l)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Flush()
}

func (w *Writer) write(l Letter) error {
	if w.file.Size() >= w.o.MaxBytes {
		return ErrFull
	}
	text, err := w.encode(l)
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	if w.file.Size()+int64(len(text))+1 > w.o.MaxBytes {
		return ErrFull
	}
	if err := w.file.Append(text); err != nil {
		return fmt.Errorf("write dead letter to %s: %w", w.path, err)
	}
	w.kept++
	return nil
}

// encode returns the letter's line, valid until the next.
func (w *Writer) encode(l Letter) ([]byte, error) {
	out := line{
		Reason: l.Reason, Source: l.Source, Offset: l.Offset,
		Time: time.Unix(0, l.Time).UTC().Format(time.RFC3339Nano),
	}
	record := l.Record
	if len(record) > w.o.MaxRecord && !l.Whole {
		record, out.Truncated = cut(record, w.o.MaxRecord), true
	}
	out.Record = string(record)
	if !utf8.Valid(record) {
		out.Record, out.Base64 = base64.StdEncoding.EncodeToString(record), true
	}
	w.buf.Reset()
	e := json.NewEncoder(&w.buf)
	e.SetEscapeHTML(false)
	err := e.Encode(out)
	return bytes.TrimSuffix(w.buf.Bytes(), []byte{'\n'}), err
}

// cut returns the first n bytes, or up to three fewer where n is within a rune.
func cut(record []byte, n int) []byte {
	for back := range utf8.UTFMax {
		if n > back && utf8.RuneStart(record[n-back]) {
			return record[:n-back]
		}
	}
	return record[:n]
}

// Counts returns how many letters were kept and how many the full file turned away,
// since Open.
func (w *Writer) Counts() (kept, dropped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept, w.dropped
}

// Flush returns when all letters kept are on the disk.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync dead letters %s: %w", w.path, err)
	}
	return nil
}

// Close writes what is left and closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close dead letters %s: %w", w.path, err)
	}
	return nil
}
