package file

import (
	"context"
	"io/fs"
	"os"
)

// SameAs reports whether two sources read one and the same file, by whatever names.
func (s *Source) SameAs(t *Source) bool {
	a, b := s.info(), t.info()
	return a != nil && b != nil && os.SameFile(a, b)
}

// Reads reports whether the source reads the regular file that path names.
func (s *Source) Reads(path string) bool {
	a, b := s.info(), stat(path)
	return a != nil && b != nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// Continues reports whether the source reads the regular file that path names as well,
// and that is still the one of which an offset above 0 and a fingerprint were stored:
// whether it would hand on again what was read under the name path.
func (s *Source) Continues(ctx context.Context, path string, offset int64, fingerprint []byte) bool {
	if s.file == nil || offset == 0 {
		return false
	}
	here, there := s.info(), stat(path)
	if here == nil || there == nil || !os.SameFile(here, there) {
		return false
	}
	twin, err := Open(path, s.o)
	if err != nil {
		return false
	}
	defer twin.Close()
	return twin.Resume(ctx, offset, fingerprint) == nil
}

// info is nil where the input is no file of the operating system.
func (s *Source) info() fs.FileInfo {
	f, ok := s.in.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	return info
}

func stat(path string) fs.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}
