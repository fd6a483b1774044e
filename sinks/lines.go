package sinks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Lines is an append-only file of JSON lines, as the file sink and the dead letters write
// it: buffered, synced on demand, and of whole lines after a crash. It is not safe for
// several goroutines.
//
// A crash can leave the beginning of a line at the end of the file. Opening such a file
// cuts it off: nothing that was synced is lost, since whoever wrote that line did not
// get its Sync back and writes it again. A last line that is complete but for its end,
// or is no JSON object, only gets its end.
type Lines struct {
	f       *os.File
	w       *bufio.Writer
	size    int64
	regular bool
	dirty   bool // something was appended since the last Sync
}

const linesBuffer = 64 << 10

// OpenLines opens path for appending, makes it where it is not there (for its owner alone:
// lines hold people's data), and mends its last line.
func OpenLines(path string) (*Lines, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Lines{f: f, w: bufio.NewWriterSize(f, linesBuffer)}
	if err := l.mend(); err != nil {
		return nil, errors.Join(fmt.Errorf("mend the last line of %s: %w", path, err), f.Close())
	}
	return l, nil
}

// mend brings a regular file to the end of a line.
func (l *Lines) mend() error {
	info, err := l.f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	l.regular, l.size = true, info.Size()
	tail, err := l.tail()
	switch {
	case err != nil || len(tail) == 0:
		return err
	case tail[0] == '{' && !json.Valid(tail):
		l.size -= int64(len(tail))
		return l.f.Truncate(l.size)
	default:
		l.size++
		_, err := l.f.Write([]byte{'\n'})
		return err
	}
}

// tail returns what stands after the last end of line.
func (l *Lines) tail() ([]byte, error) {
	const step = 64 << 10
	var tail []byte
	for end := l.size; end > 0; {
		block := make([]byte, min(step, end))
		end -= int64(len(block))
		if _, err := l.f.ReadAt(block, end); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
			return append(block[i+1:], tail...), nil
		}
		tail = append(block, tail...)
	}
	return tail, nil
}

// Size returns the length of the file in bytes with what is buffered.
func (l *Lines) Size() int64 { return l.size }

// Moved reports whether path is no longer the file: someone has moved or removed it.
func (l *Lines) Moved(path string) bool {
	if !l.regular {
		return false
	}
	ours, err := l.f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there)
}

// Append adds a line, which holds no end of line itself, to the buffer.
func (l *Lines) Append(line []byte) error {
	l.dirty = true
	l.size += int64(len(line)) + 1
	if _, err := l.w.Write(line); err != nil {
		return err
	}
	return l.w.WriteByte('\n')
}

// Sync writes the buffer out and returns when it is on the disk. It costs nothing where
// nothing was appended.
func (l *Lines) Sync() error {
	if !l.dirty {
		return nil
	}
	if err := l.w.Flush(); err != nil {
		return err
	}
	if l.regular { // pipes and devices have no disk
		if err := l.f.Sync(); err != nil {
			return err
		}
	}
	l.dirty = false
	return nil
}

// Close syncs and closes.
func (l *Lines) Close() error { return errors.Join(l.Sync(), l.f.Close()) }
