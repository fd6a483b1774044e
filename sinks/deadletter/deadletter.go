package deadletter

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// ErrFull is returned by Keep where there is no room for the letter.
var ErrFull = errors.New("there is no room for dead letters: replay or purge some")

// Options bound what is kept. The zero value is good.
type Options struct {
	// MaxBytes bounds the file and its older parts. Where it is reached the oldest eighth
	// goes, and is counted, but the alerts in it, which stay. Default 64 MiB.
	MaxBytes int64

	// MaxRecord is how many bytes of a record are kept. Default 8 KiB.
	MaxRecord int

	// MaxAge is how long letters are kept, to about an eighth of what there is; 0: for as
	// long as there is room. It drops alerts too.
	MaxAge time.Duration

	// Now is the wall clock, for MaxAge. Default time.Now.
	Now func() time.Time
}

const (
	defaultMaxBytes  = 64 << 20
	defaultMaxRecord = 8 << 10
	parts            = 8 // that MaxBytes is divided into
)

func (o *Options) validate() error {
	if o.MaxBytes < 0 || o.MaxRecord < 0 || o.MaxAge < 0 {
		return fmt.Errorf("dead letters: negative bound: file %d, record %d, age %s", o.MaxBytes, o.MaxRecord, o.MaxAge)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = defaultMaxRecord
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Writer appends letters to a file. It is safe for several goroutines, and several
// processes may write to one file.
type Writer struct {
	o    Options
	box  *Box
	hold *os.File // keeps others from rewriting the file

	mu            sync.Mutex
	file          *sinks.Lines
	older         int64 // bytes of the older parts
	kept, dropped uint64
	counted       map[Kind]uint64 // dropped and not written down yet
	full          time.Time       // when the marks were last changed, where there was no room
	buf           bytes.Buffer
}

// Open opens or makes the file, for its owner alone, and removes what was purged from it.
// What it already holds counts towards MaxBytes.
func Open(path string, o Options) (*Writer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	w := &Writer{o: o, box: At(path), counted: map[Kind]uint64{}}
	if err := w.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open dead-letter file: %w", err), w.release())
	}
	return w, nil
}

func (w *Writer) open() (err error) {
	if _, err := w.box.tidy(); err != nil {
		return err
	}
	if w.hold, err = w.box.holdShared(); err != nil { // before the file, which could be another by then
		return err
	}
	if w.file, err = sinks.OpenLines(w.box.path); err != nil {
		return err
	}
	w.older, err = w.box.olderBytes()
	return err
}

func (w *Writer) release() error {
	if w.hold == nil {
		return nil
	}
	return w.hold.Close()
}

// Write keeps a letter, or, when there is no room, counts it.
func (w *Writer) Write(l Letter) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.write(&l)
	if errors.Is(err, ErrFull) {
		w.drop(l.Kind)
		return nil
	}
	return err
}

func (w *Writer) drop(k Kind) {
	if k == "" {
		k = Undecodable
	}
	w.dropped++
	w.counted[k]++
}

// Keep writes a letter that must not be lost and returns when it is on the disk, or ErrFull.
func (w *Writer) Keep(l Letter) error {
	w.mu.Lock()
	err := w.write(&l)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Flush()
}

func (w *Writer) write(l *Letter) error {
	w.buf.Reset()
	if err := l.encode(&w.buf, w.o.MaxRecord); err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	if err := w.room(int64(w.buf.Len() + 1)); err != nil {
		return err
	}
	if err := w.file.Append(w.buf.Bytes()); err != nil {
		return fmt.Errorf("write dead letter to %s: %w", w.box.path, err)
	}
	w.kept++
	return nil
}

// room makes room for a line: it begins a new part where one is full, and drops the oldest
// where all are.
func (w *Writer) room(size int64) error {
	if size > w.o.MaxBytes {
		return ErrFull
	}
	part := w.o.MaxBytes / parts
	if w.file.Size() > 0 && w.file.Size()+size > part && w.full.IsZero() {
		if err := w.nextPart(); err != nil {
			return fmt.Errorf("begin another file of dead letters: %w", err)
		}
	}
	for w.older+w.file.Size()+size > w.o.MaxBytes {
		if changed := w.box.marked(); !w.full.IsZero() && w.full.Equal(changed) {
			return ErrFull
		}
		gone, err := w.dropOldest()
		if err != nil {
			return fmt.Errorf("drop old dead letters: %w", err)
		}
		if !gone {
			w.full = w.box.marked()
			return ErrFull
		}
		w.full = time.Time{}
	}
	return nil
}

// nextPart gives the file a number, and begins a new one. Parts that are too old go.
func (w *Writer) nextPart() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := w.box.rotate(); err != nil {
		return err
	}
	var err error
	if w.file, err = sinks.OpenLines(w.box.path); err != nil {
		return err
	}
	if w.o.MaxAge > 0 {
		if err := w.dropOld(w.o.Now().Add(-w.o.MaxAge)); err != nil {
			return err
		}
	}
	w.older, err = w.box.olderBytes()
	return err
}

func (w *Writer) dropOld(before time.Time) error {
	older, err := w.box.older()
	if err != nil {
		return err
	}
	for _, path := range older {
		info, err := os.Stat(path)
		if err != nil || !info.ModTime().Before(before) {
			return err
		}
		if err := w.remove(path, false); err != nil {
			return err
		}
	}
	return nil
}

// dropOldest drops the oldest part. What may not go of it is written again; where that is
// most of it, nothing is gained.
func (w *Writer) dropOldest() (gone bool, err error) {
	older, err := w.box.older()
	if err != nil || len(older) == 0 {
		return false, err
	}
	info, err := os.Stat(older[0])
	if err != nil {
		return false, err
	}
	stays, err := w.box.alertsIn(older[0])
	if err != nil {
		return false, err
	}
	size := 0
	for _, text := range stays {
		size += len(text) + 1
	}
	if int64(size) > info.Size()*3/4 {
		return false, nil
	}
	for _, text := range stays {
		if err := w.file.Append(text); err != nil {
			return false, err
		}
	}
	if err := w.file.Sync(); err != nil {
		return false, err
	}
	if err := w.remove(older[0], true); err != nil {
		return false, err
	}
	w.older, err = w.box.olderBytes()
	return true, err
}

// remove removes a part and counts what is lost by it.
func (w *Writer) remove(path string, alertsStay bool) error {
	err := w.box.read(path, func(s *Stored, _ []byte) error {
		if s.Done == "" && !(alertsStay && s.Kind == Undeliverable) {
			w.drop(s.Kind)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(path)
}

// Counts returns how many letters were kept, and how many had no room or made room, since
// Open.
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
		return fmt.Errorf("sync dead letters %s: %w", w.box.path, err)
	}
	return nil
}

// Close writes what is left, notes how many were dropped, and closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var noting error
	if len(w.counted) > 0 {
		noting = w.box.mark(mark{Dropped: w.counted})
		w.counted = map[Kind]uint64{}
	}
	if err := errors.Join(w.file.Close(), w.release(), noting); err != nil {
		return fmt.Errorf("close dead letters %s: %w", w.box.path, err)
	}
	return nil
}
