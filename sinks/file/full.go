package file

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A full file has the name of the file, a time, and where it is compressed gz or zst:
// alerts.jsonl.20260102T030405.000.gz.
const stamp = "20060102T150405.000"

func changed(path string) (at time.Time, ok bool) {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return at, false
	}
	return info.ModTime(), true
}

// putAway gives the file the name of a full one. A time that is taken is passed over.
func putAway(path string, now time.Time) error {
	for ; ; now = now.Add(time.Millisecond) {
		name := path + "." + now.UTC().Format(stamp)
		if taken(name) {
			continue
		}
		return os.Rename(path, name)
	}
}

func taken(name string) bool {
	for _, end := range []string{"", ".gz", ".zst"} {
		if _, err := os.Lstat(name + end); err == nil {
			return true
		}
	}
	return false
}

// full lists the full files, the oldest first.
func full(path string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if !ok || len(rest) < len(stamp) {
			continue
		}
		if _, err := time.Parse(stamp, rest[:len(stamp)]); err != nil {
			continue
		}
		if end := rest[len(stamp):]; end == "" || end == ".gz" || end == ".zst" {
			names = append(names, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(names)
	return names, err
}

// pack compresses full files and drops the oldest, in a goroutine of its own, one at a time.
func (s *Sink) pack() {
	if s.o.Compress == Plain && s.o.Keep == 0 {
		return
	}
	s.packing.Wait()
	s.packing.Go(func() {
		if err := s.packAll(); err != nil {
			s.o.Log.Warn("a full alert file cannot be put away", "err", err)
		}
	})
}

func (s *Sink) packAll() error {
	names, err := full(s.path)
	if err != nil {
		return err
	}
	for len(names) > s.o.Keep && s.o.Keep > 0 {
		if err := os.Remove(names[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		names = names[1:]
	}
	for _, name := range names {
		if s.o.Compress == Plain || filepath.Ext(name) == ".gz" || filepath.Ext(name) == ".zst" {
			continue
		}
		if err := compress(name, s.o.Compress); err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
	}
	return nil
}

// compress replaces a file by a compressed one, which is whole or not there.
func compress(name string, how Compression) (err error) {
	if _, err := os.Stat(name + "." + string(how)); err == nil { // a crash came between the two names
		return os.Remove(name)
	}
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(name), ".cepheus-*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(to.Name()))
		}
	}()
	if err := pour(to, from, how); err != nil {
		return errors.Join(err, to.Close())
	}
	if err := errors.Join(to.Sync(), to.Close()); err != nil {
		return err
	}
	if err := os.Rename(to.Name(), name+"."+string(how)); err != nil {
		return err
	}
	return os.Remove(name)
}

func pour(to io.Writer, from io.Reader, how Compression) error {
	var w io.WriteCloser = gzip.NewWriter(to)
	if how == Zstd {
		z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		w = z
	}
	_, err := io.Copy(w, from)
	return errors.Join(err, w.Close())
}
